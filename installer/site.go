package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"fate-installer/installer/fate"
	"fate-installer/installer/host"
	"fate-installer/installer/pyenv"
	"fate-installer/payload"
)

// site is the stored request for an installation, so that later commands on the host need no flags and
// a re-run can tell whether it is asked for the same. It may hold passwords of the cluster file: 0600, root only.
type site struct {
	Schema int    `json:"schema"`
	Role   string `json:"role"`
	Party  int    `json:"party"`
	IP     string `json:"ip"`
	User   string `json:"user"`
	Group  string `json:"group"`
	Peer   string `json:"peer,omitempty"`

	SkipOS     []string                 `json:"skip_os,omitempty"` // what of the operating system is not touched
	Sources    []siteSource             `json:"sources,omitempty"`
	Components map[string]siteComponent `json:"components"`
	Env        map[string]string        `json:"env,omitempty"`     // the payload's fate.env
	Waivers    []fate.Waiver            `json:"waivers,omitempty"` // checks that were let pass, and why
	Parties    []fate.PartyChange       `json:"parties,omitempty"` // by party add and party remove, since the cluster file
	Trust      *trust                   `json:"trust,omitempty"`   // who must have signed an appliance
}

// siteComponent has the facts about a component that a host without the appliance file needs: enough to check and to configure
// it, not enough to unpack it again.
type siteComponent struct {
	Version     string   `json:"version"`
	Digest      string   `json:"digest"`
	Size        int64    `json:"size"`
	LibraryPath []string `json:"library_path,omitempty"`
	StandIn     bool     `json:"stand_in,omitempty"`
}

// siteSource is one cluster file as it was read.
type siteSource struct {
	Name string `json:"name"`
	Data string `json:"data"`
}

// siteSchema is the version of the site file this program writes; it refuses a newer one rather than misread it.
const siteSchema = 1

// siteName is the site file's name in the state directory.
const siteName = "site.json"

// errNotInstalled says that no installation was found below the base directory.
var errNotInstalled = errors.New("nothing is installed here")

// loadSite reads the site file of the installation below base.
func loadSite(h *host.Host, layout fate.Layout) (*site, error) {
	path := filepath.Join(layout.State(), siteName)
	data, err := h.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNotInstalled
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, exitCode(withHint(fmt.Errorf("cannot read what is installed: %w", err), "run the same command with sudo"), exitUsage)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what is installed: %w", err)
	}
	var s site
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("cannot understand %s: %w", path, err)
	}
	if s.Schema > siteSchema {
		return nil, fmt.Errorf("cannot use %s: it was written by a newer fate-installer (schema %d, this one knows %d)", path, s.Schema, siteSchema)
	}
	return &s, nil
}

// encode gives the site file's content; the same site gives the same bytes.
func (s *site) encode() ([]byte, error) {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode the site file: %w", err)
	}
	return append(data, '\n'), nil
}

// request combines the flags, the cluster files and the stored site, before it is held against the host.
type request struct {
	site   site
	stored *site // what is installed, or nil
}

// readRequest merges the command line with what is installed: flags and cluster files win, the stored site fills in.
// With neither it fails with errNotInstalled and a hint.
func readRequest(g *globals, h *host.Host, opts wantedOptions) (*request, error) {
	layout := g.layout()
	stored, err := loadSite(h, layout)
	if err != nil && !errors.Is(err, errNotInstalled) {
		return nil, err
	}
	sources, err := readSources(g)
	if err != nil {
		return nil, exitCode(err, exitUsage)
	}
	skipped, err := opts.skipped()
	if err != nil {
		return nil, exitCode(err, exitUsage)
	}
	asked := site{Schema: siteSchema, Role: g.Role, Party: g.Party, IP: g.IP, User: g.User, Group: g.Group, Peer: opts.peer, Sources: sources, SkipOS: skipped}
	if stored == nil {
		if g.Role == "" && len(sources) == 0 {
			return nil, exitCode(withHint(fmt.Errorf("cannot tell what this host is: %w below %s, and neither --role nor --config was given", errNotInstalled, g.Base),
				"fate-installer --role host --party 10000, or --config with a cluster file"), exitUsage)
		}
		if g.Party == 0 && len(sources) == 0 && g.Role != string(fate.RoleExchange) {
			return nil, exitCode(withHint(fmt.Errorf("cannot tell which party this host is: --role %s was given without --party", g.Role),
				"fate-installer --role "+g.Role+" --party 10000"), exitUsage)
		}
		return &request{site: asked}, nil
	}
	if err := asked.fillFrom(stored, installOf(sources)); err != nil {
		return nil, exitCode(err, exitUsage)
	}
	return &request{site: asked, stored: stored}, nil
}

// fillFrom takes from the stored site what was not asked for, and refuses what would make this host another party.
// Only what a flag or the cluster file says was asked for: a default is not.
func (s *site) fillFrom(stored *site, written fate.Install) error {
	if s.Role != "" && s.Role != stored.Role || s.Party != 0 && stored.Party != 0 && s.Party != stored.Party {
		return withHint(fmt.Errorf("cannot make this host %s of party %d: it is %s of party %d", s.Role, s.Party, stored.Role, stored.Party),
			"fate-installer uninstall first; data is kept unless you add --purge-data")
	}
	if len(s.Sources) == 0 {
		s.Sources = stored.Sources
	}
	for _, field := range []struct{ mine, theirs *string }{{&s.Role, &stored.Role}, {&s.IP, &stored.IP}, {&s.Peer, &stored.Peer}} {
		if *field.mine == "" {
			*field.mine = *field.theirs
		}
	}
	if s.Party == 0 {
		s.Party = stored.Party
	}
	if s.User == "" && written.User == "" {
		s.User = stored.User
	}
	if s.Group == "" && written.Group == "" {
		s.Group = stored.Group
	}
	if s.SkipOS == nil {
		s.SkipOS = stored.SkipOS
	}
	s.Components, s.Env, s.Waivers, s.Parties, s.Trust = stored.Components, stored.Env, stored.Waivers, stored.Parties, stored.Trust
	return nil
}

// adopt lets a cluster file that names a party win over the route that party add gave it earlier. What party remove took
// away stays away: an old copy of the file must not bring a party back.
func (s *site) adopt(stored *site, machine host.Identity) error {
	if stored == nil || len(s.Parties) == 0 || slices.Equal(s.Sources, stored.Sources) {
		return nil
	}
	written, err := s.writtenCluster(machine)
	if err != nil {
		return err
	}
	s.Parties = slices.DeleteFunc(slices.Clone(s.Parties), func(c fate.PartyChange) bool {
		return !c.Removed && written.HasParty(fate.Role(s.Role), c.Party)
	})
	return nil
}

// usePayload takes the versions of what will be installed from the payload.
func (s *site) usePayload(m *payload.Manifest) {
	s.Components = map[string]siteComponent{}
	for _, c := range pyenv.WithMade(m.Components) {
		s.Components[c.Name] = siteComponent{c.Version, c.Digest, c.Size, c.LibraryPath, c.StandIn}
	}
	s.Env = m.Release.Env
}

// versions and libraryPaths are the two things about components that configuration files depend on.
func (s *site) versions() map[string]string {
	out := map[string]string{}
	for name, c := range s.Components {
		out[name] = c.Version
	}
	return out
}

func (s *site) libraryPaths() map[string][]string {
	out := map[string][]string{}
	for name, c := range s.Components {
		if len(c.LibraryPath) > 0 {
			out[name] = c.LibraryPath
		}
	}
	return out
}

// spec resolves the site against this host's addresses and its secrets.
func (s *site) spec(base string, machine host.Identity, secrets storedSecrets) (*fate.Spec, error) {
	cluster, err := s.cluster(machine)
	if err != nil {
		return nil, err
	}
	selection := s.selection(base, machine, secrets)
	selection.Memory, selection.CPUs = machine.Memory, machine.CPUs
	spec, err := cluster.Spec(selection)
	if err != nil {
		return nil, configError(err)
	}
	return spec, nil
}

// selection says which host the site is about, and what goes into its configuration, but for the sizes that follow the
// machine.
func (s *site) selection(base string, machine host.Identity, secrets storedSecrets) fate.Selection {
	return fate.Selection{
		Role: fate.Role(s.Role), Party: s.Party, IP: s.IP, LocalAddrs: localAddrs(machine),
		Base: base, User: s.User, Group: s.Group, SkipOS: s.SkipOS,
		Versions: s.versions(), LibraryPaths: s.libraryPaths(), Env: s.Env, Secrets: secrets.Secrets, SecretRecords: secrets.records,
	}
}

// cluster reads the cluster files, or makes the cluster of --role alone, and applies the changes made since.
func (s *site) cluster(machine host.Identity) (*fate.Cluster, error) {
	cluster, err := s.writtenCluster(machine)
	if err != nil {
		return nil, err
	}
	return cluster, configError(cluster.ChangeParties(fate.Role(s.Role), s.Parties))
}

// writtenCluster is the cluster as it was asked for.
func (s *site) writtenCluster(machine host.Identity) (*fate.Cluster, error) {
	if len(s.Sources) > 0 {
		sources := make([]fate.Source, len(s.Sources))
		for i, source := range s.Sources {
			sources[i] = fate.Source{Name: source.Name, Data: []byte(source.Data)}
		}
		cluster, err := fate.Parse(sources)
		return cluster, configError(err)
	}
	role, err := fate.ParseRole(s.Role)
	if err != nil {
		return nil, configError(err)
	}
	ip := s.IP
	if ip == "" {
		if ip, err = onlyAddress(localAddrs(machine)); err != nil {
			return nil, configError(err)
		}
	}
	return fate.DefaultCluster(role, s.Party, ip, s.Peer), nil
}

// localAddrs lists the host's own addresses that another host could use.
func localAddrs(machine host.Identity) []string {
	var out []string
	for _, a := range machine.Addresses {
		if !a.IP.IsLoopback() && !a.IP.IsLinkLocalUnicast() {
			out = append(out, a.IP.String())
		}
	}
	return out
}

// onlyAddress picks the host's address when it has just one that others can reach.
func onlyAddress(addrs []string) (string, error) {
	usable := slices.DeleteFunc(slices.Clone(addrs), func(a string) bool { return strings.Contains(a, ":") })
	switch len(usable) {
	case 1:
		return usable[0], nil
	case 0:
		if len(addrs) > 0 {
			return "", withHint(fmt.Errorf("cannot use this host's addresses (%s): FATE's programs reach each other over IPv4 only", strings.Join(addrs, ", ")),
				"give the host an IPv4 address that the other hosts reach, and name it with --ip")
		}
		return "", withHint(errors.New("cannot find this host's address: no network interface has an IPv4 address that others can reach"), "configure the network, or name the address with --ip")
	}
	return "", withHint(fmt.Errorf("cannot tell which address is this host's: it has %s", strings.Join(usable, ", ")), "name the one that the other parties reach: --ip "+usable[0])
}

func configError(err error) error { return exitCode(err, exitUsage) }

// installed gives the Spec of the installation on this host, for the commands that work on one.
func installed(g *globals) (*fate.Spec, error) {
	h, err := host.New(g.Root, nil)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	layout := g.layout()
	stored, err := loadSite(h, layout)
	if errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	if err != nil {
		return nil, exitCode(withHint(fmt.Errorf("cannot find an installation below %s: %w", g.Base, err), "install first, or name the base directory with --base"), exitUsage)
	}
	secrets, err := loadSecrets(h, layout)
	if err != nil {
		return nil, err
	}
	return stored.spec(g.Base, host.Identify(h), secrets)
}
