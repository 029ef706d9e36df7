package deploy

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

	"fate-installer/installer/backup"
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
	"fate-installer/installer/step"
	"fate-installer/payload"
	"fate-installer/supervisor"
)

// Deployment is the desired state of a host, its installed state, and the plan between them. [Open] makes it with all
// that it has; what its methods return is for reading only.
type Deployment struct {
	*place
	payload *payload.Payload // nil when this program carries none
	slot    *slot            // what the components are taken from instead, when an earlier state is brought back
	site    Site             // what is wanted
	stored  *Site            // what is installed, or nil
	spec    *cluster.Spec    // of site on this host
	facts   *host.Facts
	machine host.Identity
	remarks problem.Problems // about the TLS keys and the cluster file
	secrets Secrets          // what is stored here
}

// Needs is what a command needs of a deployment that not every one does.
type Needs struct {
	// Payload refuses a program that carries no appliance where nothing is installed: the versions and sizes of what
	// would be installed are not known then.
	Payload bool
	// Peers looks also for the other parties of a host that is installed. Waiting for those that are away delays a
	// command that only repairs this host.
	Peers bool
}

// Open reads everything an install needs and changes nothing. asked is what the command line and the cluster files say
// of the host; it is called when what is installed is known. The caller closes the deployment, and with it the
// installation, which is closed when Open fails, too.
func Open(ctx context.Context, i *Installation, asked func() (Site, error), needs Needs) (*Deployment, error) {
	d := &Deployment{place: i.place}
	if err := d.read(ctx, asked, needs); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Deployment) read(ctx context.Context, asked func() (Site, error), needs Needs) error {
	var err error
	if d.site, d.stored, err = ReadRequest(d.host, d.cmd.Base, asked); err != nil {
		return err
	}
	if d.payload, err = OpenPayload(d.cmd.Payload); err != nil && !errors.Is(err, payload.ErrNoPayload) {
		return exit.With(err, exit.Payload)
	}
	switch {
	case d.payload != nil:
		d.site.UsePayload(d.payload.Manifest())
	case d.stored == nil && needs.Payload:
		return exit.With(exit.Hint(fmt.Errorf("cannot install: %w", err),
			"run the appliance file that was carried to this host, or name it with --payload"), exit.Payload)
	}
	return d.resolve(ctx, needs.Peers)
}

// resolve finds out what the site means on this host. Without peers, other parties of an installed host are not looked
// for.
func (d *Deployment) resolve(ctx context.Context, peers bool) error {
	// Which addresses and ports matter is known only with the Spec, and the Spec needs the addresses: hence two looks.
	d.machine = host.Identify(d.host)
	err := d.site.adopt(d.stored, d.machine)
	if err != nil {
		return err
	}
	if d.spec, err = d.specOf(&d.site); err != nil {
		return err
	}
	d.site.Role, d.site.Party, d.site.IP = d.spec.Role, d.spec.PartyID, d.spec.IP
	d.site.User, d.site.Group = d.spec.User, d.spec.Group
	return d.gather(ctx, peers || d.stored == nil)
}

// gather looks at the host, and with peers for other parties.
func (d *Deployment) gather(ctx context.Context, peers bool) (err error) {
	questions := preflight.Questions(d.spec)
	if !peers {
		questions.Peers = nil
	}
	d.facts, err = host.Gather(ctx, d.host, questions)
	return err
}

// specOf resolves a site, the desired or the installed one, on this host.
func (d *Deployment) specOf(s *Site) (*cluster.Spec, error) {
	if d.secrets.Records == nil { // once: what is generated must not differ between the Specs of a run
		secrets, err := LoadSecrets(d.host, d.Layout())
		if err != nil {
			return nil, err
		}
		secrets.Secrets = secrets.Kept.Or(d.cmd.Adopted).Or(secrets.Secrets)
		d.secrets = secrets
	}
	return s.spec(d.cmd.Base, d.machine, d.secrets)
}

// Close closes the appliance and the host.
func (d *Deployment) Close() error {
	var err error
	if d.payload != nil {
		err = d.payload.Close()
	}
	return errors.Join(err, d.host.Close())
}

// OpenPayload opens an appliance, or, when no file is named, the running program.
func OpenPayload(file string) (*payload.Payload, error) {
	if file == "" {
		return payload.OpenSelf()
	}
	p, err := payload.Open(file)
	if err == nil && backup.IsBackup(p.Manifest()) {
		err = exit.Hint(fmt.Errorf("cannot use %s: it is a backup, and not an appliance", file),
			"fate-installer restore "+file)
		return nil, errors.Join(exit.With(err, exit.Payload), p.Close())
	}
	return p, err
}

// Part is how much of an installation is asked for. The zero value is all of it.
type Part struct {
	Modules []cluster.Module // of this host; none: all
	Mode    fate.Mode        // blank: everything
}

// ParsePart reads the names of modules, upstream's groups among them, and a mode.
func ParsePart(modules []string, mode string) (p Part, err error) {
	if p.Modules, err = cluster.ParseModules(modules); err != nil {
		return Part{}, usage(err)
	}
	if p.Mode = fate.Mode(mode); !slices.Contains(fate.Modes, p.Mode) {
		return Part{}, usage(fmt.Errorf("cannot use mode %q: --mode takes deploy, install or config", p.Mode))
	}
	return p, nil
}

// plan computes what install would do.
func (d *Deployment) plan(p Part) (engine.Plan, error) {
	siteFile, err := d.site.Encode()
	if err != nil {
		return engine.Plan{}, err
	}
	program, err := d.programDigest()
	if err != nil {
		return engine.Plan{}, err
	}
	var docs []step.Doc
	known := false
	if d.cmd.Docs != nil {
		docs, known = d.cmd.Docs(program)
	}
	unitPath, unit := supervisor.Unit{Executable: d.Layout().Binary(), Base: d.cmd.Base}.Systemd()
	plan, err := fate.NewPlan(d.spec, fate.PlanInput{
		Facts: d.facts, Modules: p.Modules, Mode: p.Mode, Components: d.site.installedComponents(),
		SiteFile: d.SiteFile(), Site: siteFile,
		ProgramDigest: program, Docs: docs, DocsKnown: known,
		UnitName: filepath.Base(unitPath), UnitPath: unitPath, Unit: unit,
		BootScript: d.bootScript(),
	})
	return plan, usage(err)
}

// needUnpacked refuses to configure what is not there: a configuration without its programs is of no use.
func (d *Deployment) needUnpacked(ctx context.Context, plan engine.Plan) error {
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

// env gives the steps what they work with. wait is for programs that need other hosts; nil: they are not waited for.
func (d *Deployment) env(view StepsView, wait *programs.Waiter) *engine.Env {
	env := &engine.Env{
		Host:     d.host,
		Self:     selfProgram{d.payload, d.cmd.Executable},
		StateDir: d.Layout().State(),
		Parallel: d.cmd.Parallel,
		Log:      d.cmd.Log,
		Progress: view.StepProgress,
	}
	switch {
	case d.slot != nil:
		env.Payload = slotPayload{d.host, d.Layout(), d.slot}
	case d.payload != nil:
		env.Payload = pyenv.Payload(extractor{d.payload, d.host}, d.host, d.payload.Manifest(), d.spec)
	default:
		env.Payload = noPayload{}
	}
	client, err := d.cmd.Client(d.host, d.Layout().SupervisorSocket(), d.spec.AllSecrets()...)
	if err == nil { // not of a tree
		env.Services = programs.NewServices(client, view.ProgramEvent, wait,
			programs.DatabaseLogin(d.host, d.spec))
	}
	return env
}

// unpackBytes is how much of the payload this host will unpack when nothing is there yet.
func (d *Deployment) unpackBytes() int64 {
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

// Payload is the appliance; nil when this program carries none. The deployment closes it.
func (d *Deployment) Payload() *payload.Payload { return d.payload }

// Site is the request as it will be stored: what is asked for, completed by what is installed.
func (d *Deployment) Site() Site { return d.site }

// Spec is what this host is to be.
func (d *Deployment) Spec() *cluster.Spec { return d.spec }

// Facts is what was found on this host.
func (d *Deployment) Facts() *host.Facts { return d.facts }

// IsInstalled reports whether the host had an installation when it was opened.
func (d *Deployment) IsInstalled() bool { return d.stored != nil }

// Brought lists the components that the appliance brings; none without one.
func (d *Deployment) Brought() []payload.Component {
	if d.payload == nil {
		return nil
	}
	return pyenv.WithMade(d.payload.Manifest().Components)
}

// wanted is the release that a run leads to, as far as this host has its components.
func (d *Deployment) wanted() state.Release { return d.site.release(d.spec.Components()) }

// verifyPayload reads all of the appliance if anything of it is to be installed: a copy that was damaged on its way is
// to be found before anything is stopped or changed, not halfway. Unpacking checks again what it reads.
func (d *Deployment) verifyPayload(ctx context.Context) error {
	if d.payload == nil || d.slot != nil || d.stored != nil && len(d.changes()) == 0 {
		return nil
	}
	bar := d.report.WorkBegins("checking the appliance", d.payload.Size())
	defer bar.Finish()
	if _, err := d.payload.Verify(ctx,
		payload.VerifyOptions{Progress: func(done, _ int64) { bar.Set(done) }}); err != nil {
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
	payload.SaveMemory()
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
	p          *payload.Payload // nil: without one
	executable string           // the file of the program, where it carries none; blank: the running one
}

func (s selfProgram) CopyStub(w io.Writer) error {
	if s.p != nil {
		return s.p.CopyStub(w)
	}
	file, err := os.Open(cmp.Or(s.executable, "/proc/self/exe"))
	if err != nil {
		return fmt.Errorf("cannot read this program: %w", err)
	}
	defer file.Close()
	_, err = io.Copy(w, file)
	return err
}

// programDigest is the sha256 of what selfProgram copies.
func (d *Deployment) programDigest() (string, error) {
	if d.payload != nil {
		return d.payload.Manifest().Stub.SHA256, nil
	}
	return digestOf(d.cmd.Executable)
}

// digestOf is the sha256 of the file of a program that carries no payload; blank: the running one.
func digestOf(executable string) (string, error) {
	hash := sha256.New()
	err := selfProgram{nil, executable}.CopyStub(hash)
	return hex.EncodeToString(hash.Sum(nil)), err
}

// IsRunning reports whether a digest is that of the running program, or of executable in its place, without a payload.
func IsRunning(digest, executable string) bool {
	own, err := digestOf(executable)
	if err == nil && own == digest {
		return true
	}
	p, err := payload.OpenSelf()
	if err != nil {
		return false
	}
	defer p.Close()
	return p.Manifest().Stub.SHA256 == digest
}
