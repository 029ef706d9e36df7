package main

import "fate-installer/installer/diagnosis"

// diagnoseDocument is the document of diagnose.
var diagnoseDocument = jsonDocument{
	commands: []string{"diagnose"},
	sentence: "The archive that was written.",
	example: diagnoseReport{"fate-diagnose-node1-20261129T142233Z.tar.gz", []string{},
		[]diagnosisEntry{{"version.json", 96}},
		[]diagnosis.LeftOut{{Name: "logs/fate/eggroll/rollsite.log", Bytes: 90_112, Why: leftEnds}},
		[]string{"status.json: the supervisor is not running"}},
}

// analyzeDocument is the document of diagnose --analyze.
var analyzeDocument = jsonDocument{
	commands: []string{"diagnose --analyze"},
	sentence: "What is wrong with a host, the most likely cause first. The exit code is 3 when something was found.",
	example: diagnosis.Report{Bundle: "fate-diagnose-node1-20261129T142233Z.tar.gz", Host: "node1", Base: "/data",
		Made: exampleTime, Version: "1.0.0", Missing: []string{},
		Findings: []diagnosis.Finding{{ID: "disk-full", Severity: diagnosis.Fault, Title: "a disk is full",
			Explanation: "A program could not write.", Remedy: "df -h /data, then make room",
			Evidence: []diagnosis.Evidence{{File: "facts.json", Line: 143,
				Text: "file system of /data/logs is full: 1.0 MiB are free"}}}}},
}
