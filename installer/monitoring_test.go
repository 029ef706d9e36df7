package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// servedMetrics are the names of the metrics that the supervisor serves, by its source.
func servedMetrics(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, file := range []string{"../supervisor/rpc/metrics.go", "certificates.go", "backups.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`fate_[a-z_]+`).FindAllString(string(source), -1) {
			names[name] = true
		}
	}
	if len(names) < 25 {
		t.Fatalf("there are only %d metrics: %v", len(names), names)
	}
	return names
}

// checkExpression refuses an expression with a metric that is not served, or whose brackets do not match.
func checkExpression(t *testing.T, where, expr string, served map[string]bool) {
	t.Helper()
	named := regexp.MustCompile(`fate_[a-z_]+`).FindAllString(expr, -1)
	if len(named) == 0 {
		t.Errorf("%s: %q names no metric", where, expr)
	}
	for _, name := range named {
		if !served[name] {
			t.Errorf("%s: %s is not served", where, name)
		}
	}
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(expr, pair[:1]) != strings.Count(expr, pair[1:]) {
			t.Errorf("%s: the brackets of %q do not match", where, expr)
		}
	}
	if strings.Count(expr, `"`)%2 != 0 {
		t.Errorf("%s: a quote of %q is open", where, expr)
	}
}

// TestMonitoringFiles: the alert rules and the dashboard ask for what is served, and every rule says what is wrong.
func TestMonitoringFiles(t *testing.T) {
	served := servedMetrics(t)
	data, err := os.ReadFile("../release/monitoring/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(data, &rules, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			checkExpression(t, r.Alert, r.Expr, served)
			if seen[r.Alert] || r.Annotations["summary"] == "" || r.Labels["severity"] != "warning" &&
				r.Labels["severity"] != "critical" {
				t.Errorf("%+v comes twice, or lacks its summary or severity", r)
			}
			seen[r.Alert] = true
		}
	}
	if len(seen) < 8 {
		t.Errorf("there are %d rules", len(seen))
	}

	if promtool, err := exec.LookPath("promtool"); err == nil {
		out, err := exec.Command(promtool, "check", "rules", "../release/monitoring/alerts.yaml").CombinedOutput()
		if err != nil {
			t.Errorf("promtool: %v\n%s", err, out)
		}
	}

	data, err = os.ReadFile("../release/monitoring/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("%+v", p)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			checkExpression(t, p.Title, target.Expr, served)
		}
	}
}
