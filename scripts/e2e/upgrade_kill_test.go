//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// journalFile is the installer's record of the steps that it carries out.
const journalFile = "/data/projects/common/fate-installer/journal"

func (b bench) records() int {
	b.t.Helper()
	return b.number(b.run("host", "sh", "-c", "wc -l <"+journalFile))
}

// killScript runs a command and kills it with SIGKILL, at the earliest when so many records were added to the journal,
// it has printed a text and a file is there, and a while after that. It exits with 137 when it has killed the command.
const killScript = `lines=$(( $(wc -l <` + journalFile + `) + $1 )) text=$2 file=$3 after=$4
shift 4
"$@" >/root/killed.out 2>&1 &
pid=$!
exec 2>/dev/null # where the shell says that it was killed
while read -r _ _ state _ </proc/$pid/stat && [ "$state" != Z ]; do
	if [ -e "$file" ] && [ $(wc -l <` + journalFile + `) -ge $lines ] && grep -q -e "$text" /root/killed.out; then
		sleep $after
		kill -KILL $pid
		break
	fi
	sleep 0.005
done
wait $pid
code=$?
cat /root/killed.out
exit $code
`

// moment is when an upgrade is killed.
type moment struct {
	records int    // that it has added to the journal
	says    string // what it has printed
	file    string // that is there
	after   time.Duration
}

func (m moment) String() string {
	after := fmt.Sprintf("%v after ", m.after.Round(time.Millisecond))
	switch {
	case m.says != "":
		return after + strconv.Quote(m.says)
	case m.file == recordFile:
		return after + "the record of SQL statements was made"
	}
	return after + fmt.Sprintf("record %d of the journal", m.records)
}

// recordFile is where the database has the record of the statements that change FATE-Flow's tables. It is made before
// the first of them, which all take some hundredths of a second.
const recordFile = "/data/projects/data/fate/mysql/fate_flow/fate_installer_upgrade.ibd"

// killMoments chooses when to kill upgrades that add so many records to the journal: among the SQL statements, for the
// first upgrade after a rollback; before any record is added, while programs are stopped and while the database is
// copied; and at any record.
func killMoments(random *rand.Rand, records int) func(first bool) moment {
	return func(first bool) moment {
		m := moment{file: "/", after: time.Duration(random.Int64N(int64(300 * time.Millisecond)))}
		switch kind := random.IntN(10); {
		case first:
			m.file, m.after = recordFile, m.after/8
		case kind == 0:
			m.says = "stopping"
		case kind == 1:
			m.says = "keeping a copy of the database"
		default:
			m.records = 1 + random.IntN(records-2) // with the last ones it may end before it is killed
		}
		return m
	}
}

// killUpgrades kills upgrades while they are under way, completes each by the same command, and rolls it back. Some
// are killed more than once.
func (b bench) killUpgrades(before made, records, kills int) {
	trees := b.trees()
	seed := rand.Uint64()
	b.t.Logf("seed %d, %d records", seed, records)
	random := rand.New(rand.NewPCG(seed, 0))
	next := killMoments(random, records)
	for n := 0; n < kills; {
		first := n == 0 || random.IntN(4) == 0
		for again := true; again && n < kills; first = false {
			killed := b.killUpgrade(next(first))
			if killed {
				n++
			}
			again = killed && random.IntN(3) == 0
		}
		out := b.run("host", newerFile, "upgrade", "--no-test")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		b.t.Logf("the same command again: %s", lines[len(lines)-1])
		b.isNewer()
		b.kept(before)
		b.run("host", "fate-installer", "rollback", "--yes", "--no-test")
		b.checkReady("host", modulesOfParty...)
		b.checkVersion("2.4.6")
		now, columns := b.made(), b.columns()
		b.t.Logf("rolled back: %+v", now)
		now.Files = min(now.Files, before.Files) // models of the newer release stay, in files
		if columns != "0" || now != before {
			b.t.Fatalf("after the rollback %s of 3 new columns are there, and %+v, was %+v", columns, now, before)
		}
		b.checkSame("what the former release consists of", trees, b.trees())
	}
}

// trees returns the files of a release, with its settings.
func (b bench) trees() map[string]string {
	b.t.Helper()
	return b.contents("host", []string{"/data/projects/fate"}, "*/__pycache__", "*/model_local_cache",
		"*/fateflow/jobs",
		"*/logs", "*/run", "*/mysql/*/conf/*.pid")
}

// killUpgrade kills an upgrade at a moment, and returns whether it had not ended before.
func (b bench) killUpgrade(m moment) bool {
	b.t.Helper()
	start := time.Now()
	out, code, err := b.try("host", "sh", "-c", killScript, "sh", strconv.Itoa(m.records), m.says, m.file,
		fmt.Sprintf("%.3f", m.after.Seconds()), newerFile, "upgrade", "--no-test")
	if err != nil || code != 137 && code != 0 {
		b.t.Fatalf("upgrade to be killed %s ended with %d, %v:\n%s", m, code, err, out)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	states := strings.Fields(b.states())
	b.t.Logf("upgrade to be killed %s: exit status %d after %.1f s; last words: %s; states of SQL statements: %v",
		m, code, time.Since(start).Seconds(), lines[len(lines)-1], states)
	return code == 137
}

// states lists the states of the statements that are recorded in the database, if it runs.
func (b bench) states() string {
	out, code, err := b.try("host", "sh", "-c", queryScript, "sh",
		"SELECT CONCAT(state, '*', COUNT(*)) FROM fate_flow.fate_installer_upgrade GROUP BY state")
	if err != nil || code != 0 {
		return "not-known"
	}
	return out
}
