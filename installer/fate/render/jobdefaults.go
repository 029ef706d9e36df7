package render

import (
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/yamltext"
)

func renderJobDefaults(s *cluster.Spec) ([]File, error) {
	if !s.Runs(cluster.FateFlow) || !s.Profile.HasJobDefaults() {
		return nil, nil
	}
	content, err := yamltext.Encode(s.JobSettings())
	if err != nil {
		return nil, err
	}
	return []File{{
		Path: s.Layout.JobDefaultsPath(), Content: content, Perm: permConfig, Component: "fateflow",
		Programs: running(s, cluster.FateFlow),
	}}, nil
}
