package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"fate-installer/installer/audit"
	"fate-installer/installer/exit"
	"fate-installer/installer/redact"
)

func newHistoryCommand(g *globals) *cobra.Command {
	lines := 0
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List who changed what on this host",
		Long: `List the commands that changed this host, and the requests to the supervisor that changed what runs: who (the user, and
who logged in when that is another one), when, the command line without secrets, and the result. history show prints all of
one entry with what the command has printed.

The record is in projects/common/fate-installer/history below --base. Only root can read it; lines are only added, and are
on the disk before the command goes on. It keeps the last 5 MiB of lines and the output of the last 100 commands, 512 KiB
of each. uninstall --purge-data removes it.

EXIT STATUS
  0    done
  1    unexpected error, as when you are not root
  2    wrong usage`,
		Example: `  fate-installer history
  fate-installer history -n 20 -o json
  fate-installer history show 20261129-142233-0a1b2c`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return runHistory(g, lines) },
	}
	cmd.Flags().IntVarP(&lines, "lines", "n", 50, "show the last `N` entries; 0 shows all")
	cmd.AddCommand(&cobra.Command{
		Use:   "show ID",
		Short: "Show one entry with what the command has printed",
		Long: `Show one entry of the history with what the command has printed.

EXIT STATUS
  0    done
  1    unexpected error, as when you are not root
  2    there is no such entry`,
		Example: `  fate-installer history show 20261129-142233-0a1b2c`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return exit.With(exit.Hint(errors.New("name one entry"), "fate-installer history lists them"),
					exit.Usage)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return runHistoryShow(g, args[0]) },
	})
	return cmd
}

// historyOutput is the JSON document of history.
type historyOutput struct {
	Entries []audit.Entry `json:"entries"` // the oldest first
}

// readHistory reads the entries of this host. Nothing is recorded for a directory tree, and --root is refused.
func readHistory(g *globals) (audit.Log, []audit.Entry, error) {
	log := historyOf(g.layout())
	entries, err := log.Entries()
	if err != nil {
		return log, nil, fmt.Errorf("cannot read the history: %w", err)
	}
	return log, entries, nil
}

func runHistory(g *globals, lines int) error {
	_, entries, err := readHistory(g)
	if err != nil {
		return err
	}
	if lines > 0 {
		entries = entries[max(0, len(entries)-lines):]
	}
	if g.Output == outputJSON {
		if entries == nil {
			entries = []audit.Entry{}
		}
		return g.printJSON(historyOutput{entries})
	}
	t := g.newTable("ID", "BEGAN", "TOOK", "WHO", "RESULT", "WHAT")
	for _, e := range entries {
		took := "-"
		if d, ended := e.Took(); ended {
			took = shortDuration(d)
		}
		t.row(e.ID, e.Began.Local().Format("2006-01-02 15:04:05"), took, who(&e), resultText(&e), whatText(&e))
	}
	return t.flush()
}

func who(e *audit.Entry) string {
	switch {
	case e.UID < 0:
		return "TCP"
	case e.Login != "":
		return e.User + " (" + e.Login + ")"
	}
	return e.User
}

func resultText(e *audit.Entry) string {
	if e.Exit != nil && *e.Exit != 0 {
		return e.Result + " (" + strconv.Itoa(*e.Exit) + ")"
	}
	return e.Result
}

// whatText is the command; for a request to the supervisor, what was asked for and by which command.
func whatText(e *audit.Entry) string {
	if e.Action == "" {
		return e.Command
	}
	if e.Command == "" {
		return e.Action
	}
	return e.Action + " <- " + e.Command
}

// historyShowOutput is the JSON document of history show.
type historyShowOutput struct {
	Entry  audit.Entry `json:"entry"`  // the entry that was named
	Output string      `json:"output"` // what the command printed; blank when it is not kept
}

func runHistoryShow(g *globals, id string) error {
	log, entries, err := readHistory(g)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.ID != id {
			continue
		}
		output, err := log.Output(id)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot read what the command has printed: %w", err)
		}
		if g.Output == outputJSON {
			return g.printJSON(historyShowOutput{e, string(output)})
		}
		ended := "no end is recorded: it runs, or it was killed"
		if !e.Ended.IsZero() {
			d, _ := e.Took()
			ended = e.Ended.Local().Format(time.RFC3339) + ", after " + shortDuration(d)
		}
		g.printf("id:      %s\nwho:     %s, uid %d, pid %d\nwhat:    %s\nbegan:   %s\nended:   %s\nresult:  %s\n",
			e.ID, redact.Printable(who(&e)), e.UID, e.PID, redact.Printable(whatText(&e)),
			e.Began.Local().Format(time.RFC3339), ended, resultText(&e))
		if e.Error != "" {
			g.printf("error:   %s\n", redact.Printable(e.Error))
		}
		if len(output) > 0 {
			g.raw("\n" + string(output))
		}
		return nil
	}
	return exit.With(exit.Hint(fmt.Errorf("there is no entry %q in the history", id),
		"fate-installer history -n 0 lists all"), exit.Usage)
}
