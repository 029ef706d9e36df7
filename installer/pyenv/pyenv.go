package pyenv

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/host"
	"fate-installer/payload"
)

// The official offline package has no python environment, but what to make one of: a Miniconda installer, and wheels.
// An appliance may carry these two instead of a component python; then it is made here, on the host, without a network,
// and behaves like a component that was unpacked.
const (
	pythonComponent = "python"
	condaComponent  = "miniconda" // one self-extracting shell script
	wheelsComponent = "pypi"      // wheels, and requirements.txt
)

// describe returns the component that is made of an appliance's Miniconda and wheels, when it has both and no
// environment. Its digest is that of what goes in: the same ingredients are the same environment.
func describe(components []payload.Component) (payload.Component, bool) {
	found := map[string]payload.Component{}
	for _, c := range components {
		found[c.Name] = c
	}
	conda, hasConda := found[condaComponent]
	wheels, hasWheels := found[wheelsComponent]
	if _, ready := found[pythonComponent]; ready || !hasConda || !hasWheels {
		return payload.Component{}, false
	}
	sum := sha256.Sum256([]byte(conda.Digest + "\n" + wheels.Digest + "\n"))
	return payload.Component{
		Name: pythonComponent, Version: conda.Version + "+" + wheels.Version, Platform: conda.Platform,
		// While the environment is made the ingredients are on the disk, too.
		Size: (1 + grows) * (conda.Size + wheels.Size), Files: 60_000, Digest: hex.EncodeToString(sum[:]),
	}, true
}

// WithMade adds the environment that can be made to a payload's components.
func WithMade(components []payload.Component) []payload.Component {
	if made, ok := describe(components); ok {
		return append(append([]payload.Component(nil), components...), made)
	}
	return components
}

// builder is a payload that makes the component python, and gives all others as they are.
type builder struct {
	engine.Payload
	host     *host.Host
	made     payload.Component
	final    string        // where the environment will be; it is made next to that and then renamed
	interval time.Duration // between two looks at what has been written
}

// Payload gives what source does, and the environment made of its ingredients where it has none; when nothing can be
// made it is source itself.
func Payload(source engine.Payload, h *host.Host, m *payload.Manifest, spec *cluster.Spec) engine.Payload {
	made, ok := describe(m.Components)
	if !ok {
		return source
	}
	return builder{Payload: source, host: h, made: made, final: spec.UnpackTarget(pythonComponent),
		interval: 2 * time.Second}
}

// Extract implements engine.Payload.
func (b builder) Extract(ctx context.Context, component, target string, uid, gid int,
	progress func(done, total int64)) error {
	if component != pythonComponent {
		return b.Payload.Extract(ctx, component, target, uid, gid, progress)
	}
	if !b.host.Live() {
		return exit.Hint(errors.New("cannot make a python environment in a directory tree: Miniconda has to be run"),
			"use an appliance with a complete environment: fate-installer bundle import --with python=... --wheels")
	}
	target = b.host.Within(target)
	m := making{builder: b, target: target, sources: target + "-src", report: progress}
	if uid >= 0 {
		m.credential = &host.Credential{UID: uint32(uid), GID: uint32(gid)}
	}
	err := m.run(ctx, uid, gid)
	if dropErr := b.host.RemoveAll(m.sources); err == nil {
		err = dropErr
	}
	if err != nil {
		return fmt.Errorf("cannot make the python environment: %w", err)
	}
	return nil
}

// ExtractFiles implements engine.PartPayload. An environment is made whole, for a part of it, too.
func (b builder) ExtractFiles(
	ctx context.Context, component, target string, names []string, uid, gid int, progress func(done, total int64),
) error {
	parts, ok := b.Payload.(engine.PartPayload)
	if component == pythonComponent || !ok {
		return b.Extract(ctx, component, target, uid, gid, progress)
	}
	return parts.ExtractFiles(ctx, component, target, names, uid, gid, progress)
}

// making is one making of the environment. It runs as the service user, who will own it.
type making struct {
	builder
	target     string // where it is made
	sources    string // holds the ingredients until it is made
	credential *host.Credential
	report     func(done, total int64)
}

func (m making) run(ctx context.Context, uid, gid int) error {
	if err := m.host.MkdirAll(m.sources, host.FileMode{Perm: 0o755}); err != nil {
		return err
	}
	done, sizes := int64(0), map[string]int64{}
	for _, name := range []string{condaComponent, wheelsComponent} {
		before, last := done, int64(0)
		progress := func(have, _ int64) { last = have; m.report(before+have, m.made.Size) }
		if err := m.Payload.Extract(ctx, name, m.host.Path(path.Join(m.sources, name)),
			uid, gid, progress); err != nil {
			return err
		}
		done += last
		sizes[name] = last
	}
	script, err := m.find(condaComponent, ".sh")
	if err != nil {
		return err
	}
	requirements, err := m.find(wheelsComponent, "requirements.txt")
	if err != nil {
		return err
	}
	if err := m.host.MkdirAll(m.target, host.FileMode{Perm: 0o755}); err != nil {
		return err
	}
	if err := m.own(uid, gid); err != nil {
		return err
	}
	done, err = m.watch(done, sizes[condaComponent], func() error {
		// -b: ask nothing; -f: into a directory that is there; -p: which.
		return m.command(ctx, "bash", m.host.Path(script), "-b", "-f", "-p", m.host.Path(m.target))
	})
	if err != nil {
		return err
	}
	_, err = m.watch(done, sizes[wheelsComponent], func() error { return m.installWheels(ctx, requirements) })
	if err != nil {
		return err
	}
	return m.relocate()
}

// own gives the empty directory to the service user.
func (m making) own(uid, gid int) error {
	if uid < 0 {
		return nil
	}
	user, group, err := m.names(uid, gid)
	if err != nil {
		return err
	}
	return m.host.Chown(m.target, user, group)
}

func (m making) names(uid, gid int) (user, group string, err error) {
	users, err := m.host.Users()
	if err != nil {
		return "", "", err
	}
	for _, u := range users {
		if u.UID == uid {
			user = u.Name
		}
	}
	groups, err := m.host.Groups()
	for _, g := range groups {
		if g.GID == gid {
			group = g.Name
		}
	}
	return user, group, err
}

// installWheels lets pip install what requirements.txt names, from the wheels alone, and compiles what it installed.
func (m making) installWheels(ctx context.Context, requirements string) error {
	err := m.command(ctx, m.host.Path(path.Join(m.target, "bin", "python")), "-m", "pip", "install",
		"--no-index", "--find-links", m.host.Path(path.Join(m.sources, wheelsComponent)), "--requirement",
		m.host.Path(requirements),
		"--no-cache-dir", "--disable-pip-version-check", "--no-warn-script-location", "--no-compile")
	if err != nil {
		return err
	}
	return m.compile(ctx)
}

// notLoaded matches what no program and no job loads, as bundle build leaves it out, below the environment's library.
const notLoaded = `/(.*/)?(test|tests|idlelib|lib2to3|turtledemo|ensurepip)/`

// compile makes .pyc files of the kind that bundle build makes: an edit is seen whatever its time and size. What
// Miniconda has compiled fits its files, and stays. -d is where the code will be found.
func (m making) compile(ctx context.Context) error {
	library := m.host.Path(path.Join(m.target, "lib"))
	err := m.command(ctx, m.host.Path(path.Join(m.target, "bin", "python")), "-m", "compileall", "-qq",
		"--invalidation-mode", "checked-hash", "-d", m.host.Path(path.Join(m.final, "lib")),
		"-x", "^"+regexp.QuoteMeta(library)+notLoaded, library)
	var failed *host.ExitError
	if errors.As(err, &failed) && failed.Code == 1 {
		return nil // a template, or code for another version: it is never loaded, or else says itself what is wrong
	}
	return err
}

// Wheels and Miniconda's packages are compressed to a third or less: this is how many times larger than an ingredient
// what it becomes is taken to be. Where that is wrong the display waits at the end of the part, or jumps there.
const grows = 3

// watch runs a part of the making, which takes most of a minute and says nothing of how far it is, and reports while it
// runs how much it has written below the target. ingredient is the size of what it works on, from what was done before.
func (m making) watch(from, ingredient int64, part func() error) (done int64, err error) {
	share := grows * ingredient
	before, most := m.written(), int64(0)
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(m.interval)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
				most = max(most, min(share, m.written()-before)) // packages are removed when they are installed
				m.report(from+most, m.made.Size)
			}
		}
	})
	err = part()
	close(over)
	watching.Wait()
	if err == nil {
		m.report(from+share, m.made.Size)
	}
	return from + share, err
}

// written is the size of the files below the target. What goes away while it is read counts nothing.
func (m making) written() int64 {
	var sum func(dir string) int64
	sum = func(dir string) (size int64) {
		entries, _ := m.host.ReadDir(dir)
		for _, e := range entries {
			if e.IsDir() {
				size += sum(path.Join(dir, e.Name()))
			} else if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				size += info.Size()
			}
		}
		return size
	}
	return sum(m.target)
}

func (m making) command(ctx context.Context, args ...string) error {
	cmd := host.Cmd{
		Args: args, Dir: m.host.Path(m.sources), Credential: m.credential,
		// pip asks for no index and reads no file of the machine's; nothing is written into a home that may not exist.
		Env: []string{"HOME=" + m.host.Path(m.target), "PIP_CONFIG_FILE=/dev/null", "LC_ALL=C.UTF-8",
			"PYTHONNOUSERSITE=1"},
	}
	result, err := m.host.Run(ctx, cmd)
	if err != nil {
		return errors.Join(err, lastLines(result.Stdout))
	}
	return nil
}

// lastLines is the end of what a failed command printed, as an error; pip says on standard output what it did last.
func lastLines(out []byte) error {
	const most = 5
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if text := strings.Join(lines[max(0, len(lines)-most):], "\n"); text != "" {
		return errors.New(text)
	}
	return nil
}

// relocate writes the final place into the programs, whose first line has the path of their interpreter.
func (m making) relocate() error {
	bin := path.Join(m.target, "bin")
	entries, err := m.host.ReadDir(bin)
	if err != nil {
		return err
	}
	for _, e := range entries {
		file := path.Join(bin, e.Name())
		head, err := m.host.ReadAt(file, 2, 0)
		if !e.Type().IsRegular() || err != nil || string(head) != "#!" {
			continue
		}
		err = m.host.EditFile(file, host.FileMode{}, func(old []byte) ([]byte, error) {
			return bytes.ReplaceAll(old, []byte(m.host.Path(m.target)), []byte(m.final)), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// find is the one file of an ingredient that ends in suffix.
func (m making) find(component, suffix string) (string, error) {
	entries, err := m.host.ReadDir(path.Join(m.sources, component))
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			return path.Join(m.sources, component, e.Name()), nil
		}
	}
	return "", &fs.PathError{Op: "find", Path: path.Join(component, "*"+suffix), Err: fs.ErrNotExist}
}
