// Command fate-installer is the whole product in one file: it checks a host, installs a party of a FATE cluster on it
// from the payload it carries, keeps the party's processes running, and builds such files in the first place.
//
// This package holds the command line and nothing else: cmd_<verb>.go has one verb as an options struct and a run
// function, ui.go what a person sees. The work is done by the packages below and next to it;
// deps_test.go says which may import which, and why.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"fate-installer/installer/deploy"
	"fate-installer/installer/exit"
	"fate-installer/installer/host"
	"fate-installer/installer/language"
	"fate-installer/installer/step"
	"fate-installer/installer/tools"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

// globals are the flags common to all commands and the streams they use. Tests make their own.
type globals struct {
	Config   []string // cluster files, in order; "-" is stdin
	Role     string
	Party    int
	IP       string
	Base     string
	User     string
	Group    string
	Output   string
	Yes      bool
	LogLevel string
	Root     string
	Payload  string
	Lang     string

	sources []deploy.Source // what Config names, once it was read

	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer

	display      *display      // of what is being done, on standard error; nil: see shows
	quiet        bool          // print results, warnings and errors only
	interruption *interruption // of this command, by a signal; nil in tests that execute none
	recording    *recording    // of this command in the history; nil when it changes nothing
	printed      bool          // the JSON document was printed

	language *language.Language                            // of what people see; nil: English
	getenv   func(name string) string                      // for the locale; nil in tests, which have none
	spoken   string                                        // its name, also where the command speaks English
	speech   func(l *language.Language) *language.Language // nil but in tests, which listen to what is said

	args        []string         // the command line, without the program
	interrupted <-chan struct{}  // closed by a signal
	opened      func(*host.Host) // nil but in tests, which make changes fail

	// Zero but in tests, which repeat a run change by change:
	executable string                         // the file of this program; blank: that of the process
	parallel   int                            // how many steps run at once; 0: as many as the engine likes
	docs       func(digest string) []step.Doc // manual pages of any program; nil: see docsOf
}

// openHost opens the machine, or the tree that --root names.
func (g *globals) openHost() (*host.Host, error) {
	h, err := host.New(g.Root, nil)
	if err != nil {
		return nil, exit.With(err, exit.Usage)
	}
	if g.opened != nil {
		g.opened(h)
	}
	return h, nil
}

func main() {
	if status, ok := tools.Run(os.Args); ok { // called by the name of a tool, see package tools
		os.Exit(status)
	}
	surviveClosedPipes()
	g := &globals{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, getenv: os.Getenv}
	ctx, stop := g.untilSignal(context.Background())
	code := execute(ctx, g, os.Args[1:])
	stop()
	os.Exit(code)
}

// execute runs one command line and returns the process's exit code.
func execute(ctx context.Context, g *globals, args []string) int {
	g.args, g.interrupted = args, ctx.Done()
	if g.interruption == nil {
		g.interruption = &interruption{}
	}
	result := g.useStreams()
	root := rootFor(g, args)
	g.chooseLanguage(root, args)
	g.describe(root, args)
	root.SetArgs(args)
	root.SetIn(g.Stdin)
	root.SetOut(g.Stdout)
	root.SetErr(g.Stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && asksForJSON(args) {
		g.Output = outputJSON // a wrong flag before it ended the parsing
	}
	if lost := result.lost(); lost != nil {
		g.Output = outputText // standard output takes no document
		if err == nil {
			err = lost
		}
	}
	g.display.end()
	code := exit.CodeOf(ctx, err)
	if code == exit.Interrupted {
		err = g.withInterruption(err)
	}
	if err != nil && err.Error() != "" {
		printError(g, err, code)
	}
	if g.recording != nil {
		g.recording.end(code, err)
	}
	return code
}

// asksForJSON reports whether a command line that may have wrong flags has -o json.
func asksForJSON(args []string) bool { return formatOf(args) == outputJSON }

// formatOf is the value of the last --output of a command line that may have wrong flags.
func formatOf(args []string) (format string) {
	for i, arg := range args {
		next := ""
		if i+1 < len(args) {
			next = args[i+1]
		}
		switch {
		case arg == "--":
			return format
		case arg == "-o" || arg == "--output":
			format = next
		case strings.HasPrefix(arg, "--output="):
			format = strings.TrimPrefix(arg, "--output=")
		case strings.HasPrefix(arg, "-o"):
			format = strings.TrimPrefix(strings.TrimPrefix(arg, "-o"), "=")
		}
	}
	return format
}

// rootFor builds the part of the command tree that a command line needs: the supervisor starts a probe every few
// seconds, which needs none of the other commands.
func rootFor(g *globals, args []string) *cobra.Command {
	if len(args) > 1 && args[0] == "svc" {
		probes := newProbeCommands(g)
		if slices.ContainsFunc(probes, func(c *cobra.Command) bool { return c.Name() == args[1] }) {
			svc := newServicesCommand()
			svc.AddCommand(probes...)
			return newRoot(g, svc)
		}
	}
	return newRootCommand(g)
}

// newRootCommand builds the whole command tree.
func newRootCommand(g *globals) *cobra.Command {
	return newRoot(g,
		recorded(newInstallCommand(g)),
		newPlanCommand(g),
		newInitCommand(g),
		newConfigCommand(g),
		newRenderCommand(g),
		newAdoptCommand(g),
		newKeysCommand(g),
		recorded(newCheckCommand(g)),
		newBundleCommand(g),
		newSvcCommand(g),
		newPartyCommand(g),
		newSecretsCommand(g),
		recorded(newUpgradeCommand(g)),
		recorded(newRollbackCommand(g)),
		recorded(newUninstallCommand(g)),
		newBackupCommand(g),
		recorded(newRestoreCommand(g)),
		recorded(newGCCommand(g)),
		newHistoryCommand(g),
		newTestCommand(g),
		newJobCommand(g),
		newDiagnoseCommand(g),
		newVersionCommand(g),
		newManCommand(g),
	)
}

// newRoot builds the root command with commands below it. The bare command is install, so that one line on a new host
// is enough.
func newRoot(g *globals, commands ...*cobra.Command) *cobra.Command {
	install := &installOptions{}
	root := &cobra.Command{
		Use:   "fate-installer",
		Short: "Put a FATE federated-learning party on this host from one file",
		Long: `fate-installer installs and runs a party of a FATE cluster on the host it is run on, as root, without a network.

Called with --role and --party (or --config) and no command it installs: see fate-installer install --help.

EXIT STATUS
` + exitHelp,
		Example: `  ./fate-installer --role host --party 10000
  ./fate-installer --config cluster.yaml --ip 192.168.0.1
  fate-installer svc status`,
		Args:          noArgs,
		Version:       buildVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case cmd.Flags().NFlag() == 0:
				return cmd.Help()
			case g.Role == "" && len(g.Config) == 0:
				return exit.With(exit.Hint(errors.New("cannot install: neither --role nor --config was given"),
					"fate-installer --role host --party 10000, or --config with a cluster file; fate-installer "+
						"install repairs what is installed"), exit.Usage)
			}
			return runInstall(cmd.Context(), g, install)
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			err := g.check(cmd)
			if err == nil {
				g.record(cmd)
				g.watchInterruption(cmd)
			}
			return err
		},
	}
	root.SetVersionTemplate(programName + " {{.Version}}\n")
	g.addFlags(root)
	install.addFlags(root.Flags())
	root.AddCommand(commands...)
	root.CompletionOptions.HiddenDefaultCmd = false
	refuseMistypedCommands(root)
	addQuiet(g, root)
	completeValues(g, root)
	useHelp(g, root)
	return root
}

// addFlags adds the common flags to the root command.
func (g *globals) addFlags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringSliceVar(&g.Config, "config", nil, "cluster `file`; repeatable, a directory, or - for standard input")
	f.StringVar(&g.Role, "role", "", "this host's `role`: host, guest or exchange")
	f.IntVar(&g.Party, "party", 0, "party `id`, a number of at most 10 digits")
	f.StringVar(&g.IP, "ip", "",
		"which `address` of the cluster file is this host (default: found among its own addresses)")
	f.StringVar(&g.Base, "base", deploy.StandardBase,
		"base `directory`; every path below it moves along, and base: of the cluster file is used when this is left out")
	f.StringVar(&g.User, "user", "",
		"`user` that owns the files and runs the programs (default: what the cluster file says, else app)")
	f.StringVar(&g.Group, "group", "", "that user's `group` (default: what the cluster file says, else apps)")
	f.StringVarP(&g.Output, "output", "o", "text", "output `format`: text or json; check also supports junit")
	f.BoolVar(&g.Yes, "yes", false, "do not ask, go ahead")
	f.StringVar(&g.LogLevel, "log-level", "warn", "`level` of the log on standard error: debug, info, warn, error")
	f.StringVar(&g.Root, "root", "/",
		"operate on the tree below `DIR` instead of /: files only, no commands, no processes")
	f.StringVar(&g.Lang, langFlag, "", "`language` of messages and help: en or zh (default: that of the locale)")
	takesWords(f, "role", roleNames()...)
	takesWords(f, langFlag, language.Names...)
	takesWords(f, "log-level", "debug", "info", "warn", "error")
	f.StringVar(&g.Payload, "payload", "", "take the payload from `FILE` instead of this executable")
}

// The formats of --output. JUnit's XML is for check alone.
const (
	outputText  = "text"
	outputJSON  = "json"
	outputJUnit = "junit"
)

// check refuses common flags that the command cannot use.
func (g *globals) check(cmd *cobra.Command) error {
	if err := checkGroups(cmd); err != nil {
		return err
	}
	formats := []string{outputText, outputJSON}
	if cmd.Name() == "check" && !cmd.Parent().HasParent() {
		formats = append(formats, outputJUnit)
	}
	output := g.Output
	if !slices.Contains(formats, output) {
		g.Output = outputText // of the error
	}
	if err := choice("--output", output, formats); err != nil {
		return err
	}
	if err := checkUnread(cmd); err != nil {
		return err
	}
	if err := checkValues(cmd); err != nil {
		return err
	}
	if err := g.checkTree(cmd); err != nil {
		return err
	}
	return g.useWrittenBase(cmd.Flags().Changed("base"))
}

// logger returns the log that goes to stderr, and also to every extra writer (the run's log file) at debug level.
func (g *globals) logger(extra ...io.Writer) zerolog.Logger {
	level, _ := zerolog.ParseLevel(g.LogLevel) // check has refused the others
	console := zerolog.ConsoleWriter{Out: g.Stderr, NoColor: !isTerminal(g.Stderr), TimeFormat: "15:04:05"}
	writers := []io.Writer{&zerolog.FilteredLevelWriter{Writer: zerolog.LevelWriterAdapter{Writer: console},
		Level: level}}
	writers = append(writers, extra...)
	return zerolog.New(zerolog.MultiLevelWriter(writers...)).With().Timestamp().Logger()
}
