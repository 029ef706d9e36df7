package appliance

import (
	"fmt"
	"maps"
	"runtime"
	"slices"

	"fate-installer/bundle"
	"fate-installer/scripts/debian"
	"fate-installer/scripts/fatesim"
)

// component is one piece of the demo: parts of Debian packages, and directories that
// package fatesim makes.
type component struct {
	name        string
	license     string   // SPDX
	version     string   // blank: that of the first package
	libraryPath []string // directories with shared libraries
	host        []string // shared libraries that a minimal Debian has and the programs take from there
	standIn     bool
	any         bool // runs on every platform
	packages    []part
	directory   string // of fatesim's, merged last; blank for none
}

// part is a part of one package, and where it goes. The whole of usr/share/doc
// but the copyright file is always left out.
type part struct {
	name        string
	include     []string
	exclude     []string
	rename      []bundle.Rename
	noCopyright bool // the package only links to another one's
}

// componentsWith is components with one database, and the names of all Debian packages of the demo, whatever its
// database: they share one directory.
func componentsWith(database Database, release fatesim.Release) (list []component, packages []string, err error) {
	list, err = components(release)
	if err != nil {
		return nil, nil, err
	}
	packages = packageNames(list)
	if database == MySQL {
		i := slices.IndexFunc(list, func(c component) bool { return c.name == string(MariaDB) })
		list[i] = mysql(libraryDir())
	}
	return list, packages, nil
}

// libraryDir is where Debian has shared libraries of this machine's kind; blank for one that is not known.
func libraryDir() string {
	triplet, ok := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[runtime.GOARCH]
	if !ok {
		return ""
	}
	return "usr/lib/" + triplet
}

// components is the demo: the real third-party software at the places where the
// official builds of it have theirs, and stand-ins for FATE's own parts. What the
// programs need beyond a minimal Debian is in their own tree, so that each runs
// wherever it is unpacked.
func components(release fatesim.Release) ([]component, error) {
	libs := libraryDir()
	if libs == "" {
		return nil, fmt.Errorf("cannot make the demo for %s: only amd64 and arm64 are known", runtime.GOARCH)
	}
	all := []component{mariadb(libs), jdk(), python(libs), zookeeper(), nginx()}
	for _, c := range release.Components() {
		standIn := component{name: c.Name, version: c.Version, license: "Apache-2.0", standIn: true, any: true,
			directory: c.Name}
		if c.Name == "eggroll" {
			standIn.license += " AND GPL-2.0-only WITH Universal-FOSS-exception-1.0 AND MIT"
			standIn.packages = append(eggrollJars(), eggrollTLS(libs)...)
			standIn.libraryPath, standIn.any = []string{"native"}, false
		}
		all = append(all, standIn)
	}
	return all, nil
}

func mariadb(libs string) component {
	return component{
		name: "mariadb", license: "GPL-2.0-only AND LGPL-2.1-or-later", libraryPath: []string{"lib"},
		host: []string{"libcrypto.so.3", "libpcre2-8.so.0", "libssl.so.3", "libsystemd.so.0", "libtinfo.so.6"},
		packages: []part{
			{
				name: "mariadb-server-core",
				include: []string{"usr/sbin/mariadbd", "usr/share/mysql/*.sql", "usr/share/mysql/charsets",
					"usr/share/mysql/english"},
				exclude: []string{"mysql_test_*.sql"},
				rename:  []bundle.Rename{{From: "usr/sbin", To: "bin"}, {From: "usr/share/mysql", To: "share/mysql"}},
			},
			{name: "mariadb-client-core", include: []string{"usr/bin/mariadb"},
				rename: []bundle.Rename{{From: "usr/bin", To: "bin"}}},
			libraries(libs, "libaio1", "libaio.so.*"),
			libraries(libs, "libnuma1", "libnuma.so.*"),
			libraries(libs, "liburing2", "liburing.so.*"),
			libraries(libs, "libmariadb3", "libmariadb.so.3"),
			libraries(libs, "libedit2", "libedit.so.*"),
			libraries(libs, "libbsd0", "libbsd.so.*"),
			libraries(libs, "libmd0", "libmd.so.*"),
			func() part {
				p := libraries("lib/"+libs[len("usr/lib/"):], "libncurses6", "libncurses.so.*") // not merged into /usr
				p.noCopyright = true
				return p
			}(),
		},
	}
}

func jdk() component {
	home := "usr/lib/jvm/java-17-openjdk-" + runtime.GOARCH
	return component{
		name: "jdk", license: "GPL-2.0-only WITH Classpath-exception-2.0",
		packages: []part{{
			name:    "openjdk-17-jre-headless",
			include: []string{home + "/bin", home + "/lib", home + "/conf", home + "/release", "etc/java-17-openjdk"},
			exclude: []string{
				"jpackage", "rmiregistry",
				"cacerts",             // a link to the machine's, made by another package
				"ct.sym",              // for compilers
				"classes_nocoops.jsa", // for heaps of more than 32 GB
				"psfont*", "swing.properties", "sound.properties", "accessibility.properties", "jar.binfmt",
				// Of the desktop, which a headless JRE has no use for and whose libraries it lacks.
				"libawt*.so", "libmlib_image.so", "libfontmanager.so", "libjavajpeg.so", "liblcms.so", "libjsound.so",
				"libsctp.so", "libj2pcsc.so", "libjdwp.so", "libdt_socket.so", "libsaproc.so",
			},
			// conf/ and lib/ link into etc/; the links follow.
			rename: []bundle.Rename{{From: home, To: "."}, {From: "etc/java-17-openjdk", To: "etc"}},
		}},
	}
}

func python(libs string) component {
	module := func(pkg string, names ...string) part {
		p := part{name: pkg, rename: []bundle.Rename{{From: "usr/lib", To: "lib"}}}
		for _, n := range names {
			p.include = append(p.include, "usr/lib/python3/dist-packages/"+n)
		}
		return p
	}
	stdlib := part{
		name: "libpython3.11-stdlib", noCopyright: true, include: []string{"usr/lib/python3.11"},
		exclude: []string{
			"test", "tests", "lib2to3", "pydoc_data", "idlelib", "turtle*", "ensurepip", "distutils",
			"EXTERNALLY-MANAGED",
			"_test*.so", "_ctypes_test*.so", "_xxtestfuzz*.so", "xxlimited*.so",
			// Their libraries are not in a minimal Debian.
			"_curses*.so", "_sqlite3*.so", "nis.*.so", "readline.*.so", "_dbm.*.so",
		},
		rename: []bundle.Rename{{From: "usr/lib", To: "lib"}},
	}
	return component{
		name: "python", license: "Python-2.0 AND MIT AND Apache-2.0 AND BSD-3-Clause", libraryPath: []string{"lib"},
		packages: []part{
			{name: "python3.11-minimal", include: []string{"usr/bin/python3.11"},
				rename: []bundle.Rename{{From: "usr/bin", To: "bin"}}},
			{
				name: "libpython3.11-minimal", include: []string{"usr/lib/python3.11"},
				exclude: []string{"sitecustomize.py"}, // a link to the machine's
				rename:  []bundle.Rename{{From: "usr/lib", To: "lib"}},
			},
			stdlib,
			libraries("lib/"+libs[len("usr/lib/"):], "libexpat1", "libexpat.so.*"), // not merged into /usr
			libraries(libs, "libyaml-0-2", "libyaml-0.so.*"),
			module("python3-yaml", "yaml", "_yaml"),
			module("python3-pymysql", "pymysql"),
			module("python3-kazoo", "kazoo"),
			module("python3-grpcio", "grpc"),
			libraries(libs, "libabsl20220623", "libabsl_*.so.*"),
			libraries(libs, "libc-ares2", "libcares.so.*"),
			libraries(libs, "libre2-9", "libre2.so.*"),
			module("python3-six", "six.py"),
			module("python3-pure-sasl", "puresasl"),
		},
		directory: "python",
	}
}

func zookeeper() component {
	return component{
		name: "zookeeper", license: "Apache-2.0", any: true,
		packages: []part{
			jars("libzookeeper-java", "zookeeper", "zookeeper-jute"),
			jars("libslf4j-java", "slf4j-api", "slf4j-simple"),
			jars("libdropwizard-metrics-java", "metrics-core"),
			jars("libsnappy-java", "snappy-java"),
			jars("libnetty-java", "netty-buffer", "netty-codec", "netty-common", "netty-handler", "netty-resolver",
				"netty-transport"),
			// The admin server, which answers on admin.serverPort.
			jars("libjetty9-java", "jetty9-http", "jetty9-io", "jetty9-security", "jetty9-server",
				"jetty9-servlet", "jetty9-util"),
			jars("libservlet-api-java", "servlet-api"),
			jars("libjackson2-core-java", "jackson-core"),
			jars("libjackson2-databind-java", "jackson-databind"),
			jars("libjackson2-annotations-java", "jackson-annotations"),
		},
	}
}

// connectorVersion is that of MySQL's JDBC driver in eggroll 2.5.3: how it reads times depends on it.
const connectorVersion = "8.0.28"

// eggrollJars are the jars with which the stand-in for eggroll is built and run: gRPC, as the
// real one. MySQL's driver comes from a Maven repository, see connectorVersion.
func eggrollJars() []part {
	return []part{
		jars("libgrpc-java", "grpc-api-*", "grpc-context-*", "grpc-core-*", "grpc-netty-*", "grpc-stub-*"),
		jars("libnetty-java", "netty-buffer", "netty-codec", "netty-codec-http", "netty-codec-http2",
			"netty-codec-socks", "netty-common",
			"netty-handler", "netty-handler-proxy", "netty-resolver", "netty-transport",
			"netty-transport-native-unix-common"),
		jars("libguava-java", "guava"),
		jars("libperfmark-java", "perfmark-api-*"),
		jars("libgoogle-gson-java", "gson"),
	}
}

// eggrollTLS is the OpenSSL that rollsite's TLS needs: Debian's netty cannot do with
// the JRE's own what gRPC wants.
func eggrollTLS(libs string) []part {
	return []part{
		jars("libnetty-tcnative-java", "netty-tcnative"),
		{ // under the name that netty looks for first
			name: "libnetty-tcnative-jni", include: []string{libs + "/jni/libnetty-tcnative.so"},
			rename: []bundle.Rename{{From: libs + "/jni/libnetty-tcnative.so", To: "native/libnetty_tcnative.so"}},
		},
		{name: "libapr1", include: []string{libs + "/libapr-1.so.*"},
			rename: []bundle.Rename{{From: libs, To: "native"}}},
	}
}

func nginx() component {
	return component{
		name: "nginx", license: "BSD-2-Clause", host: []string{"libcrypto.so.3", "libpcre2-8.so.0", "libssl.so.3"},
		packages: []part{
			{name: "nginx", include: []string{"usr/sbin/nginx"},
				rename: []bundle.Rename{{From: "usr/sbin", To: "sbin"}}},
			{name: "nginx-common", include: []string{"etc/nginx/mime.types"},
				rename: []bundle.Rename{{From: "etc/nginx", To: "conf"}}},
		},
	}
}

// jars takes jar files from a package into lib.
func jars(pkg string, names ...string) part {
	p := part{name: pkg, rename: []bundle.Rename{{From: "usr/share/java", To: "lib"}}}
	for _, n := range names {
		p.include = append(p.include, "usr/share/java/"+n+".jar")
	}
	return p
}

// libraries takes shared libraries from a package into lib.
func libraries(dir, pkg, pattern string) part {
	return part{name: pkg, include: []string{dir + "/" + pattern}, rename: []bundle.Rename{{From: dir, To: "lib"}}}
}

// packageNames lists every Debian package of the components once.
func packageNames(list []component) []string {
	names := make(map[string]bool)
	for _, c := range list {
		for _, p := range c.packages {
			names[p.name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// lock describes the component for the lock file. debDir and directories are the paths of the downloaded packages and
// of fatesim's trees, relative to it.
func (c component) lock(debs map[string]debian.Package, debDir, directories string) bundle.Component {
	l := bundle.Component{Name: c.name, Version: c.version, License: c.license, LibraryPath: c.libraryPath,
		HostLibraries: c.host, StandIn: c.standIn}
	if c.any {
		l.Platform = bundle.PlatformAny
	}
	for _, p := range c.packages {
		d := debs[p.name]
		if l.Version == "" {
			l.Version = d.Upstream()
		}
		s := bundle.Source{Path: debDir + "/" + d.File, Format: bundle.FormatDeb, SHA256: d.SHA256, Size: d.Size,
			Include: p.include, Exclude: p.exclude, Rename: p.rename}
		if !p.noCopyright {
			doc := "usr/share/doc/" + p.name
			s.Include = append(slices.Clone(s.Include), doc+"/copyright")
			s.Rename = append([]bundle.Rename{{From: doc, To: "doc/" + p.name}}, s.Rename...)
		}
		l.Sources = append(l.Sources, s)
	}
	if c.directory != "" {
		l.Sources = append(l.Sources, bundle.Source{Path: directories + "/" + c.directory, Format: bundle.FormatDir})
	}
	return l
}
