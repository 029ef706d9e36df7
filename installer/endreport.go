package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"fate-installer/installer/deploy"
	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/payload/count"
)

// endReport says what a finished install did, what runs here, and what to do next. It is the JSON document of install,
// upgrade and rollback.
type endReport struct {
	Role      cluster.Role           `json:"role"`                  // of this host: host, guest or exchange
	Party     int                    `json:"party"`                 // party ID; 0 for an exchange without one
	IP        string                 `json:"ip"`                    // the address of this host in the cluster
	Changed   int                    `json:"changed"`               // number of steps that changed something
	Unchanged int                    `json:"unchanged"`             // number of steps that were done before
	Elapsed   float64                `json:"elapsed_seconds"`       // of the whole command
	Programs  []engine.ServiceStatus `json:"programs"`              // what runs here; null where nothing is started
	Board     string                 `json:"fateboard,omitempty"`   // the URL of FATE-Board
	Logs      string                 `json:"logs"`                  // the directory of the logs
	Owners    string                 `json:"owners_file,omitempty"` // in a tree: lists the owners of its files
	Journal   string                 `json:"journal"`               // the file of the journal
	Next      string                 `json:"next"`                  // what to do next, as text
	Login     string                 `json:"login,omitempty"`       // the command that shows FATE-Board's login
	// ports that others connect to, with those to let in; null where nothing is started
	Ports      []openPort         `json:"open_ports"`
	OtherHosts []string           `json:"other_hosts,omitempty"` // of the side, which have to be installed, too
	Client     *client            `json:"client,omitempty"`      // how people use FATE's tools here
	Waiting    []programs.Absence `json:"waiting,omitempty"`     // programs that wait for other hosts
	Warnings   []string           `json:"warnings,omitempty"`    // what needs attention, as text
	Notes      []string           `json:"notes"`                 // about the configuration, as text
	Trees      []deploy.Tree      `json:"component_trees"`       // what no component brought, by component
	Steps      []engine.Outcome   `json:"steps"`                 // what became of each step
	// IDs of the steps that made the run as long as it was
	Critical []string `json:"critical_path"`
}

// printEnd reports a successful run.
func printEnd(ctx context.Context, g *globals, d *deploy.Deployment, result *deploy.Result, elapsed time.Duration,
	mode fate.Mode) error {
	spec := d.Spec()
	end := endReport{
		Role: spec.Role, Party: spec.PartyID, IP: spec.IP,
		Changed: result.Count(engine.Changed), Unchanged: result.Count(engine.Unchanged), Elapsed: elapsed.Seconds(),
		Logs: d.Layout().Logs(), Journal: d.JournalPath(), Next: g.runnable("fate-installer svc status"),
		Waiting: result.Waiting, Warnings: result.Warnings, Notes: d.Notes().Texts(), Steps: result.Steps,
		Critical: result.Critical,
	}
	switch {
	case mode == fate.ModeInstall:
		end.Next = g.runnable("fate-installer install --mode config")
	case d.Live():
		if err := addRunning(ctx, g, spec, result, &end); err != nil {
			return err
		}
		if err := addNext(d, &end); err != nil {
			return err
		}
	default:
		end.Owners = host.OwnersFile
		end.Next = "give the files these owners, boot it, and run the same command there without --root"
	}
	if g.Output == outputJSON {
		var err error
		if end.Trees, err = d.ForeignFiles(); err != nil {
			return err
		}
		if err := g.printJSON(end); err != nil {
			return err
		}
	} else {
		printEndText(g, end)
	}
	if len(end.Waiting) > 0 {
		return exit.With(&programs.WaitError{Absences: end.Waiting}, exit.NotReady)
	}
	return nil
}

// addRunning adds what runs on this host now.
func addRunning(ctx context.Context, g *globals, spec *cluster.Spec, result *deploy.Result, end *endReport) error {
	programs, err := result.Programs(ctx)
	if err != nil {
		return fmt.Errorf("cannot tell what runs now: %w", err)
	}
	end.Programs = programs
	runs := func(m cluster.Module) bool {
		return slices.ContainsFunc(programs, func(s engine.ServiceStatus) bool { return s.Name == m.Program() })
	}
	if runs(cluster.FateFlow) {
		end.Next = g.runnable("fate-installer test toy")
	}
	if runs(cluster.FateBoard) {
		end.Board, end.Login = boardURL(spec), g.runnable(showLogin)
		if lacksPage(ctx, end.Board) {
			end.Warnings = append(end.Warnings, "FATE-Board has no page: its API answers, and "+end.Board+
				"/ is not found; the jar was built without its front end")
		}
	}
	return nil
}

// pageTimeout bounds the look at FATE-Board's page, which is ready when it is asked for.
const pageTimeout = 5 * time.Second

// lacksPage reports whether a FATE-Board answers that it has no page.
func lacksPage(ctx context.Context, board string) bool {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, board+"/", nil)
	if err != nil {
		return false
	}
	client := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return false // whether it is ready is said elsewhere
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusNotFound
}

// printEndText prints the report for people.
func printEndText(g *globals, end endReport) {
	for _, w := range end.Warnings {
		g.printf("warning: %s\n", w)
	}
	if end.Changed == 0 {
		g.printf("nothing to do: %s unchanged (%.1fs)\n", count.Of(end.Unchanged, "step"), end.Elapsed)
		return
	}
	g.printf("done: %d changed, %d unchanged (%.1fs)\n\n", end.Changed, end.Unchanged, end.Elapsed)
	if len(end.Programs) > 0 {
		t := g.newTable("PROGRAM", "STATE", "READY")
		for _, p := range end.Programs {
			t.row(p.Name, p.State, strconv.FormatBool(p.Ready))
		}
		_ = t.flush() // a report that cannot be printed changes nothing about what was done
		g.printf("\n")
	}
	if end.Board != "" {
		g.printf("fateboard  %s\n           user and password: %s\n", end.Board, end.Login)
	}
	if end.Owners != "" {
		g.printf("owners     %s, in the tree\nnext       %s\n", end.Owners, end.Next)
		return
	}
	g.printf("logs       %s\nprograms   %s\n", end.Logs, g.runnable("fate-installer svc status"))
	if end.Ports != nil {
		printNext(g, end)
	}
	g.printf("next       %s\n", end.Next)
}

// tellEnd reports the end of a run that was successful.
func tellEnd(g *globals, d *deploy.Deployment, started time.Time, mode fate.Mode) deploy.Tell {
	return func(ctx context.Context, result *deploy.Result) error {
		return printEnd(ctx, g, d, result, time.Since(started), mode)
	}
}
