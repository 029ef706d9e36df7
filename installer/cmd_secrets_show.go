package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"

	"github.com/spf13/cobra"
)

// shownSecrets are the words of secrets show: the login of people. Programs read the other ones from their files.
var shownSecrets = []string{cluster.SecretCommand(boardSecret)}

// boardSecret is the name of FATE-Board's password in the cluster file.
const boardSecret = "fateboard_admin"

// showLogin is the command that shows how to log in to FATE-Board.
const showLogin = "fate-installer secrets show fateboard"

func newSecretsShowCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "show fateboard",
		Short: "Show address, user and password of FATE-Board",
		Long: `Show address, user and password of FATE-Board, on the host that runs it, as root. That they were shown is recorded
(fate-installer history), without the password. The passwords of databases and of other programs are not shown.

EXIT STATUS
  0    shown
  1    unexpected error, as when it cannot be recorded; nothing is shown then
  2    wrong usage, nothing is installed here, this host does not run FATE-Board, or you are not root`,
		Example: `  fate-installer secrets show fateboard
  fate-installer secrets show fateboard -o json`,
		ValidArgs: shownSecrets,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exit.Hint(errors.New("missing argument: fateboard"), showLogin)
			}
			if len(args) > 1 {
				return fmt.Errorf("unexpected argument %q after %s", args[1], args[0])
			}
			if _, err := cluster.ParseSecretName(args[0]); err == nil && args[0] != shownSecrets[0] {
				return exit.Hint(fmt.Errorf("cannot show %s: it is for programs, not for people", args[0]),
					"fate-installer secrets list shows what uses it")
			}
			return oneOf("secret", args, shownSecrets)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return runSecretsShow(cmd.Context(), g) },
	}
}

// secretsShowOutput is the JSON document of secrets show.
type secretsShowOutput struct {
	Secret   string `json:"secret"`         // always fateboard
	URL      string `json:"url"`            // address of FATE-Board
	User     string `json:"user"`           // that logs in
	Password string `json:"password"`       // of that user
	Note     string `json:"note,omitempty"` // why the login may be another one, as text
}

func runSecretsShow(ctx context.Context, g *globals) error {
	d, err := g.openInstalled(ctx, "show a password")
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.NeedRoot("show a password"); err != nil {
		return err
	}
	spec := d.Spec()
	uses := render.SecretUses(spec)
	i := slices.IndexFunc(uses, func(u render.SecretUse) bool { return u.Name == boardSecret })
	switch {
	case i < 0:
		return exit.With(errors.New("cannot show the login of FATE-Board: this side has none"), exit.Usage)
	case !uses[i].Here:
		return exit.With(exit.Hint(fmt.Errorf("cannot show the login of FATE-Board: it runs on %s",
			strings.Join(uses[i].Hosts, ", ")), "run the same there: "+showLogin), exit.Usage)
	}
	out := secretsShowOutput{
		Secret: shownSecrets[0], URL: boardURL(spec), User: spec.Side.FateBoard.User,
		Password: spec.Secrets.FateBoardAdmin.Reveal(),
	}
	if out.Note, err = d.BoardEdited(); err != nil {
		return err
	}
	return g.unrecorded("user and password of FATE-Board were shown\n", func() error {
		if g.Output == outputJSON {
			return g.printJSON(out)
		}
		for i, value := range []string{out.URL, out.User, out.Password} {
			g.raw(g.language.Padded(loginLabels[i], 8) + "  " + value + "\n") // a value is no text
		}
		if out.Note != "" {
			g.printf("note      %s\n", out.Note)
		}
		return nil
	})
}

// loginLabels name what a login consists of.
//
//language:labels
var loginLabels = []string{"address", "user", "password"}

// boardURL is the address of FATE-Board on a host.
func boardURL(spec *cluster.Spec) string {
	return "http://" + net.JoinHostPort(spec.IP, strconv.Itoa(spec.Side.FateBoard.Port))
}

// unrecorded prints something that the history must not keep, after the record says instead that it was shown. Nothing
// is printed when that cannot be recorded.
func (g *globals) unrecorded(instead string, show func() error) error {
	tee, ok := g.Stdout.(*teeWriter)
	if !ok { // in a tree, or without root's rights: there is no record
		return show()
	}
	tee.recording.keep([]byte(instead))
	if err := tee.recording.lost(); err != nil {
		return fmt.Errorf("cannot show what would not be recorded: %w", err)
	}
	defer func(w io.Writer) { g.Stdout = w }(g.Stdout)
	g.Stdout = tee.Writer
	return show()
}
