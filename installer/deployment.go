package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fate-installer/installer/deploy"
	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/engine"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/host"
	"fate-installer/installer/problem"
	"fate-installer/installer/pyenv"
	"fate-installer/installer/state"
	"fate-installer/payload"
	"fate-installer/supervisor"
)

// lockPath is held by the command that changes the installation. It is in /run, which a reboot empties.
const lockPath = "/run/fate-installer.lock"

// deployment is the desired state of a host, its installed state, and the plan between them.
type deployment struct {
	g       *globals
	host    *host.Host
	payload *payload.Payload // nil when this program carries none
	slot    *deploy.Slot     // what the components are taken from instead, when an earlier state is brought back
	site    deploy.Site
	stored  *deploy.Site // what is installed, or nil
	spec    *cluster.Spec
	facts   *host.Facts
	machine host.Identity
	remarks problem.Problems // about the TLS keys
	state   state.State      // of the host, as stored
	move    state.Move       // what the command does in it
	undone  bool             // a failed run was taken back, all of it
	wait    *programs.Waiter // for other hosts, of an installing run

	secrets        deploy.Secrets // what is stored here
	changedSecrets []string       // names of those that this run changes, also from none
}

// openDeployment reads everything an install needs and changes nothing. The caller closes it. Without needPayload a
// program that carries none, on a host where nothing is installed, will do: then the versions and sizes of what would
// be installed are not known.
func openDeployment(ctx context.Context, g *globals, opts wantedOptions, needPayload bool) (*deployment, error) {
	h, err := g.openHost()
	if err != nil {
		return nil, err
	}
	d := &deployment{g: g, host: h}
	if err := d.read(ctx, opts, needPayload); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *deployment) read(ctx context.Context, opts wantedOptions, needPayload bool) error {
	request, err := readRequest(d.g, d.host, opts)
	if err != nil {
		return err
	}
	d.site, d.stored = request.site, request.stored
	if d.payload, err = openPayload(d.g); err != nil && !errors.Is(err, payload.ErrNoPayload) {
		return exit.With(err, exit.Payload)
	}
	switch {
	case d.payload != nil:
		d.site.UsePayload(d.payload.Manifest())
	case d.stored == nil && needPayload:
		return exit.With(exit.Hint(fmt.Errorf("cannot install: %w", err),
			"run the appliance file that was carried to this host, or name it with --payload"), exit.Payload)
	}
	return d.resolve(ctx)
}

// resolve finds out what the site means on this host.
func (d *deployment) resolve(ctx context.Context) error {
	// Which addresses and ports matter is known only with the Spec, and the Spec needs the addresses: hence two looks.
	d.machine = host.Identify(d.host)
	err := d.site.Adopt(d.stored, d.machine)
	if err != nil {
		return err
	}
	if d.spec, err = d.specOf(&d.site); err != nil {
		return err
	}
	d.site.Role, d.site.Party, d.site.IP = string(d.spec.Role), d.spec.PartyID, d.spec.IP
	d.site.User, d.site.Group = d.spec.User, d.spec.Group
	questions := preflight.Questions(d.spec)
	if d.stored != nil {
		questions.Peers = nil // a re-run repairs this host; waiting for hosts that are away would only delay it
	}
	d.facts, err = host.Gather(ctx, d.host, questions)
	return err
}

// specOf resolves a site, the desired or the installed one, on this host.
func (d *deployment) specOf(s *deploy.Site) (*cluster.Spec, error) {
	if d.secrets.Records == nil { // once: what is generated must not differ between the Specs of a run
		secrets, err := deploy.LoadSecrets(d.host, d.layout())
		if err != nil {
			return nil, err
		}
		d.secrets = secrets
	}
	return s.Spec(d.g.Base, d.machine, d.secrets)
}

func (d *deployment) close() error {
	var err error
	if d.payload != nil {
		err = d.payload.Close()
	}
	return errors.Join(err, d.host.Close())
}

// begin takes the lock for a command that changes the host; verb is what it cannot do without root.
func (d *deployment) begin(verb string) (unlock func() error, err error) {
	if err := d.needRoot(verb); err != nil {
		return nil, err
	}
	if unlock, err = d.lock(); err != nil {
		return nil, err
	}
	// Without its directory a database that was being exchanged would be taken for one that is yet to be made.
	if err := d.host.MendExchange(d.layout().DatabaseData()); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot put the database back: %w", err), unlock())
	}
	return unlock, nil
}

func (d *deployment) needRoot(verb string) error {
	if d.host.IsSystem() && os.Geteuid() != 0 {
		return exit.With(exit.Hint(fmt.Errorf("cannot %s: this needs root", verb), d.g.withSudo()), exit.Usage)
	}
	return nil
}

// lock makes this the only run on the host, and removes the locks of the account files that an earlier run left: one
// that was killed while useradd ran may have made the account, so that no step runs useradd again.
func (d *deployment) lock() (unlock func() error, err error) {
	surviveHangup()
	unlock, err = engine.Lock(d.host, lockPath)
	var locked *engine.LockedError
	if errors.As(err, &locked) {
		return nil, exit.With(err, exit.Locked)
	}
	if err != nil || !d.host.Live() {
		return unlock, err
	}
	if _, err := host.ClearAccountLocks(d.host); err != nil {
		return nil, errors.Join(err, unlock())
	}
	return unlock, nil
}

func (d *deployment) layout() cluster.Layout { return d.g.layout() }

// openPayload opens the file named by --payload, or this executable.
func openPayload(g *globals) (*payload.Payload, error) {
	if g.Payload != "" {
		return payload.Open(g.Payload)
	}
	return payload.OpenSelf()
}

// part is how much of an installation is asked for.
type part struct {
	only []string // names of modules; none: all
	mode fate.Mode
}

// plan computes what install would do.
func (d *deployment) plan(p part) (engine.Plan, error) {
	modules, err := cluster.ParseModules(p.only)
	if err != nil {
		return engine.Plan{}, configError(err)
	}
	if !slices.Contains(fate.Modes, p.mode) {
		return engine.Plan{}, configError(fmt.Errorf("cannot use mode %q: --mode takes deploy, install or config",
			p.mode))
	}
	siteFile, err := d.site.Encode()
	if err != nil {
		return engine.Plan{}, err
	}
	program, err := d.programDigest()
	if err != nil {
		return engine.Plan{}, err
	}
	unitPath, unit := supervisor.Unit{Executable: d.layout().Binary(), Base: d.g.Base}.Systemd()
	plan, err := fate.NewPlan(d.spec, fate.PlanInput{
		Facts: d.facts, Modules: modules, Mode: p.mode, Components: d.site.InstalledComponents(),
		SiteFile: d.siteFile(), Site: siteFile,
		ProgramDigest: program, UnitName: filepath.Base(unitPath), UnitPath: unitPath, Unit: unit,
		BootScript: d.bootScript(),
	})
	return plan, configError(err)
}

// needUnpacked refuses to configure what is not there: a configuration without its programs is of no use.
func (d *deployment) needUnpacked(ctx context.Context, plan engine.Plan) error {
	survey, err := d.look(ctx, fate.Unpacking(plan), false)
	if err != nil {
		return err
	}
	var missing []string
	for _, line := range survey {
		if !line.Done {
			missing = append(missing, fmt.Sprintf("%s: %s", line.Title, cmp.Or(line.Error, line.Why)))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return exit.With(exit.Hint(fmt.Errorf("cannot configure what is not unpacked:\n%s", strings.Join(missing, "\n")),
		"run the same command with --mode install first, or with --mode deploy to do both"), exit.Preflight)
}

// env gives the steps what they work with.
func (d *deployment) env(view *runView) *engine.Env {
	env := &engine.Env{
		Host:     d.host,
		Self:     selfProgram{d.payload, d.g},
		StateDir: d.layout().State(),
		Parallel: d.g.parallel,
		Log:      d.g.logger(),
		Progress: view.progress,
	}
	switch {
	case d.slot != nil:
		env.Payload = slotPayload{d.host, d.layout(), d.slot}
	case d.payload != nil:
		env.Payload = pyenv.Payload(extractor{d.payload, d.host}, d.host, d.payload.Manifest(), d.spec)
	default:
		env.Payload = noPayload{}
	}
	client, err := newClient(d.g, d.host, d.layout().SupervisorSocket(), d.spec.AllSecrets()...)
	if err == nil { // not of a tree
		env.Services = programs.NewServices(client, view.service, d.wait,
			programs.DatabaseLogin(d.host, d.spec))
	}
	return env
}

func (d *deployment) siteFile() string { return filepath.Join(d.layout().State(), deploy.SiteName) }

func (d *deployment) journalPath() string {
	return filepath.Join(d.layout().State(), deploy.JournalName)
}

// unpackBytes is how much of the payload this host will unpack when nothing is there yet.
func (d *deployment) unpackBytes() int64 {
	if d.payload == nil || d.slot != nil {
		return 0
	}
	total := int64(0)
	for _, c := range pyenv.WithMade(d.payload.Manifest().Components) {
		if slices.Contains(d.spec.Components(), c.Name) {
			total += c.Size
		}
	}
	return total
}

// verifyPayload reads all of the appliance if anything of it is to be installed: a copy that was damaged on its way is
// to be found before anything is stopped or changed, not halfway. Unpacking checks again what it reads.
func (d *deployment) verifyPayload(ctx context.Context) error {
	if d.payload == nil || d.slot != nil || d.stored != nil && len(d.changes()) == 0 {
		return nil
	}
	bar := longProgress(d.g, "checking the appliance", d.payload.Size())
	defer bar.finish()
	if _, err := d.payload.Verify(ctx,
		payload.VerifyOptions{Progress: func(done, _ int64) { bar.set(done) }}); err != nil {
		return fmt.Errorf("nothing was changed: %w", err)
	}
	return nil
}

// extractor gives payload.Payload the shape engine wants.
type extractor struct {
	p *payload.Payload
	h *host.Host
}

func (e extractor) Extract(ctx context.Context, component, target string, uid, gid int,
	progress func(done, total int64)) error {
	return e.into(target, component, func(t payload.Target) error {
		return e.p.ExtractAll(ctx, []payload.Target{t}, payload.ExtractOptions{UID: uid, GID: gid, Progress: progress})
	})
}

// ExtractFiles implements engine.PartPayload.
func (e extractor) ExtractFiles(
	ctx context.Context, component, target string, names []string, uid, gid int, progress func(done, total int64),
) error {
	return e.into(target, component, func(t payload.Target) error {
		return e.p.ExtractFiles(ctx, t, names, payload.ExtractOptions{UID: uid, GID: gid, Progress: progress})
	})
}

// into calls extract with a target whose directory is opened by the host, which follows no link that the service user
// may have put on the way to it.
func (e extractor) into(target, component string, extract func(payload.Target) error) error {
	saveMemory()
	parent, err := e.h.OpenDir(e.h.Within(filepath.Dir(target)))
	if err != nil {
		return fmt.Errorf("cannot unpack %s: %w", component, err)
	}
	defer parent.Close()
	return extract(payload.Target{Component: component, Path: target, Parent: parent})
}

// noPayload stands in for the payload when the installed program, which carries none, repairs a host.
type noPayload struct{}

// IsEmpty implements engine.EmptyPayload.
func (noPayload) IsEmpty() bool { return true }

func (noPayload) Extract(_ context.Context, component, _ string, _, _ int, _ func(done, total int64)) error {
	return exit.With(exit.Hint(fmt.Errorf("cannot unpack %s: %w", component, payload.ErrNoPayload),
		"run the appliance file itself instead of the installed program, or name it with --payload"), exit.Payload)
}

// selfProgram is this program without its payload, for the copy in /usr/local/bin.
type selfProgram struct {
	p *payload.Payload
	g *globals
}

func (s selfProgram) CopyStub(w io.Writer) error {
	if s.p != nil {
		return s.p.CopyStub(w)
	}
	return s.g.copyProgram(w)
}

// copyProgram copies this program's own file, which has no payload.
func (g *globals) copyProgram(w io.Writer) error {
	file, err := os.Open(cmp.Or(g.executable, "/proc/self/exe"))
	if err != nil {
		return fmt.Errorf("cannot read this program: %w", err)
	}
	defer file.Close()
	_, err = io.Copy(w, file)
	return err
}

// programDigest is the sha256 of what selfProgram copies.
func (d *deployment) programDigest() (string, error) {
	if d.payload != nil {
		return d.payload.Manifest().Stub.SHA256, nil
	}
	hash := sha256.New()
	err := d.g.copyProgram(hash)
	return hex.EncodeToString(hash.Sum(nil)), err
}
