package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"fate-installer/bundle"
	"fate-installer/payload"
	"fate-installer/scripts/debian"
)

// contents are the Debian packages that each component of the measured appliance is made of, whole: together some 1.4
// GB of what a party of FATE runs on, and of jars like its own. A third of it are jars, which hardly compress any more.
var contents = map[string][]string{
	"mariadb": {"mariadb-server-core", "mariadb-server", "mariadb-client-core", "mariadb-client"},
	"jdk":     {"openjdk-17-jre-headless", "openjdk-17-jdk-headless"},
	"python": {
		"python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "python3-numpy", "python3-scipy",
		"python3-pandas",
		"python3-pandas-lib", "python3-sklearn", "python3-sklearn-lib", "python3-statsmodels",
		"python3-statsmodels-lib",
		"python3-matplotlib", "python3-sympy", "python3-networkx", "python3-skimage", "python3-skimage-lib",
		"python3-grpcio",
		"python3-numba", "python3-llvmlite", "libllvm14", "libopenblas0-pthread", "python3-cryptography",
		"python3-lxml",
		"python3-tables", "python3-tables-lib", "python3-django", "python3-twisted", "python3-sqlalchemy",
		"python3-notebook",
		"python3-flask", "python3-jinja2",
	},
	"zookeeper": {"libzookeeper-java", "libnetty-java", "libjetty9-java", "libslf4j-java", "libjackson2-databind-java"},
	"jars": {
		"kotlin", "groovy", "scala-library", "scala", "jruby", "jython", "libclojure-java", "libderby-java",
		"libbcprov-java",
		"libgradle-core-java", "libgradle-plugins-java", "libguava-java", "libgrpc-java", "libprotobuf-java",
		"libhsqldb-java",
	},
	"nginx": {"nginx", "nginx-common"},
}

// tree is the input of the measurement: packages, and the lock file of an appliance made of them.
type tree struct {
	dir      string // of the lock file
	lockFile string
	lock     bundle.Lock
	key      string // names the content
}

// prepareTree fetches the packages and writes the lock file, with the digests of apt's signed package lists.
func prepareTree(ctx context.Context, dir string, log io.Writer) (*tree, error) {
	debs, err := debian.Resolve(ctx, slices.Concat(slices.Collect(maps.Values(contents))...))
	if err != nil {
		return nil, err
	}
	store := filepath.Join(dir, "debs")
	if err := os.MkdirAll(store, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make room for packages: %w", err)
	}
	fmt.Fprintf(log, "fetching %d Debian packages\n", len(debs))
	if err := debian.Download(ctx, store, debs); err != nil {
		return nil, err
	}
	t := &tree{dir: dir, lockFile: filepath.Join(dir, "bench.lock.yaml")}
	t.lock.Release = payload.Release{FATE: "0-bench", Platform: "linux/" + runtime.GOARCH}
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		var packages []debian.Package
		for _, p := range contents[name] {
			packages = append(packages, debs[p])
		}
		t.lock.Components = append(t.lock.Components, debian.Component(name, filepath.Base(store), packages))
	}
	text := t.lock.Encode("Written by scripts/bench/payload. The digests come from apt's signed package lists.")
	t.key = fmt.Sprintf("%x", sha256.Sum256(text))[:12]
	if err := os.WriteFile(t.lockFile, text, 0o644); err != nil {
		return nil, fmt.Errorf("cannot write the lock file: %w", err)
	}
	return t, nil
}

// packages counts them.
func (t *tree) packages() int {
	n := 0
	for _, c := range t.lock.Components {
		n += len(c.Sources)
	}
	return n
}
