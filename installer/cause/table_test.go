package cause

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// known are lines as FATE, eggroll and their libraries have written them, and what each shows. Every cause of the table
// has at least one. Where a line has further causes after the first, they are not named here.
var known = []struct {
	first string // cause that has to be the first
	kind  Kind
	line  string
}{
	{"disk-full", Log, `OSError: [Errno 28] No space left on device: '/data/projects/fate/fateflow/logs/202611290000000000010'`},
	{"disk-full", Task, `peewee.InternalError: (3675, "Create table/tablespace 'x' failed, as disk is full")`},
	{"disk-full", Eggroll, `java.sql.SQLException: The table 'session_main' is full`},
	{"disk-full", Machine, `file system of /data/logs is full: 0 B are free`},
	{"disk-nearly-full", Machine, `file system of /data is nearly full: 101.5 MiB are free, below the reserve of 512 MiB`},
	{"disk-nearly-full", Machine,
		`the file system of /data is nearly full: 1200 more files can be made, below the reserve of 2000`},
	{"limit-reached", Log, `OSError: [Errno 24] Too many open files: '/data/logs/fate/x'`},
	{"limit-reached", Eggroll, `java.lang.OutOfMemoryError: unable to create native thread: possibly out of memory`},
	{"database-refuses-host", Log,
		`pymysql.err.OperationalError: (1130, "Host '192.168.0.2' is not allowed to connect to this MySQL server")`},
	{"database-refuses-host", Eggroll, `Host '192.168.0.2' is blocked because of many connection errors`},
	{"database-damaged", Log, `[ERROR] [MY-011971] [InnoDB] InnoDB: Database page corruption on disk or a failed file read`},
	{"out-of-memory", Session, `OSError: [Errno 12] Cannot allocate memory`},
	{"out-of-memory", Eggroll, `java.lang.OutOfMemoryError: Java heap space`},
	{"out-of-memory", Machine,
		`2026-11-29 04:26:11 Out of memory: Killed process 4711 (python) total-vm:8123456kB, anon-rss:4123456kB`},
	{"wrong-password", Log, `pymysql.err.OperationalError: (1045, "Access denied for user 'fate'@'192.168.0.1' (using password: YES)")`},
	{"wrong-password", Log, `kazoo.exceptions.NoAuthError`},
	{"database-schema", Refused,
		`peewee.OperationalError: (1054, "Unknown column 't1.f_is_deepspeed' in 'field list'")`},
	{"database-schema", Eggroll, `java.sql.SQLException: Column 'processor_option' not found.`},
	{"database-connections", Task, `pymysql.err.OperationalError: (1040, 'Too many connections')`},
	{"model-store-lock", Task, `Exception: failed to acquire lock sync_model_guest_9999_202611290000000000010`},
	{"database-away", Log, `peewee.OperationalError: (2003, "Can't connect to MySQL server on '192.168.0.1' ([Errno 111] Connection refused)")`},
	{"database-away", Task, `pymysql.err.OperationalError: (2013, 'Lost connection to MySQL server during query')`},
	{"database-away", Eggroll, `com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure`},
	{"database-away", Program, `fate-mysql is STOPPED: not ready`},
	{"zookeeper-away", Log, `fate_flow.errors.error_services.ZooKeeperBackendError: ZooKeeper backend error: ConnectionLoss()`},
	{"zookeeper-away", Log, `kazoo.handlers.threading.KazooTimeoutError: Connection time-out`},
	{"processors-time-zone", Eggroll,
		`[INFO] session ErSessionMeta(x,,NEW,2,0,,,2026-11-28 20:26:11.0,) status stay at NEW too long ,prepare to kill`},
	{"processors-tools", Session, `bin/eggroll_boot.sh: line 78: xargs: command not found`},
	{"processors-tools", Eggroll, `processor 17 change status RUNNING_ERROR`},
	{"processors-tools", Machine, `the program ps is not on this host`},
	{"processors-library", Session,
		`ImportError: libgomp.so.1: cannot open shared object file: No such file or directory`},
	{"processors-library", Session, "python: /lib64/libc.so.6: version `GLIBC_2.28' not found (required by python)"},
	{"python-module", Session, `ModuleNotFoundError: No module named 'federatedml'`},
	{"python-module", Refused, `AttributeError: module 'torch' has no attribute 'nn'`},
	{"table-not-uploaded", Task, `RuntimeError: can not found table name: breast_hetero_guest namespace: experiment`},
	{"ids-do-not-match", Task,
		`ValueError: Count of data_instance is 0: <fate_arch.computing.eggroll._table.Table object at 0x7f7555f33a58>`},
	{"cores-too-many", Refused,
		`RuntimeError: max cores per job is 4 base on (fate_flow/settings#MAX_CORES_PERCENT_PER_JOB * conf/service_conf.yaml#nodes), expect 8 cores`},
	{"no-cores-left", Log, `[INFO] apply job resource(cores 4 memory 0) on guest 9999 failed, remaining cores: 0 remaining memory: 0`},
	{"no-cores-left", State, `4 of 4 cores are in use (cores_per_node 4, nodemanagers 1) by job 202611290000000000010 (guest 9999, 4 cores)`},
	{"route-missing", Refused, ` location msg=The routing table not have current party=9998 and default party`},
	{"route-missing", Refused, `details = "The routing table not have current party=9999"`},
	{"tls-mismatch", Refused, ` location msg=UNAVAILABLE: Network closed for unknown reason`},
	{"tls-mismatch", Eggroll, `Caused by: javax.net.ssl.SSLHandshakeException: No subject alternative names matching IP address 192.168.0.1 found`},
	{"peer-incompatible", Refused,
		`{'host': {10000: {'retcode': 107, 'retmsg': 'Incompatible FATE versions', 'data': {'src_fate_ver': '1.6.1'}}}}`},
	{"peer-incompatible", Refused, `retcode 107`},
	{"peer-refuses", Refused, `{'host': {10000: {'retcode': 108, 'retmsg': 'permission check failed'}}}`},
	{"rollsite-away", Program, `fate-rollsite is FATAL: not ready`},
	{"rollsite-away", Refused, `details = "failed to connect to all addresses"`},
	{"peer-unreachable", Refused, ` location msg=UNAVAILABLE: io exception`},
	{"peer-unreachable", Eggroll, `Caused by: java.net.ConnectException: Connection refused: /192.168.1.1:9370`},
	{"node-away", Program, `fate-nodemanager is away: 192.168.0.2:4671 does not answer: dial tcp 192.168.0.2:4671: i/o timeout`},
	{"eggroll-away", Program, `fate-nodemanager is STOPPED: not ready`},
	{"eggroll-away", Task, `eggroll.core.client.CommandCallError: ('Failed to call command: CommandURI(_uri=v1/cluster-manager/session/getOrCreateSession) to endpoint: 192.168.0.1:4670, caused by: ', <_InactiveRpcError of RPC that terminated with: status = StatusCode.UNAVAILABLE details = "failed to connect to all addresses"`},
	{"processors-not-started", Task,
		`ErSessionException: unable to start all processors for session id: '202611290000000000010_hetero_lr_0_0_guest_9999'. total processors: 2, started count: 0`},
	{"processors-not-started", Task,
		`ValueError: processor in session meta is not valid: <ErSessionMeta(id=202302141527214917740_secure_add_example_0_0_guest_9227, name=, status=ERROR, tag=, processors=[***, len=1])>`},
	{"task-executor-ended", Log,
		`detector request start to stop job 202611290000000000010, because of task executor process abort`},
	{"task-executor-ended", Log, `task x 0 on guest 9999 with running process 4711 does not exist`},
	{"flow-away", State, `FATE-Flow does not answer: cannot reach fate_flow: context deadline exceeded`},
	{"flow-workers-taken", Log, `the number of max workers 10 has been exceeded, worker queue size is 37`},
	{"flow-workers-taken", Program,
		`fate-fateflow is RUNNING: not ready yet: no free worker: FATE-Flow at 192.168.0.1:9360 has not taken a call within 3s: jobs that hang hold all of them`},
	{"timed-out", State, `it is recorded as timeout`},
	{"timed-out", Log, `detector request start to stop job 202611290000000000010, because of running timeout`},
	{"canceled", State, `it is recorded as canceled`},
}

func TestKnownLinesShowTheirCause(t *testing.T) {
	proven := map[string]bool{}
	for _, k := range known {
		e := Evidence{Kind: k.kind, Where: "x", Text: k.line}
		found := Find([]Evidence{e})
		if len(found) == 0 || found[0].ID != k.first {
			t.Errorf("%s %q shows %v, want %s", k.kind, k.line, ids(found), k.first)
			continue
		}
		proven[k.first] = true
		if len(found[0].Evidence) != 1 || found[0].Evidence[0] != e {
			t.Errorf("%s quotes %v", k.first, found[0].Evidence)
		}
		if k.kind != State && k.kind != Program && k.kind != Machine && !Interesting(k.kind, k.line) {
			t.Errorf("%q would not be kept of a log", k.line)
		}
	}
	for _, c := range table {
		if !proven[c.ID] {
			t.Errorf("no line is known that shows %s", c.ID)
		}
	}
}

// harmless are lines of jobs that succeed.
func TestHarmlessLinesShowNothing(t *testing.T) {
	for _, line := range []string{
		"java.lang.IllegalStateException: unable to stop all processors", // in every job of eggroll 2.5
		"eggroll_boot.sh: line 66: strace: command not found",            // no script depends on it
		"[INFO] apply job resource(cores 4 memory 0) on guest 9999 successfully, remaining cores: 12",
		"java -Xmx512m -XX:+HeapDumpOnOutOfMemoryError -cp x",
		"intersect_count 569 of 569 rows",
		"[INFO] job status is success",
		"[INFO] job resource in use",
		"the number of max workers 10 has been exceeded, worker queue size is 1", // with every call, once ten were made
		"",
	} {
		for _, kind := range []Kind{Refused, Task, Log, Session, Eggroll, State, Program, Machine} {
			if found := Find([]Evidence{{Kind: kind, Text: line}}); len(found) > 0 {
				t.Errorf("%s %q shows %v", kind, line, ids(found))
			}
		}
	}
}

// TestWhatBringsAboutOthersIsFirst gives the evidence of whole failures, as it comes together.
func TestWhatBringsAboutOthersIsFirst(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first string
		lines []Evidence
	}{
		{"workers lack a module", "python-module", []Evidence{
			{Kind: Task, Text: "ErSessionException: unable to start all processors for session id: 'x'"},
			{Kind: Session, Text: "ModuleNotFoundError: No module named 'numpy'"},
		}},
		{"the disk of the database is full", "disk-full", []Evidence{
			{Kind: Task, Text: `(2013, 'Lost connection to MySQL server during query')`},
			{Kind: Machine, Text: "file system of /data/projects/data/fate is full: 0 B are free"},
			{Kind: Program, Text: "fate-mysql is BACKOFF: not ready"},
		}},
		{"little room is no reason for a refused password", "wrong-password", []Evidence{
			{Kind: Machine, Text: "file system of /data is nearly full: 101 MiB are free, below the reserve of 512 MiB"},
			{Kind: Log, Text: `(1045, "Access denied for user 'fate'@'x' (using password: YES)")`},
		}},
		{"little room, and no line of the job", "disk-nearly-full", []Evidence{
			{Kind: Machine, Text: "file system of /data is nearly full: 101 MiB are free, below the reserve of 512 MiB"},
			{Kind: State, Text: "it is recorded as timeout"},
		}},
		{"a job is stopped since its workers were taken for old", "processors-time-zone", []Evidence{
			{Kind: State, Text: "it is recorded as canceled"},
			{Kind: Task, Text: "ErSessionException: unable to start all processors for session id: 'x'"},
			{Kind: Eggroll, Text: "status stay at NEW too long ,prepare to kill"},
		}},
		{"the database away makes the peer's flow fail", "database-away", []Evidence{
			{Kind: Refused, Text: "Connection refused"},
			{Kind: Refused, Text: `(2003, "Can't connect to MySQL server on 'x'")`},
		}},
	} {
		if found := Find(tt.lines); len(found) < 2 || found[0].ID != tt.first {
			t.Errorf("%s: %v, want %s first", tt.name, ids(found), tt.first)
		}
	}
}

func TestEvidenceIsBoundedAndOfEveryPlace(t *testing.T) {
	var evidence []Evidence
	for _, where := range []string{"a", "b"} {
		for i := range 50 {
			evidence = append(evidence, Evidence{Kind: Log, Where: where,
				Text: strings.Repeat("x", i) + "No space left on device " + where})
		}
	}
	found := Find(evidence)
	if len(found) != 1 || len(found[0].Evidence) > mostEvidence {
		t.Fatalf("%d findings, %d lines", len(found), len(found[0].Evidence))
	}
	if !slices.ContainsFunc(found[0].Evidence, func(e Evidence) bool { return e.Where == "b" }) {
		t.Error("the second place is not named")
	}
}

func TestCodeInTracebacksIsNoEvidence(t *testing.T) {
	for _, line := range []string{`    raise RuntimeError(f"can not found table name: {name}")`,
		`  File "x.py", line 1, in MemoryError`, "\tat java.lang.OutOfMemoryError.of(X.java:1)"} {
		if Interesting(Log, line) {
			t.Errorf("%q is kept", line)
		}
	}
}

func TestTableIsWhole(t *testing.T) {
	form := regexp.MustCompile(`^[a-z]+(?:-[a-z]+)*$`)
	seen := map[string]bool{}
	for _, c := range table {
		if !form.MatchString(c.ID) || seen[c.ID] {
			t.Errorf("cause %q is named badly, or twice", c.ID)
		}
		seen[c.ID] = true
		if c.Title == "" || c.Explanation == "" || c.Remedy == "" || len(c.Patterns) == 0 {
			t.Errorf("cause %s lacks something: %+v", c.ID, c)
		}
	}
	if len(table) < 15 {
		t.Errorf("%d causes", len(table))
	}
}

func TestLinesJoinsWhatGRPCSays(t *testing.T) {
	text := "a\nb: <_InactiveRpcError of RPC that terminated with:\n\tstatus = StatusCode.UNAVAILABLE\n\tdetails = " +
		"\"gone\"\n\tdebug_error_string = \"x\"\n>\r\n"
	want := []string{"a", `b: <_InactiveRpcError of RPC that terminated with: status = StatusCode.UNAVAILABLE details = "gone"`, `	debug_error_string = "x"`, ">", ""}
	if got := Lines(text); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzFind(f *testing.F) {
	for _, k := range known {
		f.Add(string(k.kind), k.line)
	}
	f.Fuzz(func(t *testing.T, kind, line string) {
		for _, found := range Find([]Evidence{{Kind: Kind(kind), Text: line}}) {
			if len(found.Evidence) != 1 || found.Evidence[0].Text != line {
				t.Errorf("%s quotes %v", found.ID, found.Evidence)
			}
		}
	})
}

func ids(found []Finding) []string {
	var out []string
	for _, f := range found {
		out = append(out, f.ID)
	}
	return out
}
