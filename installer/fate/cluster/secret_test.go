package cluster_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"fate-installer/installer/fate/cluster"

	"github.com/rs/zerolog"
)

// secretForms prints, marshals and logs a value in every way a careless line of code would.
func secretForms(t *testing.T, v any) []string {
	t.Helper()
	var log bytes.Buffer
	logger := zerolog.New(&log)
	logger.Info().Interface("v", v).Msg(fmt.Sprint(v))
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return []string{fmt.Sprint(v), fmt.Sprintf("%v", v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v),
		string(data), log.String()}
}

func TestSecretAlone(t *testing.T) {
	type holder struct {
		Open   cluster.Secret
		hidden cluster.Secret
	}
	for _, text := range secretForms(t, holder{cluster.NewSecret("hidden-away"), cluster.NewSecret("hidden-away")}) {
		if bytes.Contains([]byte(text), []byte("hidden-away")) {
			t.Errorf("shown: %s", text)
		}
	}
	if got := cluster.NewSecret("x").Reveal(); got != "x" {
		t.Errorf("Reveal gives %q", got)
	}
	if !cluster.NewSecret("").IsZero() || cluster.NewSecret("").String() != "" {
		t.Error("a blank secret pretends to be one")
	}
}
