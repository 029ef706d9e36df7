package supervisor

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fate-installer/supervisor/process"
)

// The programs under supervision are this test binary executed again: FATE_TEST_CHILD says what to do, one instruction
// after another. Nothing is needed from the machine, and each behaves the same everywhere.
func TestMain(m *testing.M) {
	if script := os.Getenv("FATE_TEST_CHILD"); script != "" {
		runChild(strings.Split(script, ";"))
		os.Exit(0)
	}
	if dir := os.Getenv("FATE_TEST_DAEMON"); dir != "" {
		runTestDaemon(dir)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// runChild carries out instructions such as "say hello" or "listen 127.0.0.1:80".
func runChild(script []string) {
	for _, instruction := range script {
		verb, arg, _ := strings.Cut(strings.TrimSpace(instruction), " ")
		switch verb {
		case "say":
			fmt.Println(arg)
		case "complain":
			fmt.Fprintln(os.Stderr, arg)
		case "listen":
			l, err := net.Listen("tcp", arg)
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					c.Close()
				}
			}()
		case "ignore":
			signal.Ignore(syscall.SIGTERM, syscall.SIGINT)
		case "linger": // after a TERM until a file appears
			terms := make(chan os.Signal, 1)
			signal.Notify(terms, syscall.SIGTERM)
			go func() {
				<-terms
				awaitFile(arg)
				os.Exit(0)
			}()
		case "lose": // every TERM until "heed"
			signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM)
		case "heed":
			signal.Reset(syscall.SIGTERM)
		case "count": // the TERMs that come, and live on
			terms := make(chan os.Signal, 16)
			signal.Notify(terms, syscall.SIGTERM)
			go func() {
				for range terms {
					fmt.Println("term")
				}
			}()
		case "wait":
			d, _ := time.ParseDuration(arg)
			time.Sleep(d)
		case "for": // a file to appear
			awaitFile(arg)
		case "starve": // of threads, with those that makeThreads has made before, or without
			starve(arg == "prepared")
		case "once": // exit 1 the first time only
			if !exists(arg) {
				touch(arg)
				os.Exit(1)
			}
		case "need": // a file, or exit 1
			if !exists(arg) {
				os.Exit(1)
			}
		case "fork": // a child in the same session that does nothing
			spawnChild("sleep", false)
		case "fork-stubborn":
			spawnChild("ignore;sleep", false)
		case "escape": // a grandchild in a session of its own, whose parent is gone
			spawnChild("leave", true)
		case "leave":
			spawnChild("ignore;sleep", true)
			os.Exit(0)
		case "close":
			os.Stdout.Close()
			os.Stderr.Close()
		case "flood":
			n, _ := strconv.Atoi(arg)
			w := bufio.NewWriter(os.Stdout)
			for i := range n {
				fmt.Fprintf(w, "line %07d of a log that fills\n", i)
			}
			w.Flush()
		case "open": // a file, and hold it
			f, err := os.OpenFile(arg, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
			if err != nil {
				panic(err)
			}
			defer f.Close()
		case "env":
			fmt.Println(arg + "=" + os.Getenv(arg))
		case "id":
			groups, _ := os.Getgroups()
			fmt.Println("id", os.Getuid(), os.Getgid(), len(groups))
		case "limits":
			var l syscall.Rlimit
			_ = syscall.Getrlimit(syscall.RLIMIT_CORE, &l)
			mask := syscall.Umask(0)
			score, _ := os.ReadFile("/proc/self/oom_score_adj")
			fmt.Printf("limits core %d umask %03o oom %s", l.Cur, mask, score)
		case "raise":
			n, _ := strconv.Atoi(arg)
			_ = syscall.Kill(os.Getpid(), syscall.Signal(n))
		case "exit":
			n, _ := strconv.Atoi(arg)
			os.Exit(n)
		case "sleep":
			time.Sleep(time.Hour)
		default:
			fmt.Fprintln(os.Stderr, "unknown instruction", verb)
			os.Exit(99)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func awaitFile(path string) {
	for !exists(path) {
		time.Sleep(2 * time.Millisecond)
	}
}

func touch(path string) { _ = os.WriteFile(path, nil, 0o600) }

func spawnChild(script string, setsid bool) {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "FATE_TEST_CHILD=") {
			env = append(env, e)
		}
	}
	p, err := os.StartProcess(exe, []string{exe}, &os.ProcAttr{
		Env: append(env, "FATE_TEST_CHILD="+script), Files: []*os.File{nil, os.Stdout, os.Stderr},
		Sys: &syscall.SysProcAttr{Setsid: setsid},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println("forked", p.Pid)
}

// ownChildren lists the children of this process.
func ownChildren() []int {
	var pids []int
	for _, pid := range process.AllPIDs() {
		if st, err := process.ReadStat(pid); err == nil && st.PPID == os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}
