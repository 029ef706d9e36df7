//go:build e2e

package e2e

import (
	"slices"
	"strconv"
	"strings"
)

// queryScript asks the database with the client that comes with MariaDB. MySQL has none: there it is python's, on a
// host that has FATE's python. The server of before an upgrade has a directory, too.
const queryScript = `for server in /data/projects/fate/common/mysql/*/; do
	cd "$server" || exit
	[ ! -S run/mysql.sock ] || break
done
[ ! -x bin/mariadb ] || LD_LIBRARY_PATH=lib exec bin/mariadb --defaults-file=conf/probe.cnf --batch --skip-column-names --execute "$1"
exec /data/projects/fate/common/python/venv/bin/python -c '
import sys, pymysql
with pymysql.connect(read_default_file="conf/probe.cnf") as connection, connection.cursor() as c:
    c.execute(sys.argv[1])
    for row in c.fetchall():
        print(*row, sep="\t")
' "$1"`

// query asks the database with the login that the readiness probe uses.
func (b bench) query(host, statement string) string {
	b.t.Helper()
	return b.run(host, "sh", "-c", queryScript, "sh", statement)
}

// jobs counts the rows of FATE-Flow's job table.
func (b bench) jobs(host string) int {
	b.t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(b.query(host, "SELECT COUNT(*) FROM fate_flow.t_job")))
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// tree lists everything below dirs but what is below prune: type, permissions,
// owners, where links point, and of files the size and the time of the last change.
func (b bench) tree(host string, dirs []string, prune ...string) map[string]string {
	b.t.Helper()
	args := append(findArgs(dirs, prune), "-printf", `%p\t%y %m %u:%g %l\t%s %T@\n`)
	list := make(map[string]string)
	for line := range strings.Lines(b.run(host, args...)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if list[f[0]] = f[1]; strings.HasPrefix(f[1], "f ") {
			list[f[0]] += " " + f[2]
		}
	}
	return list
}

// contents is as tree, but with what is in the files instead of when it was written.
func (b bench) contents(host string, dirs []string, prune ...string) map[string]string {
	b.t.Helper()
	list := b.tree(host, dirs, prune...)
	for path, what := range list {
		list[path] = strings.Join(strings.Fields(what)[:3], " ")
	}
	args := append(findArgs(dirs, prune), "-type", "f", "-exec", "sha256sum", "{}", "+")
	for line := range strings.Lines(b.run(host, args...)) {
		sum, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		list[path] += " " + sum[:12]
	}
	return list
}

func findArgs(dirs, prune []string) []string {
	args := append(append([]string{"find"}, dirs...), "-xdev")
	for _, p := range prune {
		args = append(args, "-path", p, "-prune", "-o")
	}
	return args
}

// checkSame reports what differs between two trees.
func (b bench) checkSame(what string, before, after map[string]string) {
	b.t.Helper()
	var diff []string
	for path, was := range before {
		if is, ok := after[path]; !ok {
			diff = append(diff, "- "+path+" "+was)
		} else if is != was {
			diff = append(diff, "~ "+path+" "+was+" -> "+is)
		}
	}
	for path, is := range after {
		if _, ok := before[path]; !ok {
			diff = append(diff, "+ "+path+" "+is)
		}
	}
	slices.Sort(diff)
	if len(diff) > 0 {
		b.t.Errorf("%s: %d differences\n%s", what, len(diff), strings.Join(diff[:min(len(diff), 40)], "\n"))
	}
}
