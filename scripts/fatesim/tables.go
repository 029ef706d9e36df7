package fatesim

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"fate-installer/installer/schema"
)

// Files of the stand-ins that depend on the release.
const (
	modelsFile      = "fateflow/python/fate_flow/models.json"
	metaFile        = "eggroll/conf/create-eggroll-meta-tables.sql"
	flowUpgrade     = "fate/deploy/upgrade/sql/1.9.0-1.11.1.sql"
	eggrollUpgrade  = "eggroll/conf/upgrade-to-2.5.X.sql"
	processorOption = "processor_option"
)

// files gives the files of all components, the sources in Java among them.
func (r Release) files() (map[string][]byte, error) {
	files := make(map[string][]byte)
	err := fs.WalkDir(sources, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[name], err = sources.ReadFile(name)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	files[envFile] = r.env()
	if files[modelsFile], err = r.models(); err != nil {
		return nil, err
	}
	if files[metaFile], err = r.meta(files[metaFile]); err != nil {
		return nil, err
	}
	for name, part := range map[string]schema.Part{flowUpgrade: schema.Flow, eggrollUpgrade: schema.Eggroll} {
		has, since := r.FATE, "1.11.2"
		if part == schema.Eggroll {
			has, since = r.Eggroll, "2.5.3"
		}
		if schema.Older(has, since) {
			delete(files, name) // upstream's package has it from then on
		}
	}
	return files, nil
}

// models describes the tables of FATE-Flow that its stand-in creates when they are missing, and whose columns it reads
// and writes by their names.
func (r Release) models() ([]byte, error) {
	v, err := schema.Of(schema.Flow, r.FATE)
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(v.Tables, "", " ")
}

var createTable = regexp.MustCompile(`(?s)CREATE TABLE IF NOT EXISTS (\w+) \(.*?;\n`)

// meta is the script that makes eggroll's tables, without those and the column that came with eggroll 2.5.
func (r Release) meta(newest []byte) ([]byte, error) {
	v, err := schema.Of(schema.Eggroll, r.Eggroll)
	if err != nil {
		return nil, err
	}
	has := make(map[string]schema.Table)
	for _, t := range v.Tables {
		has[t.Name] = t
	}
	text := createTable.ReplaceAllStringFunc(string(newest), func(statement string) string {
		t, known := has[createTable.FindStringSubmatch(statement)[1]]
		if !known {
			return ""
		}
		var kept strings.Builder
		for line := range strings.Lines(statement) {
			column, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if column != processorOption || (&t).Has(processorOption) {
				kept.WriteString(line)
			}
		}
		return kept.String()
	})
	if len(has) == 0 || !strings.Contains(text, "server_node") {
		return nil, fmt.Errorf("%s has no tables for eggroll %s", metaFile, r.Eggroll)
	}
	return []byte(text), nil
}
