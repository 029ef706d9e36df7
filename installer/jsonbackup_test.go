package main

import (
	"fate-installer/installer/backup"
)

func init() { jsonDocuments = append(jsonDocuments, backupDocuments...) }

// backupDocuments are those of backup and restore.
var backupDocuments = []jsonDocument{
	{
		commands: []string{"backup create"},
		sentence: "The backup that was made.",
		example:  backupCreateOutput{exampleBackup, []string{}},
	},
	{
		commands: []string{"backup verify"},
		sentence: "A backup that is whole. The exit code is 4 when it is not.",
		example:  backupVerifyOutput{exampleBackup, true},
	},
	{
		commands: []string{"backup inspect"},
		sentence: "What a backup says of itself.",
		example:  exampleBackup,
	},
	{
		commands: []string{"backup list"},
		sentence: "The backups in a directory.",
		example: backupListOutput{"/var/backups/fate",
			[]listedBackup{{exampleBackup.File, exampleBackup.Bytes, "", exampleBackup.Contents}}},
	},
	{
		commands: []string{"restore"},
		sentence: "What was restored.",
		example:  restoreOutput{exampleBackup.Contents, true, false, 1, []string{}},
	},
}

// exampleBackup describes a backup.
var exampleBackup = backupOutput{
	File: "/var/backups/fate/fate-host-10000-node1-20261129T142233Z.fatebackup", Bytes: 73400320, Digest: exampleDigest,
	Contents: &backup.Manifest{
		Schema: backup.Schema, ID: "20261129T142233Z-5f3a9c01", Made: exampleTime, Program: "1.2.0", Host: "node1",
		Role: "host", Party: 10000, IP: "192.168.0.1", FATE: "1.11.4", Components: map[string]string{"fate": "1.11.4"},
		Encryption: backup.ByPassphrase,
		Database: &backup.Database{Flavour: "mariadb", Version: "10.11.14", Schema: "fate_flow",
			Tables: []backup.Table{{Name: "t_job", Rows: 12}}, Bytes: 20480, Jobs: 12, Models: 3},
		Trees:     []backup.Tree{{Name: "model_local_cache", Files: 42, Bytes: 1048576}},
		Unread:    []string{},
		NotBacked: []string{"logs"},
	},
}

// exampleBackups are a host's that are made by a schedule.
var exampleBackups = backupReport{
	Schedule: &backup.Schedule{Schema: 1, Every: backup.Daily, At: "02:30", Since: exampleTime.AddDate(0, -1, 0),
		Out: "/var/backups/fate", Keep: 7, PassphraseFile: "/root/backup-passphrase",
		Recipients: []string{"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"}},
	Success: &backup.Success{Time: exampleTime, File: exampleBackup.File, Bytes: exampleBackup.Bytes,
		Digest: exampleDigest},
	Failure: &backup.Failure{Time: exampleTime.AddDate(0, 0, -1),
		Reason: "no backup was made: the database does not answer"},
}

func init() {
	next := exampleTime.AddDate(0, 0, 1)
	jsonDocuments = append(jsonDocuments, jsonDocument{
		commands: []string{"backup schedule"},
		sentence: "How this host makes backups by itself, and how the last ones ended.",
		example:  backupScheduleOutput{true, true, &next, []string{}, exampleBackups},
	})
}
