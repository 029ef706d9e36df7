package main

import (
	"fate-installer/installer/adopt"
)

// exampleTheirs and exampleOurs are values of a key.
var exampleTheirs, exampleOurs = "500", "100"

// adoptDocument is the document of adopt --plan.
var adoptDocument = jsonDocument{
	commands: []string{"adopt --plan"},
	sentence: "What was found, and what taking the host over would do. No value of a password is in it. " +
		"The exit code is 3 when there are obstacles.",
	example: adoptOutput{adopt.Plan{
		Base: "/data", Found: []string{"/data/projects/fate/fate.env"}, Role: "host",
		RoleFrom: "/data/projects/fate/eggroll/conf/eggroll.properties:25", Party: 10000, IP: "192.168.0.1",
		IPFrom:   "/data/projects/fate/conf/service_conf.yaml:25",
		Versions: []adopt.Version{{Component: "fate", Version: "1.9.2", From: "/data/projects/fate/fate.env:1"}},
		Upgrade:  adopt.Upgrade{Possible: true, Why: "upstream has the SQL of each step from 1.9.2 to 1.11"},
		Links:    []adopt.Link{{Path: "/data/projects/fate/eggroll", Target: "/data2/eggroll"}},
		Programs: []adopt.Program{{Name: "fate-fateflow",
			File:    "/data/projects/common/supervisord/supervisord.d/fate-fateflow.conf",
			Command: "/bin/bash /data/projects/fate/fateflow/bin/service.sh starting", User: "app",
			Takeover: adopt.TakeoverKeep, Why: "process 950 is the program itself",
			Processes: []adopt.Process{{PID: 950, Parent: 900, User: "app", Command: []string{"python"},
				Variables: map[string]string{"LANG": "C"}}}}},
		Supervisor: &adopt.OldSupervisor{PID: 900, Conf: "/data/projects/common/supervisord/supervisord.conf",
			HTTP: "127.0.0.1:9001"},
		Boot: []adopt.Boot{{File: "/var/spool/cron/app", Line: 1, Text: "*/5 * * * * check.sh", Starts: true}},
		Differences: []adopt.Difference{{File: "/data/projects/fate/conf/service_conf.yaml", Line: 36,
			Key: "database.max_connections", Theirs: &exampleTheirs, Ours: &exampleOurs, By: "operator"}},
		Files: []adopt.FileState{{File: "/data/projects/fate/conf/service_conf.yaml", Action: "keep", Compared: true,
			Differences: 1}},
		Secrets: []adopt.FoundSecret{{Name: "mysql_user", File: "/data/projects/fate/conf/service_conf.yaml", Line: 33,
			Key: "database.passwd", Published: true, Taken: true}},
		Leftovers: []string{"/data/temp/check.py"},
		Keys: &adopt.Keys{Files: []adopt.KeyFile{{File: "/data/projects/data/fate/keys/host-ca.pem",
			Expires: exampleTime}}, Problems: []string{}, Remarks: []string{}},
		Values: []adopt.Origin{{Key: "host.partyid", Value: "10000",
			From: "/data/projects/fate/eggroll/conf/eggroll.properties:14"}},
		ClusterFile: "host:\n  partyid: 10000\n", Dropped: []adopt.Dropped{{Origin: adopt.Origin{
			Key: "host.rollsite.port", Value: "70000", From: "eggroll.properties:13"}, Why: "a port ends at 65535"}},
		Assumptions: []adopt.Assumption{{What: "host", Why: "no file says so", Next: "--role guest"}},
		Obstacles:   []adopt.Obstacle{{What: "the database is in /data3/mysql", Next: "move it"}},
		Skipped:     []adopt.Skipped{{File: "/etc/rc.local", Why: "permission denied"}}, Notes: []string{},
	}, "adopted.yaml"},
}
