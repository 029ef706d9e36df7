package main

import "fate-installer/installer/gc"

func init() { jsonDocuments = append(jsonDocuments, gcDocuments...) }

// gcDocuments is that of gc.
var gcDocuments = []jsonDocument{
	{
		commands: []string{"gc"},
		sentence: "What was removed, or with `--dry-run` would be.",
		example: gcOutput{
			DryRun: true, Bytes: 24576,
			Kinds: []gcKind{{gc.Jobs, 1, 24576, exampleTime, exampleTime}},
			Items: []gc.Item{{Kind: gc.Jobs, Path: "/data/projects/fate/fateflow/jobs/202611290938001234560",
				Job: "202611290938001234560", Bytes: 24576, Modified: exampleTime}},
			Left: []gc.Left{{Kind: gc.Models, Reason: "FATE-Flow's tables refer to it", Count: 1, Bytes: 8192,
				Paths: []string{"/data/projects/fate/fateflow/model_local_cache/guest#9999#guest-9999#host-10000#model/" +
					"202611290938001234560"}}},
		},
	},
}
