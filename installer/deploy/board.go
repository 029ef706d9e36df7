package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"fate-installer/installer/fate/render"
)

// BoardEdited says that the file of FATE-Board is missing, or has another login than the one that was installed; blank:
// neither.
func (d *Deployment) BoardEdited() (string, error) {
	files, err := render.Files(d.spec)
	if err != nil {
		return "", err
	}
	name := d.Layout().BoardProperties()
	i := slices.IndexFunc(files, func(f render.File) bool { return f.Path == name })
	if i < 0 {
		return "", nil
	}
	there, err := d.host.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return name + " is missing: install puts it back", nil
	case err != nil:
		return "", fmt.Errorf("cannot tell how FATE-Board lets people in: %w", err)
	}
	login := func(content []byte) (lines []string) {
		for line := range bytes.Lines(content) {
			if line = bytes.TrimSpace(line); bytes.HasPrefix(line, []byte("server.board.login.")) {
				lines = append(lines, string(line))
			}
		}
		return lines
	}
	if slices.Equal(login(there), login(files[i].Content)) {
		return "", nil
	}
	return name + " has another login: it was edited, and what it says is in force since FATE-Board was restarted", nil
}
