package cause

import (
	"regexp"
	"slices"
	"sync"
)

// anywhere is a line that means the same in every log and answer of the job.
func anywhere(lines string) Pattern {
	return Pattern{Line: expression(lines), fixed: fixedParts(lines)}
}

// only is a line that means something in evidence of one kind.
func only(kind Kind, lines string) Pattern {
	return Pattern{Kinds: []Kind{kind}, Line: expression(lines), fixed: fixedParts(lines)}
}

// expression is compiled when it is first needed: most commands look for no cause.
func expression(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// table has every cause that is known, most likely first: what brings about other failures is before them.
var table = slices.Concat(hostCauses, databaseCauses, workerCauses, dataCauses, partyCauses, programCauses, endCauses)

// hostCauses lie in the machine.
var hostCauses = []Cause{
	{
		// ENOSPC in every language; MySQL errors 1021, 1114 and, of 8.0, 3675 for a full disk.
		ID: "disk-full", Title: "a disk is full",
		Explanation: "A program could not write. Jobs write logs, tables and models below the base directory; the " +
			"database ends or waits when it has no room.",
		Remedy: "df -h /data, then make room: old job logs are in /data/logs/fate/fateflow and " +
			"/data/logs/fate/eggroll, one directory for each job or session. fate-installer svc status, then run " +
			"the job again",
		Patterns: []Pattern{
			anywhere(`No space left on device|Errno 28\b|[Dd]isk full|\((?:1021|1114|3675),|` +
				`[Tt]he table '[^']*' is full`),
			only(Machine, `^file system .* is full`),
			only(Program, `No space left on device|disk full`),
		},
	},
	{
		// EMFILE and EAGAIN in the words of Python, Java, the C library, MySQL and the shell. Java calls a thread that
		// it cannot make an OutOfMemoryError, so that this comes first.
		ID: "limit-reached", Title: "a limit on open files, processes or threads is reached",
		Explanation: "A program could not open a file or start a thread because the limit of its user, of its " +
			"control group or of the machine is reached.",
		Remedy: "fate-installer check shows the limits and what they should be; fate-installer install sets those that " +
			"it manages. Programs take new limits up when they are started again: fate-installer svc restart all",
		Patterns: []Pattern{
			anywhere(`Too many open files|Errno 24\b|[Ee]rrcode: 24\b|unable to create (?:new )?native thread|` +
				`can't start new thread|fork: (?:retry: )?Resource temporarily unavailable|` +
				`Can't create (?:a new )?thread`),
			only(Program, `limit on processes and threads`),
		},
	},
	{
		// The kernel's own words (mm/oom_kill.c), Python's, Java's and the C library's.
		ID: "out-of-memory", Title: "a program ran out of memory",
		Explanation: "The kernel ended a process of the job, or a process got no more memory. A worker takes 60 " +
			"to 280 MiB, more with large tables, and there are as many as the job asks cores for.",
		Remedy: "run fewer jobs at once, give jobs fewer cores (--task-cores, or " +
			"clustermanager.cores_per_node in the cluster file), or give the host memory; fate-installer check " +
			"shows what the programs of this host need",
		Patterns: []Pattern{
			anywhere(`\bMemoryError|Cannot allocate memory|std::bad_alloc|java\.lang\.OutOfMemoryError|oom-kill|` +
				`[Oo]ut of memory`),
			only(Machine, `[Oo]ut of memory: Killed process|oom-kill:`),
		},
	},
}

// workerCauses keep eggroll from starting the processes of a job.
var workerCauses = []Cause{
	{
		// ClusterManager.scala of eggroll 2.5.
		ID: "processors-time-zone", Title: "eggroll took a new session for an old one: time zones differ",
		Explanation: "clustermanager compares the time at which the database says the session was made with its " +
			"own clock. With a time zone in the database's address that is not the server's, a new session looks " +
			"hours old and is killed.",
		Remedy: "fate-installer plan shows whether eggroll.properties differs from what is installed; " +
			"fate-installer install renders it. With an outside database compare SELECT NOW() with date on this host",
		Patterns: []Pattern{anywhere(`status stay at [A-Z]+ too long`)},
	},
	{
		// eggroll's scripts start, stop and look for workers with these.
		ID: "processors-tools", Title: "the host lacks a program that eggroll's scripts call",
		Explanation: "eggroll stops workers with ps, grep, awk, xargs and kill, and looks every 10 s with ps " +
			"whether they run. Without them it takes running workers for dead, and workers that should stop stay.",
		Remedy: "install procps, findutils, grep and gawk or mawk on this host (fate-installer check names " +
			"what is missing), then fate-installer svc restart fate-nodemanager",
		Patterns: []Pattern{
			anywhere(`\b(?:ps|kill|xargs|awk|grep|bash): (?:command )?not found|change status RUNNING_ERROR|` +
				`session watcher kill eggpair session`),
			only(Machine, `^the program \S+ is not on this host`),
		},
	},
	{
		// glibc's loader, and Python when it loads an extension.
		ID: "processors-library", Title: "a shared library is missing",
		Explanation: "A worker or a python extension could not be loaded because a library of the system is not " +
			"there, or is too old.",
		Remedy: "fate-installer check names the libraries that are missing on this host and the packages " +
			"that have them; then fate-installer svc restart fate-nodemanager fate-fateflow",
		Patterns: []Pattern{anywhere(`error while loading shared libraries|cannot open shared object file|` +
			`version .(?:GLIBC|GLIBCXX|CXXABI)_[\d.]+. not found`)},
	},
	{
		ID: "python-module", Title: "a python module is missing or incomplete",
		Explanation: "The python environment has not what the component imports. FATE's neural networks and " +
			"SecureBoost need torch; an environment that was built without it has an empty module or none.",
		Remedy: "build the appliance with all of FATE's requirements (fate-installer bundle build says which " +
			"wheels it took), and install it on every host of the party",
		Patterns: []Pattern{anywhere(`ModuleNotFoundError|No module named |ImportError: cannot import name|` +
			`AttributeError: module '[^']*' has no attribute`)},
	},
	{
		// Before 2.5 eggroll never looks whether a nodemanager is there; 2.5.3 does 30 to 60 s after its last sign of
		// life.
		ID: "node-away", Title: "a host of this party does not answer",
		Explanation: "A job that was planned on a nodemanager whose host went off hangs, and cannot be stopped. New " +
			"jobs are planned on the other nodemanagers from half a minute to a minute after it went away; those " +
			"that read tables of which it has partitions fail until it is back.",
		Remedy: "switch the host on, or look at the firewall in between; there: fate-installer svc status. The " +
			"nodemanager gets jobs again by itself. When the host is not to come back, take it out of " +
			"nodemanager.ips of " +
			"the cluster file and install again. fate-installer svc restart fateflow ends jobs that hang",
		Patterns: []Pattern{only(Program, `^fate-nodemanager is away: `)},
	},
	{
		ID: "eggroll-away", Title: "eggroll does not answer",
		Explanation: "clustermanager or a nodemanager was not ready when the job needed it.",
		Remedy: "fate-installer svc why fate-clustermanager, then svc why fate-nodemanager on every host " +
			"that has one; a nodemanager that does not answer keeps jobs from starting",
		Patterns: []Pattern{
			only(Program, `^fate-(?:clustermanager|nodemanager) is `),
			anywhere(`no HEALTHY nodemanager|Failed to call command: .*(?:cluster-manager|` +
				`node-manager)/.*caused by: .*status = StatusCode\.UNAVAILABLE`),
		},
	},
}

// dataCauses lie in what the job asks for.
var dataCauses = []Cause{
	{
		// fate_flow/utils/data_utils.py, manager/data_manager.py and components/reader.py.
		ID: "table-not-uploaded", Title: "the table that the job reads is not there",
		Explanation: "Each party uploads its own table, under the name and namespace that the job names for it.",
		Remedy: "upload it at the party and role that the lines above name (for the minimal test: " +
			"fate-installer test min --upload there), or correct name and namespace in the job",
		Patterns: []Pattern{anywhere(`can not found table name: |no found table:? |can not get table`)},
	},
	{
		// federatedml/util/abnormal_detection.py; federatedml/statistic/intersect logs the count.
		ID: "ids-do-not-match", Title: "the parties have no common id",
		Explanation: "The intersection of both tables is empty, so nothing is left to train on.",
		Remedy: "compare the first column of both tables: the same kind of id, written and hashed the same " +
			"way, and head and id_delimiter of the upload as the file has them",
		Patterns: []Pattern{anywhere(`Count of data_instance is 0|intersect(?:ion|_count|` +
			`_num)?[^\n]{0,40}\b(?:is empty|is 0\b)|no intersect(?:ion)? ids?\b`)},
	},
	{
		// fate_flow/controller/job_controller.py, check_parameters.
		ID: "cores-too-many", Title: "the job asks for more cores than the party has",
		Explanation: "FATE-Flow takes no job that wants more than cores_per_node times the number of nodemanagers.",
		Remedy: "give the job fewer cores (task_cores, or --task-cores of the tests), or raise " +
			"clustermanager.cores_per_node in the cluster file",
		Patterns: []Pattern{anywhere(`max cores per job is `)},
	},
	{
		// fate_flow/manager/resource_manager.py logs the attempt; the records say who has the cores.
		ID: "no-cores-left", Title: "no cores are left",
		Explanation: "The job waits until the cores of its party, cores_per_node times the number of " +
			"nodemanagers, are free. FATE-Flow starts waiting jobs in the order in which they came.",
		Remedy: "wait for the job that has the cores, or stop it (flow job stop -j JOBID); raise " +
			"clustermanager.cores_per_node when the hosts have more; fate-installer job clean ends jobs that only " +
			"seem to run",
		Patterns: []Pattern{
			anywhere(`(?i)apply job resource\(cores .* failed|job apply resource failed`),
			only(State, `^it waits for |cores are in use`),
		},
	},
}

// partyCauses lie between the parties.
var partyCauses = []Cause{
	{
		// Router.scala of rollsite.
		ID: "route-missing", Title: "a rollsite has no route to the party",
		Explanation: "The route table of a rollsite on the way has neither the party nor a default. rollsite " +
			"reads its table again once a minute.",
		Remedy: "fate-installer party list shows the routes here; fate-installer party add ID --ip ADDRESS " +
			"adds one. With an exchange the route is needed there, too",
		Patterns: []Pattern{anywhere(`routing table not have current|touting table not have current|` +
			`is the end of the route of party`)},
	},
	{
		// gRPC, netty and Java when one side speaks TLS and the other does not, or certificates do not fit.
		ID: "tls-mismatch", Title: "the rollsites do not agree on TLS",
		Explanation: "One side speaks TLS to a port that does not, or the other way round, or a certificate is " +
			"not of the authority that the other side trusts, or does not name the address.",
		Remedy: "fate-installer party test ID says which; both sides need the same client_secure and " +
			"server_secure, the port of the route that goes with it (secure_port), and certificates of the same " +
			"authority",
		Patterns: []Pattern{anywhere(`Network closed for unknown reason|SSLHandshakeException|SSLException|` +
			`NotSslRecordException|not an SSL/TLS record|No subject alternative names|No name matching|PKIX path|` +
			`(?:bad_certificate|certificate_unknown|unknown_ca|certificate_required|handshake_failure)|` +
			`HTTP/2 client preface string missing|First received frame was not SETTINGS|Received fatal alert|` +
			`CERTIFICATE_VERIFY_FAILED`)},
	},
	{
		// fate_flow/utils/api_utils.py; RetCode.INCOMPATIBLE_FATE_VER.
		ID: "peer-incompatible", Title: "the other party's FATE is not compatible",
		Explanation: "FATE-Flow answers with retcode 107 to a release that it does not work with: it takes no " +
			"jobs of releases before 1.7.",
		Remedy: "compare fate.env on both sides and install releases that work together; 1.9.1 and 1.11.4 do",
		Patterns: []Pattern{anywhere(`Incompatible FATE versions|INCOMPATIBLE_FATE_VER|'retcode': 107\b|` +
			`retcode 107\b`)},
	},
	{
		ID: "peer-refuses", Title: "the other party refuses this one",
		Explanation: "Authentication or permissions are switched on at a FATE-Flow (retcode 108 or 109).",
		Remedy: "the other party grants this one what it asks for, or gives it the keys: authentication and " +
			"permission in its service_conf.yaml",
		Patterns: []Pattern{anywhere(`permission check failed|(?:PERMISSION_ERROR|` +
			`AUTHENTICATION_ERROR): 10[89]|'retcode': 10[89]\b|retcode 10[89]\b|site_signature`)},
	},
	{
		// gRPC of python: the own rollsite or clustermanager refuses; of Java, quoted by rollsite: the next hop does.
		ID: "rollsite-away", Title: "this party's rollsite does not answer",
		Explanation: "FATE-Flow and workers reach other parties through their own rollsite.",
		Remedy:      "fate-installer svc why fate-rollsite on rollsite's host",
		Patterns: []Pattern{
			only(Program, `^fate-rollsite is `),
			anywhere(`failed to connect to all addresses`),
		},
	},
	{
		ID: "peer-unreachable", Title: "the other party cannot be reached",
		Explanation: "A rollsite on the way could not connect to the next one: it does not run, the address in " +
			"the route is wrong, or a firewall is in between.",
		Remedy: "fate-installer party test ID tries the way there and back and says where it ends; " +
			"fate-installer party list shows the addresses",
		Patterns: []Pattern{anywhere(`UNAVAILABLE: io exception|StatusCode\.UNAVAILABLE|Connection refused|` +
			`No route to host|Network is unreachable|[Cc]onnect(?:ion)? timed out|` +
			`DEADLINE_EXCEEDED|Deadline Exceeded|check rollSite and fateflow network connectivity|rpc request error`)},
	},
}

// programCauses lie in FATE's own programs; their evidence often goes with that of causes above.
var programCauses = []Cause{
	{
		// The supervisor's words, and those of this program. It comes after what lines of the job show: a job writes
		// until the last block is taken, and then it says so itself.
		ID: "disk-nearly-full", Title: "a disk is nearly full",
		Explanation: "Less is free than the reserve of a file system, 512 MiB or 5 % of a small one. A job that " +
			"writes more fails, and leaves room again when its tables are removed, so that the disk is not full " +
			"afterwards.",
		Remedy: "df -h /data, then make room: old job logs are in /data/logs/fate/fateflow and " +
			"/data/logs/fate/eggroll, one directory for each job or session. fate-installer check shows the reserve, " +
			"fate-installer svc status whether it is free again",
		Patterns: []Pattern{only(Machine, `^(?:the )?file system of .* is nearly full`)},
	},
	{
		// SessionManager.scala and eggroll/core/session.py.
		ID: "processors-not-started", Title: "eggroll's workers did not start",
		Explanation: "eggroll waits 180 s for the workers of a session. They did not start, ended at once, or " +
			"could not tell clustermanager that they run.",
		Remedy: "the worker's own output says why: the files bootstrap-* and egg_pair-* in the directory of " +
			"the session below /data/logs/fate/eggroll. fate-installer check looks for missing tools and " +
			"libraries; fate-installer svc why fate-nodemanager",
		Patterns: []Pattern{anywhere(`unable to start all processors|no enough active processors|` +
			`processor in session met?a is not valid|processor in session mate is not va`)},
	},
	{
		// fate_flow/detection/detector.py.
		ID: "task-executor-ended", Title: "the process of a task has ended without a word",
		Explanation: "FATE-Flow looks for the processes of running tasks and stops the job when one is gone: it " +
			"was killed, by the kernel, by hand, or with FATE-Flow, whose restart ends the tasks it runs.",
		Remedy: "fate-installer svc why fate-fateflow shows restarts; dmesg shows what the kernel killed. " +
			"Run the job again; fate-installer job clean ends tasks that only seem to run",
		Patterns: []Pattern{
			anywhere(`task executor process abort|process \d+ does not exist|detect cluster instance status failed`),
			only(State, `tasks? (?:is|are) still recorded as running`),
		},
	},
	{
		// fate_flow/utils/xthread.py writes that the number is exceeded for every call once all workers are started;
		// only the length of the queue tells that none is free.
		ID: "flow-workers-taken", Title: "FATE-Flow has no free worker",
		Explanation: "FATE-Flow has five workers for each processor. A job that hangs keeps one, also when what it " +
			"waits for is back. Without a free one no job can be submitted, started or stopped.",
		Remedy: "fate-installer svc restart fateflow ends the jobs that hang and frees the workers; heal: " +
			"{fate_flow: true} in the cluster file does this without being asked",
		Patterns: []Pattern{
			only(Program, `no free worker`),
			anywhere(`number of max workers \d+ has been exceeded, worker queue size is (?:[3-9]|\d\d)`),
		},
	},
	{
		ID: "flow-away", Title: "FATE-Flow does not answer",
		Explanation: "The FATE-Flow that schedules or runs the job is not ready.",
		Remedy: "fate-installer svc why fate-fateflow; fate-installer svc restart fate-fateflow when it runs " +
			"but does not answer",
		Patterns: []Pattern{
			only(Program, `^fate-fateflow is `),
			only(State, `^FATE-Flow does not answer`),
		},
	},
}

// endCauses are how a job was ended when nothing else is known.
var endCauses = []Cause{
	{
		ID: "timed-out", Title: "the job took longer than it may",
		Explanation: "FATE-Flow stopped the job at its time limit (timeout in the job's parameters, or of " +
			"FATE-Flow's job_default_config.yaml), or because it did not start.",
		Remedy: "give the job more time or more cores; fate-installer job why --follow JOBID on a job that " +
			"runs shows which component takes it",
		Patterns: []Pattern{
			only(State, `^it is recorded as timeout`),
			anywhere(`because of (?:running|start) timeout`),
		},
	},
	{
		ID: "canceled", Title: "the job was canceled",
		Explanation: "It was stopped at one of the parties: flow job stop, FATE-Board, or a test of this " +
			"program whose time was over.",
		Remedy: "run it again; the initiator's fateflow/logs/fate_flow/fate_flow_audit.log has the request",
		Patterns: []Pattern{
			only(State, `^it is recorded as canceled`),
			anywhere(`job have cancel signal|request stop job to canceled`),
		},
	},
}
