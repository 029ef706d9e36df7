package database

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/host"
	"fate-installer/scripts/mysqlserver"
)

// BenchmarkInit makes data directories in pairs, once as a copy of the one that the component carries and once by the
// server, in alternating order, and reports the seconds of each: the median, the least and the most. Five pairs of one
// server: go test ./installer/database -run '^$' -bench 'Init/MySQL_8.0.15' -benchtime 5x
func BenchmarkInit(b *testing.B) {
	for _, source := range mysqlserver.Sources() {
		b.Run(source.Name, func(b *testing.B) {
			server := source.ForTest(b)
			h, err := host.New("/", nil)
			if err != nil {
				b.Fatal(err)
			}
			defer h.Close()
			s := Server{Flavour: FlavourMySQL, Home: server.Home, LibraryPath: server.LibraryPath}
			if server.MariaDB {
				s.Flavour = FlavourMariaDB
			}
			s.Program, _ = filepath.Rel(server.Home, server.Program())
			carryForBenchmark(b, h, s)
			took := map[string][]float64{}
			for i := range b.N {
				kinds := []string{"copied", "made"}
				if i%2 == 1 {
					slices.Reverse(kinds)
				}
				for _, kind := range kinds {
					took[kind] = append(took[kind], timeInit(b, h, s, kind == "copied"))
				}
			}
			for kind, seconds := range took {
				slices.Sort(seconds)
				b.ReportMetric(seconds[len(seconds)/2], kind+"-median-s")
				b.ReportMetric(seconds[0], kind+"-min-s")
				b.ReportMetric(seconds[len(seconds)-1], kind+"-max-s")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func carryForBenchmark(b *testing.B, h *host.Host, s Server) {
	b.Helper()
	file := filepath.Join(s.Home, TemplateFile)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.Fatal(err)
	}
	out, err := os.Create(file)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	s.Data = b.TempDir()
	if err := s.WriteTemplate(b.Context(), h, nil, out); err != nil {
		b.Fatal(err)
	}
}

// timeInit returns the seconds that a new data directory takes.
func timeInit(b *testing.B, h *host.Host, s Server, copied bool) float64 {
	b.Helper()
	s.Data = filepath.Join(b.TempDir(), "mysql")
	if !copied {
		hidden := filepath.Join(s.Home, TemplateFile)
		if err := os.Rename(hidden, hidden+".hidden"); err != nil {
			b.Fatal(err)
		}
		defer func() {
			if err := os.Rename(hidden+".hidden", hidden); err != nil {
				b.Fatal(err)
			}
		}()
	}
	begin := time.Now()
	if err := (Init{Server: s, RootPassword: testRootPassword}).Apply(context.Background(),
		&engine.Env{Host: h}); err != nil {
		b.Fatal(err)
	}
	return time.Since(begin).Seconds()
}
