package main

import (
	"time"

	"fate-installer/installer/audit"
	"fate-installer/installer/deploy"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/flow"
	"fate-installer/installer/job"
	"fate-installer/installer/peer"
	"fate-installer/installer/problem"
	"fate-installer/installer/report"
	"fate-installer/installer/step"
	"fate-installer/payload"
	"fate-installer/supervisor"
	"fate-installer/supervisor/rpc"
)

// everyCommand heads the document of errors.
const everyCommand = "Every command that fails"

// jsonDocument is the document of one or more commands.
type jsonDocument struct {
	commands []string // without the program's name, with the flag that brings about another document
	sentence string
	example  any
}

// jsonDocuments lists every document with an example. release/docs/json.md is written from it.
var jsonDocuments = []jsonDocument{
	{
		commands: []string{everyCommand},
		sentence: "It prints this document on one line. A command that has printed its own document before it " +
			"fails prints the error to standard error, as text. The exit code says why it failed.",
		example: errorOutput{
			Error: "cluster.yaml:7:3: unknown key \"ipz\"", Hint: "fate-installer config check", ExitCode: exit.Usage,
			Problems: problem.Problems{{
				Pos:     problem.Pos{File: "cluster.yaml", Line: 7, Col: 3},
				Message: "unknown key \"ipz\"", Fix: "did you mean ips?",
			}},
		},
	},
	{
		commands: []string{"install", "upgrade", "rollback"},
		sentence: "What was done, what runs here, and what to do next.",
		example: endReport{
			Role: cluster.RoleHost, Party: 10000, IP: "192.168.0.1", Changed: 81, Unchanged: 3, Elapsed: 94.2,
			Programs: []engine.ServiceStatus{{Name: "fate-mysql", State: "RUNNING", Ready: true, Serving: true}},
			Board:    "http://192.168.0.1:8080", Logs: "/data/logs",
			Journal: "/data/projects/common/fate-installer/journal",
			Next:    "fate-installer test toy", Login: "fate-installer secrets show fateboard", Ports: []openPort{{
				8080, cluster.FateBoard, forViewers, []string{}}},
			Client: &client{User: "app", InitEnv: "/data/projects/fate/bin/init_env.sh", IP: "192.168.0.1", Port: 9380,
				Files: []string{"/data/projects/fate/fate/python/fate_client/pipeline/config.yaml"}},
			Notes: []string{}, Trees: []deploy.Tree{},
			Steps: []engine.Outcome{{
				ID: "user:app", Title: "user app", Status: engine.Changed, Why: "there is no such user",
				Start: 2 * time.Millisecond, Elapsed: 30 * time.Millisecond,
			}},
			Critical: []string{"unpack:/data/projects/fate/eggroll"},
		},
	},
	{
		commands: []string{"plan", "install --dry-run"},
		sentence: "What install would do on this host.",
		example: planReport{
			deploy.Verdict{Command: "upgrade",
				Changes: []deploy.ComponentChange{{Name: "eggroll", From: "2.5.2", To: "2.5.3"}}}, 1,
			engine.Survey{{
				ID: "user:app", Title: "user app", Why: "there is no such user", Describe: "create it", Undoable: true,
			}},
			[]string{},
		},
	},
	{
		commands: []string{"init --out"},
		sentence: "The cluster files that were written. Without `--out DIR` init prints a cluster file, in YAML.",
		example:  initOutput{[]string{"cluster/host.yaml", "cluster/guest.yaml", "cluster/public.yaml"}},
	},
	{
		commands: []string{"config check"},
		sentence: "The cluster files can be used. Mistakes are an error with `problems`.",
		example:  configCheckOutput{true, []string{"cluster.yaml:9:3: the guest has no FATE-Board"}},
	},
	{
		commands: []string{"config show"},
		sentence: "Every setting of the cluster, and what this host is.",
		example: configShowOutput{
			[]cluster.Value{{Path: "host.eggroll.dbname", Value: "eggroll_meta", Origin: "default"}}, []string{},
			&configuredHost{
				cluster.RoleHost, 10000, "192.168.0.1", []cluster.Module{cluster.MySQL, cluster.FateFlow},
				[]cluster.Advice{{
					Key: "host.mysql.buffer_pool", Value: "4G", Used: "4G", Why: "a quarter of 16.0 GiB of memory",
					Applied: true,
				}},
			},
		},
	},
	{
		commands: []string{"config sql"},
		sentence: "SQL statements for the administrator of an outside database.",
		example: configSQLOutput{
			cluster.RoleHost, 10000, []string{"CREATE DATABASE IF NOT EXISTS `fate_flow`;"}},
	},
	{
		commands: []string{"render --out"},
		sentence: "The configuration files that were written.",
		example: renderOutput{"tree", []fileSummary{{
			"/data/projects/fate/conf/service_conf.yaml", "0640", true, "fate", []string{"fate-fateflow"}}}},
	},
	{
		commands: []string{"render --diff"},
		sentence: "The configuration files that differ on this host. The exit code is 3 when some do.",
		example:  renderDiffOutput{[]string{"/data/projects/fate/conf/service_conf.yaml"}},
	},
	{
		commands: []string{"keys"},
		sentence: "The keys and certificates that were written.",
		example:  keysOutput{[]string{"keys/ca/host.pem", "keys/ca/host.key", "keys/host.tar.gz"}},
	},
	{
		commands: []string{"keys request"},
		sentence: "The keys of one side, and the request for its peer.",
		example:  keysRequestOutput{"keys", "keys/host-request.pem", false},
	},
	{
		commands: []string{"keys sign"},
		sentence: "The answer to the request of a peer.",
		example:  keysSignOutput{cluster.RoleGuest, "guest-answer.pem"},
	},
	{
		commands: []string{"keys complete"},
		sentence: "The archive with the completed keys of one side.",
		example:  keysCompleteOutput{"keys/host.tar.gz", []string{}},
	},
	{
		commands: []string{"check"},
		sentence: "What the preflight found. The exit code is 3 when the host is refused, and 4 when install refuses the appliance.",
		example: checkReport{
			"host of party 10000 at 192.168.0.1", 1, 0, 0, []preflight.CheckResult{{
				ID: "port:3306", Title: "port 3306 is free", Status: preflight.StatusRefused,
				Measured: "mariadbd (pid 812) listens", Wanted: "nothing listens",
				Remedy: "systemctl disable --now mariadb"}}, []string{},
			"", []preflight.Hardened{{ID: "hidepid", LookedAt: "option hidepid of /proc", Finding: preflight.NotFound}},
		},
	},
	{
		commands: []string{"check --report"},
		sentence: "The report in a file that ends in .json; standard output has the document of check. Digest and " +
			"signature are of the value of `report`, without blanks and line ends between its parts.",
		example: report.File{Format: 1, Digest: exampleDigest, Report: exampleReport},
	},
	{
		commands: []string{"check --verify-report"},
		sentence: "What a report proves. The exit code is 8 when no signature was checked, and 4 with an error when " +
			"the report was changed or is not signed by the key.",
		example: exampleVerified,
	},
	{
		commands: []string{"bundle lock"},
		sentence: "The digests that were written to the lock file.",
		example: bundleLockOutput{
			"release/fate-1.11.4.lock.yaml",
			[]lockedSource{{"mysql", "https://example.org/mysql.tar.gz", exampleDigest, 429496729, false}}},
	},
	{
		commands: []string{"bundle build"},
		sentence: "The appliance that was built and verified.",
		example: bundleBuildOutput{
			map[string]*payload.Needs{"mysql": {Programs: []string{"libaio.so.1"},
				By: map[string][]string{"libaio.so.1": {"bin/mysqld"}}, Glibc: "2.28"}},
			[]string{"fate-installer-1.11.4-amd64"}, 2147483648, 7, true, []string{}, []string{"mysql"}, 6726, ""},
	},
	{
		commands: []string{"bundle import"},
		sentence: "The lock file that was made from an offline package.",
		example: bundleImportOutput{
			"fate.lock.yaml", "1.11.4", []importedComponent{{"eggroll", "2.5.3"}}, []string{"mysql"},
			[][]string{{"mysql", "mariadb"}}, []string{"README.md"}, []string{}},
	},
	{
		commands: []string{"bundle inspect"},
		sentence: "What an appliance carries: its manifest without the frames. With `--manifest` and `--sbom` the " +
			"document is the manifest or the CycloneDX document itself.",
		example: bundleInspectOutput{
			"fate-installer-1.11.4-amd64", 2147483648, exampleDigest,
			payload.Release{
				FATE: "1.11.4", Platform: "linux/amd64", Revision: 3, Env: map[string]string{"EGGROLL": "2.5.3"},
			},
			payload.Blob{Size: 20971520, SHA256: exampleDigest},
			[]inspectedComponent{{
				Component: payload.Component{
					Name: "eggroll", Version: "2.5.3", License: "Apache-2.0", Size: 104857600, Files: 812, Dirs: 90,
					Digest: exampleDigest, Codec: "zstd", Member: "eggroll.tar.zst", CRC32: 305419896,
				},
				StoredSize: 52428800, FrameCount: 25,
			}},
			[]payload.File{{Name: "sbom.json", Size: 4096, SHA256: exampleDigest, CRC32: 305419896}},
			&inspectedSignature{"F3B5A1C2D4E6F708", "FATE 1.11.4"}},
	},
	{
		commands: []string{"bundle verify"},
		sentence: "Every byte of the appliance is as its manifest says.",
		example: bundleVerifyOutput{
			"fate-installer-1.11.4-amd64", 2147483648, exampleDigest, 7, 980, 1, true, "F3B5A1C2D4E6F708"},
	},
	{
		commands: []string{"bundle verify --part"},
		sentence: "A part of a split appliance is a good copy.",
		example:  bundleVerifyPartOutput{"/media/usb1/appliance.part002", true},
	},
	{
		commands: []string{"bundle extract"},
		sentence: "The components that were extracted.",
		example: bundleExtractOutput{
			[]extractedComponent{{"eggroll", "2.5.3", "/data/projects/fate/eggroll", 812, 104857600}}},
	},
	{
		commands: []string{"bundle keygen"},
		sentence: "The key pair that was made.",
		example: bundleKeygenOutput{"release.key", "release.pub", "F3B5A1C2D4E6F708",
			"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"},
	},
	{
		commands: []string{"bundle sign"},
		sentence: "The appliance that was signed.",
		example:  bundleSignOutput{"fate-installer-1.11.4-amd64", "F3B5A1C2D4E6F708"},
	},
	{
		commands: []string{"svc status"},
		sentence: "The programs of this host. The exit code is 3 when one is not ready or a certificate cannot be " +
			"used. With `--watch` there is a document for each look.",
		example: exampleStatusReport,
	},
	{
		commands: []string{"svc status --all-hosts"},
		sentence: "Every instance of every module of this side, asked over the network. The exit code is 3 when " +
			"one does not answer.",
		example: svcHostsReport{Modules: []moduleState{{
			Host: "192.168.0.1", Module: cluster.FateFlow, Address: "192.168.0.1:9380", Answers: true, State: "1.11.2",
			Registered: &exampleTime, Own: true}}},
	},
	{
		commands: []string{"svc start", "svc stop", "svc restart"},
		sentence: "The programs as they are afterwards. The exit code is 6 when one is not in the requested state.",
		example: svcControlOutput{[]supervisor.Status{exampleStatus},
			[]rpc.Failure{{Name: "fate-fateflow", Text: "did not become ready"}}},
	},
	{
		commands: []string{"svc update", "svc reload"},
		sentence: "The programs whose definitions were taken up; an array is null for none.",
		example:  supervisor.Changes{Changed: []string{"fate-mysql"}},
	},
	{
		commands: []string{"svc why"},
		sentence: "Why a program is not ready. The exit code is 3 then.",
		example: svcWhyReport{[]supervisor.Finding{
			{Name: "fate-fateflow", State: supervisor.Waiting, Text: "waits for fate-mysql"},
			{Name: "fate-mysql", State: supervisor.Fatal, Text: "its port is taken",
				Ports:  []supervisor.PortOwner{{Port: 3306, PID: 812, Command: "/usr/sbin/mariadbd"}},
				Advice: "stop it, then fate-installer svc start mysql", Root: true}}},
	},
	adoptDocument,
	{
		commands: []string{"party list"},
		sentence: "The route table of this side.",
		example: partyListOutput{cluster.RoleExchange, 0, []cluster.PartyRoute{{
			Party: "10000", Route: "default", IP: "192.168.0.1", Port: 9370, Secure: true, From: "cluster.yaml:12"}}},
	},
	{
		commands: []string{"party add", "party remove"},
		sentence: "The routes that were changed.",
		example: partyChangeOutput{
			[]cluster.PartyChange{{Party: "10000", IP: "192.168.0.1", Port: 9370, Secure: true}},
			[]string{"/data/projects/fate/eggroll/conf/route_table.json"}, []string{}, "the rollsite has read it"},
	},
	{
		commands: []string{"party test"},
		sentence: "Whether messages get to the other parties. The exit code is 3 when a check failed.",
		example: partyTestReport{
			exampleTime, cluster.RoleHost, 10000, "192.168.0.1", "1.0.0", true, []peer.Result{{
				Party: "9999", Direction: peer.Out, Address: "192.168.1.1:9370", Check: "tcp",
				Status: peer.OK, Measured: "0.4 ms"}}},
	},
	{
		commands: []string{"secrets list"},
		sentence: "The passwords that this host uses, without their values.",
		example: secretsListOutput{
			cluster.RoleHost, 10000, []listedSecret{{"mysql_fate", "mysql_user", "generated", &exampleTime, false,
				[]string{"fate-fateflow"}, []string{"192.168.0.1"}}}},
	},
	{
		commands: []string{"secrets show"},
		sentence: "The login of FATE-Board. It is not kept in the history.",
		example: secretsShowOutput{Secret: "fateboard", URL: "http://192.168.0.1:8080", User: "admin",
			Password: "correct horse"},
	},
	{
		commands: []string{"secrets rotate"},
		sentence: "The passwords that were changed.",
		example: secretsRotateOutput{
			[]string{"mysql_fate"}, []string{}, []string{"/data/projects/fate/conf/service_conf.yaml"},
			[]string{"fate-fateflow"}, "", []deploy.SecretsLeft{}},
	},
	{
		commands: []string{"uninstall"},
		sentence: "What became of each step.",
		example: uninstallReport{
			engine.UndoReport{Steps: []engine.UndoOutcome{{ID: "user:app", Title: "user app", Status: engine.Undone}}},
			exampleOutside},
	},
	{
		commands: []string{"uninstall --dry-run"},
		sentence: "What an uninstall would do.",
		example:  exampleForeseen,
	},
	{
		commands: []string{"uninstall --verify"},
		sentence: "What is still on this host. The exit code is 3 when something is.",
		example: uninstallVerifyReport{
			[]engine.Remaining{{
				ID: "dir:/data/logs", Title: "directory /data/logs", What: []string{"/data/logs/mysql"},
			}}},
	},
	{
		commands: []string{"history"},
		sentence: "Who changed what on this host, and when.",
		example:  historyOutput{[]audit.Entry{exampleEntry}},
	},
	{
		commands: []string{"history show"},
		sentence: "One entry with what its command printed.",
		example:  historyShowOutput{exampleEntry, "done: 81 changed\n"},
	},
	{
		commands: []string{"test toy"},
		sentence: "The toy job succeeded.",
		example: flow.ToyResult{Job: "202611290938001234560", Status: "success", Sum: 2000,
			Line: "success to calculate secure_sum, it is 2000.0", Elapsed: 41 * time.Second},
	},
	{
		commands: []string{"test min"},
		sentence: "The minimal test succeeded.",
		example: flow.MinResult{Data: "fast", Models: []flow.ModelResult{{
			Algorithm: "hetero_lr", TrainJob: "202611290938001234560", PredictJob: "202611290942001234570", AUC: 0.98}},
			Warnings: []string{}, Elapsed: 9 * time.Minute},
	},
	{
		commands: []string{"test min --upload"},
		sentence: "The data of the minimal test was uploaded.",
		example:  minUploadOutput{true},
	},
	{
		commands: []string{"job why"},
		sentence: "Why a job failed. The exit code says whether a cause is known.",
		example:  exampleJob,
	},
	{
		commands: []string{"job list"},
		sentence: "The latest jobs of this party.",
		example: job.Listing{Jobs: []job.Listed{{
			Job: "202611290938001234560", Status: "success", Roles: []string{"guest"}, Initiator: "guest 9999",
			Submitted: exampleTime, Seconds: 41}}, Stale: []job.Stale{}, Source: "fate_flow", Problems: []string{}},
	},
	{
		commands: []string{"job clean"},
		sentence: "The jobs whose tasks were ended.",
		example:  jobCleanOutput{[]cleanedJob{{"202611290938001234560", 2, "fate_flow"}}},
	},
	diagnoseDocument, analyzeDocument,
	{
		commands: []string{"version"},
		sentence: "The version of this program.",
		example: versionOutput{Version: "1.0.0", Go: "go1.25.4", Platform: "linux/amd64",
			Carried:   &carriedFATE{"1.11.4", "linux/amd64", 3},
			Installed: &installedFATE{"1.11.3", "host", 10000, "/data"}},
	},
	{
		commands: []string{"man"},
		sentence: "A manual page, or with --all those of all commands and the completion for bash.",
		example:  manOutput{[]step.Doc{{Path: "/usr/local/share/man/man1/fate-installer.1", Content: ".TH"}}},
	},
}
