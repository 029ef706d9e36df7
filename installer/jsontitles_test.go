package main

import (
	"reflect"

	"fate-installer/installer/adopt"
	"fate-installer/installer/audit"
	"fate-installer/installer/cause"
	"fate-installer/installer/deploy"
	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/diagnosis"
	"fate-installer/installer/engine"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/job"
	"fate-installer/installer/peer"
	"fate-installer/payload"
	"fate-installer/supervisor"
	"fate-installer/supervisor/rpc"
)

// objectTitles names objects whose types have the same name as another one.
var objectTitles = map[reflect.Type]string{
	reflect.TypeFor[adopt.Origin]():           "value with its place",
	reflect.TypeFor[supervisor.Status]():      "program status",
	reflect.TypeFor[supervisor.Finding]():     "link of a chain",
	reflect.TypeFor[supervisor.ExitInfo]():    "exit of a process",
	reflect.TypeFor[supervisor.Asked]():       "request",
	reflect.TypeFor[rpc.Failure]():            "failed program",
	reflect.TypeFor[cause.Finding]():          "cause",
	reflect.TypeFor[cause.Evidence]():         "evidence",
	reflect.TypeFor[diagnosis.Evidence]():     "place in a diagnosis",
	reflect.TypeFor[peer.Result]():            "result of a connection check",
	reflect.TypeFor[engine.Outcome]():         "step outcome",
	reflect.TypeFor[engine.SurveyLine]():      "planned step",
	reflect.TypeFor[engine.Remaining]():       "remaining item",
	reflect.TypeFor[engine.ServiceStatus]():   "installed program",
	reflect.TypeFor[audit.Entry]():            "history entry",
	reflect.TypeFor[payload.File]():           "stored file",
	reflect.TypeFor[cluster.Value]():          "setting",
	reflect.TypeFor[programs.Absence]():       "waiting program",
	reflect.TypeFor[deploy.ComponentChange](): "component change",
	reflect.TypeFor[deploy.Tree]():            "component tree",
	reflect.TypeFor[deploy.OutsideLeft]():     "outside database",
	reflect.TypeFor[job.Report]():             "job report",
	reflect.TypeFor[job.Task]():               "task",
	reflect.TypeFor[job.FailedTask]():         "failed task",
	reflect.TypeFor[deploy.SecretsLeft]():     "host with former secrets",
	reflect.TypeFor[listedSecret]():           "secret",
	reflect.TypeFor[job.Listed]():             "job",
	reflect.TypeFor[job.Stale]():              "stale job",
	reflect.TypeFor[moduleState]():            "module instance",
}

// commandsWithoutJSON lists the other commands, with what they print.
var commandsWithoutJSON = map[string]string{
	"keys check":       "prints nothing; its exit code says whether the keys can be used",
	"keys install":     "prints nothing; its exit code says whether it is done",
	"svc run":          "is the supervisor itself, and prints its log",
	"svc logs":         "prints the log as it is",
	"svc metrics":      "prints the text format of Prometheus",
	"svc shutdown":     "prints nothing; its exit code says whether it is done",
	"svc upgrade-self": "prints nothing; its exit code says whether it is done",
	"svc install":      "prints nothing; its exit code says whether it is done",
	"svc uninstall":    "prints nothing; its exit code says whether it is done",
}
