//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// venvPython is the python with which the service user runs its attacks.
const venvPython = "/data/projects/fate/common/python/venv/bin/python"

// socketClient is a client of the supervisor's socket: "rpc METHOD ARGUMENT..."; "multicall N METHOD ARGUMENT...",
// which prints how much text came and how many calls were refused; "hold N PATH", which keeps N connections open until
// it is killed, and prints what the last of them was answered; or "slow N", which sends N headers, a byte now and then,
// until none is taken any more.
const socketClient = `
import socket, sys, time, http.client, xmlrpc.client
PATH = "/data/projects/common/supervisord/run/supervisor.sock"
class Conn(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.settimeout(60); self.sock.connect(PATH)
class Transport(xmlrpc.client.Transport):
    def make_connection(self, host): return Conn("localhost")
proxy = xmlrpc.client.ServerProxy("http://localhost", transport=Transport())
def call(method, *args):
    try: return repr(getattr(proxy, method)(*args))
    except Exception as e: return "%s" % e
what, args = sys.argv[1], [int(a) if a.lstrip("-").isdigit() else a for a in sys.argv[2:]]
if what == "rpc":
    print(call(*args)[:300])
elif what == "multicall":
    out = getattr(proxy, "system.multicall")([{"methodName": args[1], "params": args[2:]}] * args[0])
    texts = [r for r in out if isinstance(r, str)] # supervisord's answers, too, are in no lists of their own
    refused = [r["faultString"] for r in out if isinstance(r, dict)]
    print("%d answers, %d MiB; %d refused: %s" % (len(texts), sum(map(len, texts)) >> 20, len(refused), refused[-1:]))
elif what == "hold":
    held = []
    for i in range(args[0]):
        s = socket.socket(socket.AF_UNIX); s.connect(PATH); held.append(s)
        s.sendall(("GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % args[1]).encode())
    time.sleep(1); held[-1].settimeout(1)
    try: print(held[-1].recv(400).decode().strip().splitlines()[-1], flush=True)
    except Exception as e: print(e, flush=True)
    time.sleep(600)
elif what == "slow":
    began, held = time.time(), []
    for i in range(args[0]):
        s = socket.socket(socket.AF_UNIX); s.connect(PATH); held.append(s)
        s.sendall(b"GET / HTTP/1.1\r\nX: ")
    print("slow", flush=True)
    while held and time.time() - began < 90:
        time.sleep(0.2)
        for s in list(held):
            try: s.sendall(b"x")
            except OSError: held.remove(s)
    print("%d of %d are taken after %d s" % (len(held), args[0], time.time() - began), flush=True)
`

// TestSecurityRows does on a lab host what was found to lead root or to exhaust it, row by row, and logs what happens.
func TestSecurityRows(t *testing.T) {
	t.Parallel()
	b := newBench(t, "host=192.168.0.1")
	b.install("host", "install", "--role", "host", "--party", "10000")
	b.checkReady("host", modulesOfParty...)
	b.write("host", "/home/app/client.py", socketClient)
	for _, row := range []struct {
		name string
		test func(r rows)
	}{
		{"what root runs and obeys", rows.rootPaths},
		{"1 the daemon's log", rows.daemonLog},
		{"3 a volume below what is purged", rows.volume},
		{"4 a link in the place of settings", rows.diagnosedLink},
		{"5 a thousand log reads in one call", rows.multicall},
		{"6 every connection taken", rows.connections},
		{"6 headers that do not end", rows.slowHeaders},
		{"7 deep files", rows.deepFile},
		{"8 an appliance without a signature", rows.unsigned},
		{"8 a signature, and a program part that was replaced", rows.signed},
		{"9 what is refused or bounded", rows.refused},
		{"2 a directory exchanged for a link", rows.exchangedDirectory},
	} {
		t.Run(row.name, func(t *testing.T) { row.test(rows{b.on(t)}) })
	}
	b.checkReady("host", modulesOfParty...)
}

// rows is the host on which the rows are tried.
type rows struct{ bench }

// as runs a shell script as root or as the service user, logs what it prints and its exit status, and returns both.
func (r rows) as(user, script string) (string, int) {
	r.t.Helper()
	args := []string{"timeout", "120", "sh", "-c", script}
	if user != "root" {
		args = append([]string{"runuser", "-u", user, "--"}, args...)
	}
	out, code, err := r.try("host", args...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Logf("%s$ %s\n%s(exit status %d)", user, script, lastLines(out, 6)+"\n", code)
	return out, code
}

// want logs a command, and wants an exit status and a text in what it prints.
func (r rows) want(user, script string, code int, text string) string {
	r.t.Helper()
	out, got := r.as(user, script)
	if got != code || !strings.Contains(out, text) {
		r.t.Errorf("exit status %d, want %d; output without %q:\n%s", got, code, text, out)
	}
	return out
}

func (r rows) daemonLog() {
	r.want("app", "mv /data/logs/supervisord /data/logs/mine", 1, "Permission denied")
	r.want("app", "ln -s /etc/shadow /data/logs/supervisord/x", 1, "Permission denied")
	for _, call := range []string{"supervisor.readLog 0 0", "supervisor.clearLog", "supervisor.shutdown"} {
		out, _ := r.as("app", venvPython+" /home/app/client.py rpc "+call)
		if !strings.Contains(out, "Fault") {
			r.t.Errorf("%s is answered with %s", call, out)
		}
	}
}

func (r rows) exchangedDirectory() {
	r.run("host", "sh", "-c", "mkdir /root/target && ls -ld /root/target")
	r.write("host", "/home/app/exchange.sh", `cd /data/projects/fate || exit
while :; do mv bin .bin; ln -s /root/target bin; rm bin; mv .bin bin; done 2>/dev/null`)
	r.run("host", "sh", "-c", "systemd-run -q --unit=exchange --uid=app sh /home/app/exchange.sh")
	codes := map[int]int{}
	for range repeats(10, 40) {
		_, code, err := r.try("host", "timeout", "120", installerFile, "install", "--role", "host", "--party", "10000",
			"--force-config", "--mode", "config")
		if err != nil {
			r.t.Fatal(err)
		}
		codes[code]++
	}
	r.run("host", "sh", "-c", "systemctl stop exchange; cd /data/projects/fate; [ -d .bin ] && { rm -f bin; mv .bin "+
		"bin; }; true")
	r.t.Logf("installs while app exchanges fate/bin with a link to /root/target, by exit status: %v", codes)
	if out := r.run("host", "sh", "-c", "find /root/target -mindepth 1; find /root -xdev -user app"); out != "" {
		r.t.Errorf("root's directory has\n%s", out)
	}
	r.want("root", installerFile+" install --role host --party 10000 2>&1", 0, "")
	r.checkReady("host", modulesOfParty...)
}

func (r rows) volume() {
	before := r.run("host", "fate-installer", "svc", "status", "-o", "json")
	for _, v := range volumes {
		r.run("host", "sh", "-c", fmt.Sprintf("mkdir %[1]s && mount -t tmpfs none %[1]s && echo kept >%[1]s/file", v))
	}
	r.want("root", installerFile+" uninstall --yes --purge-data 2>&1", 3, volumes[0])
	for _, v := range volumes {
		r.want("root", fmt.Sprintf("cat %[1]s/file && umount %[1]s && rmdir %[1]s", v), 0, "kept")
	}
	if before == "" {
		r.t.Error("no program runs")
	}
	r.checkReady("host", modulesOfParty...)
}

func (r rows) diagnosedLink() {
	const conf = "/data/projects/fate/conf/service_conf.yaml"
	r.want("app", "mv "+conf+" /home/app/kept && ln -s /etc/shadow "+conf, 0, "")
	r.want("root", installerFile+" diagnose --out /root/d.tar.gz 2>&1", 0, "")
	r.want("root", "zcat /root/d.tar.gz | grep -ac '^root:[$*!]'", 1, "0")
	r.want("root", installerFile+" diagnose --out /root/d.tar.gz 2>&1", 2, "file exists")
	r.want("app", "rm "+conf+" && mv /home/app/kept "+conf, 0, "")
}

func (r rows) multicall() {
	const peak = "grep VmHWM /proc/$(systemctl show -p MainPID --value fate-supervisor)/status"
	r.as("root", peak)
	const log = "/data/logs/fate/eggroll/bootstrap.rollsite.out"
	r.want("app", "head -c 1000000 /dev/urandom | od -x >>"+log, 0, "")
	out := r.want("app", venvPython+
		" /home/app/client.py multicall 1000 supervisor.readProcessStdoutLog fate-rollsite 0 0", 0,
		"not called, since the answers to the calls before it have more than 12582912 bytes")
	var answers, mib int
	if _, err := fmt.Sscanf(out, "%d answers, %d MiB", &answers, &mib); err != nil || answers < 2 || mib < 8 ||
		mib > 12 {
		r.t.Errorf("the answer is not near its bound: %s, %v", out, err)
	}
	r.want("app", ": >"+log, 0, "")
	out, _ = r.as("root", peak)
	var kib int
	if _, err := fmt.Sscanf(strings.Join(strings.Fields(out), " "), "VmHWM: %d kB", &kib); err != nil || kib > 300<<10 {
		r.t.Errorf("the daemon had %d KiB resident, %v", kib, err)
	}
}

func (r rows) connections() {
	r.run("host", "sh", "-c", "systemd-run -q --unit=hold --uid=app --property=StandardOutput=file:/tmp/hold "+
		venvPython+" /home/app/client.py hold 128 /logtail/fate-rollsite")
	r.await("the connections are taken", func() bool { return r.succeeds("host", "test -s /tmp/hold") })
	r.want("app", "cat /tmp/hold", 0, "")
	r.want("app", programFile+" svc status 2>&1", 1, "connections to the supervisor")
	r.want("root", "timeout 60 fate-installer svc status", 0, "fate-rollsite")
	r.want("root", "timeout 60 fate-installer svc restart fate-fateboard", 0, "")
	r.run("host", "systemctl", "stop", "hold")
}

// slowHeaders has the service user send headers that do not end, on all the connections that it may have.
func (r rows) slowHeaders() {
	r.run("host", "sh", "-c", "systemd-run -q --unit=slow --uid=app --property=StandardOutput=file:/tmp/slow "+
		venvPython+" /home/app/client.py slow 32")
	r.await("the headers are sent", func() bool { return r.succeeds("host", "grep -q slow /tmp/slow") })
	r.want("root", "timeout 60 fate-installer svc status", 0, "fate-rollsite")
	r.await("the slow clients are cut off", func() bool { return r.succeeds("host", "grep -q taken /tmp/slow") })
	r.want("app", "cat /tmp/slow", 0, "\n0 of 32 are taken")
}

func (r rows) deepFile() {
	r.write("host", "/root/hostile.py", `
for name, text in {
    "deep": "[" * 200000,
    "aliases": "a: &a0 [x]\n" + "".join("b%d: &a%d [%s]\n" % (i, i, ", ".join(["*a%d" % (i - 1)] * 9)) for i in range(1, 60)),
    "wide": "a: [" + "1, " * 300000 + "1]\n",
    "braces": "{a: " * 100000,
}.items():
    open("/root/%s.yaml" % name, "w").write(text)
    open("/root/%s.lock.yaml" % name, "w").write(text)
`)
	r.want("root", venvPython+" /root/hostile.py", 0, "")
	const cluster, lock = " config check --config ", " bundle build --out /root/hostile.out --lock "
	for _, c := range []struct{ args, text string }{
		{cluster + "/root/deep.yaml", "collections are inside one another"},
		{cluster + "/root/aliases.yaml", "/root/aliases.yaml"},
		{cluster + "/root/wide.yaml", "/root/wide.yaml"}, {lock + "/root/deep.lock.yaml",
			"collections are inside one another"},
		{lock + "/root/aliases.lock.yaml", "/root/aliases.lock.yaml"},
		{lock + "/root/braces.lock.yaml", "/root/braces.lock.yaml"},
	} {
		r.want("root", "ulimit -v 4000000; "+programFile+c.args+" 2>&1", 2, c.text)
	}
	r.terminated(cluster, lock)
}

// terminated ends the program while it reads a hostile file, and while it waits for the rest of one. What is deaf to
// TERM is killed, which gives another exit status.
func (r rows) terminated(commands ...string) {
	for _, after := range []string{"0.01", "0.03", "0.1", "0.3"} {
		for i, args := range commands {
			file := []string{"/root/wide.yaml", "/root/wide.lock.yaml"}[i]
			_, code, err := r.try("host", "sh", "-c", fmt.Sprintf("timeout -s TERM -k 30 %s %s%s%s", after,
				programFile, args, file))
			if err != nil || code == 137 {
				r.t.Errorf("TERM after %s s does not end%s%s: exit status %d, %v", after, args, file, code, err)
			}
		}
	}
	r.want("root", "mkfifo /root/fifo; (head -c 100 /root/deep.yaml; exec sleep 90) >/root/fifo 2>/dev/null & "+
		"timeout -s TERM -k 30 1 "+programFile+
		" config check --config - </root/fifo 2>&1; code=$?; kill $!; exit $code", 124, "")
}

func (r rows) unsigned() {
	r.want("root", installerFile+" bundle verify 2>&1", 0, "not signed")
	r.want("root", installerFile+" install --role host --party 10000 --require-signature 2>&1", 2,
		"no public key is known")
}

// signed checks signatures with the installed program, which is trusted: the medium's own program may say anything.
func (r rows) signed() {
	const verify = programFile + " bundle verify --pubkey /root/%s.pub /root/%s 2>&1"
	r.want("root", "cd /root && for k in maker other; do "+programFile+
		" bundle keygen --no-password --out $k || exit; done", 0, "")
	r.want("root", programFile+" bundle sign --key /root/maker.key --out /root/signed "+installerFile, 0, "")
	r.want("root", fmt.Sprintf(verify, "maker", "signed"), 0, "signed with key ")
	r.want("root", fmt.Sprintf(verify, "other", "signed"), 4, ", not with ")
	r.want("root", fmt.Sprintf(verify, "maker", "fate-installer"), 4, "it is not signed")
	r.want("root", "/root/signed install --role host --party 10000 --pubkey /root/other.pub 2>&1", 4, ", not with ")
	r.want("root", "cp /root/signed /root/replaced && printf x | dd of=/root/replaced bs=1 seek=1000000 conv=notrunc",
		0, "")
	r.want("root", fmt.Sprintf(verify, "maker", "replaced"), 4, "program")
	r.want("root", programFile+" bundle sign --key /root/other.key --out /root/resigned /root/signed && "+
		fmt.Sprintf(verify, "maker", "resigned"), 4, ", not with ")
	r.run("host", "rm", "-f", "/root/signed", "/root/replaced", "/root/resigned")
}

func (r rows) refused() {
	r.want("root", installerFile+" check --role host --party 10000 --user root 2>&1", 2, "root")
	r.t.Logf("the database listens at %s", r.query("host", "SELECT @@bind_address"))
	if out := r.run("host", "cat", "/proc/net/tcp"); strings.Contains(out, " 00000000:0CEA ") {
		r.t.Error("the database listens at all addresses")
	}
	r.want("root", venvPython+` -c "
import tarfile
t = tarfile.open('/root/keys.tar.gz', 'w:gz')
for i in range(200000): t.addfile(tarfile.TarInfo('f%d' % i))
t.close()"`, 0, "")
	r.want("root", "ulimit -v 4000000; "+installerFile+" keys install /root/keys.tar.gz 2>&1", 2, "keys.tar.gz")
	const journal = "/data/projects/common/fate-installer/journal"
	r.want("root", "cp -a "+journal+" /root/journal && : >"+journal, 0, "")
	r.want("root", installerFile+" install --role host --party 10000 2>&1", 5, "journal")
	r.want("root", "cp -a /root/journal "+journal, 0, "")
	r.archives()
}

// archives builds from archives whose parts share bytes, or come twice.
func (r rows) archives() {
	r.write("host", "/root/make.py", `
import struct, zlib, io, os
text = b"x" * 1000
head = (zlib.crc32(text), len(text), len(text))
os.makedirs("/root/a", exist_ok=True)
body = b"PK\3\4" + struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 0, *head, 5, 0) + b"f0000" + text
central = b"".join(b"PK\1\2" + struct.pack("<HHHHHHIIIHHHHHII", 20, 20, 0, 0, 0, 0, *head, 5, 0, 0, 0, 0, 0, 0) + b"f%04d" % i for i in range(2000))
open("/root/a/a.zip", "wb").write(body + central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 2000, 2000, len(central), len(body), 0))
import tarfile
def tar(name, text):
    out = io.BytesIO(); t = tarfile.open(fileobj=out, mode="w:gz"); i = tarfile.TarInfo(name); i.size = len(text)
    t.addfile(i, io.BytesIO(text)); t.close(); return out.getvalue()
def ar(members):
    out = b"!<arch>\n"
    for name, data in members:
        out += b"%-16s%-12d%-6d%-6d%-8s%-10d\x60\n" % (name, 0, 0, 0, b"100644", len(data)) + data + b"\n" * (len(data) % 2)
    return out
data = tar("./f", b"x")
control = tar("./control", b"Package: p\nArchitecture: all\nDescription: x\n")
open("/root/a/a.deb", "wb").write(ar([(b"debian-binary", b"2.0\n"), (b"control.tar.gz", control), (b"data.tar.gz", data), (b"data.tar.gz", data)]))
for kind in ("zip", "deb"):
    open("/root/a/%s.lock.yaml" % kind, "w").write("schema: 1\nrelease: {fate: 1.11.4, platform: linux/amd64}\ncomponents:\n  - {name: a, version: 1, sources: [{path: a.%s}]}\n" % kind)
`)
	r.want("root", venvPython+" /root/make.py", 0, "")
	build := "cd /root/a && " + programFile + " bundle lock %[1]s.lock.yaml 2>&1 && " + programFile +
		" bundle build --lock %[1]s.lock.yaml --out /root/a/out 2>&1"
	for kind, text := range map[string]string{"zip": "shares its data with entry", "deb": "second data member"} {
		out, code := r.as("root", fmt.Sprintf(build, kind))
		if code == 0 || !strings.Contains(out, text) {
			r.t.Errorf("%s: exit status %d, output without %q:\n%s", kind, code, text, out)
		}
	}
}
