package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/preflight"
	"fate-installer/installer/host"
	"fate-installer/installer/pyenv"
	"fate-installer/payload"
)

// Site is the stored request for an installation, so that later commands on the host need no flags and
// a re-run can tell whether it is asked for the same. It may hold passwords of the cluster file: 0600, root only.
type Site struct {
	Schema int          `json:"schema"`
	Role   cluster.Role `json:"role"`
	Party  int          `json:"party"`
	IP     string       `json:"ip"`
	User   string       `json:"user"`
	Group  string       `json:"group"`
	Peer   string       `json:"peer,omitempty"`

	SkipOS     []string              `json:"skip_os,omitempty"` // what of the operating system is not touched
	Sources    []Source              `json:"sources,omitempty"`
	Components map[string]Component  `json:"components"`
	Env        map[string]string     `json:"env,omitempty"`     // the payload's fate.env
	Waivers    []preflight.Waiver    `json:"waivers,omitempty"` // checks that were let pass, and why
	Parties    []cluster.PartyChange `json:"parties,omitempty"` // by party add and party remove, since the cluster file
	Trust      *Trust                `json:"trust,omitempty"`   // who must have signed an appliance
}

// Component has the facts about a component that a host without the appliance file needs: enough to check and to
// configure it, not enough to unpack it again.
type Component struct {
	Version     string   `json:"version"`
	Digest      string   `json:"digest"`
	Size        int64    `json:"size"`
	LibraryPath []string `json:"library_path,omitempty"`
	StandIn     bool     `json:"stand_in,omitempty"`
}

// Source is one cluster file as it was read.
type Source struct {
	Name string `json:"name"`
	Data string `json:"data"`
}

// SiteSchema is the version of the site file this program writes; it refuses a newer one rather than misread it.
const SiteSchema = 1

// SiteName is the site file's name in the state directory.
const SiteName = "site.json"

// ErrNotInstalled says that no installation was found below the base directory.
var ErrNotInstalled = errors.New("nothing is installed here")

// LoadSite reads the site file of the installation below base.
func LoadSite(h *host.Host, layout cluster.Layout) (*Site, error) {
	path := filepath.Join(layout.State(), SiteName)
	data, err := h.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotInstalled
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, exit.With(exit.Hint(fmt.Errorf("cannot read what is installed: %w", err),
			"run the same command with sudo"), exit.Usage)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what is installed: %w", err)
	}
	var s Site
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("cannot understand %s: %w", path, err)
	}
	if s.Schema > SiteSchema {
		return nil, fmt.Errorf("cannot use %s: it was written by a newer fate-installer (schema %d, this one knows %d)",
			path, s.Schema, SiteSchema)
	}
	return &s, nil
}

// Encode gives the site file's content; the same site gives the same bytes.
func (s *Site) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot encode the site file: %w", err)
	}
	return append(data, '\n'), nil
}

// fillFrom takes from the stored site what was not asked for, and refuses what would make this host another party.
// Only what a flag or the cluster file says was asked for: a default is not.
func (s *Site) fillFrom(stored *Site, written cluster.Install) error {
	if s.Role != "" && s.Role != stored.Role || s.Party != 0 && stored.Party != 0 && s.Party != stored.Party {
		return exit.Hint(fmt.Errorf("cannot make this host %s of party %d: it is %s of party %d", s.Role, s.Party,
			stored.Role, stored.Party),
			"fate-installer uninstall first; data is kept unless you add --purge-data")
	}
	if len(s.Sources) == 0 {
		s.Sources = stored.Sources
	}
	for _, field := range []struct{ mine, theirs *string }{{(*string)(&s.Role), (*string)(&stored.Role)},
		{&s.IP, &stored.IP}, {&s.Peer, &stored.Peer}} {
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
	s.Components, s.Env, s.Waivers, s.Parties, s.Trust = stored.Components, stored.Env, stored.Waivers, stored.Parties,
		stored.Trust
	return nil
}

// adopt lets a cluster file that names a party win over the route that party add gave it earlier. What party remove
// took away stays away: an old copy of the file must not bring a party back.
func (s *Site) adopt(stored *Site, machine host.Identity) error {
	if stored == nil || len(s.Parties) == 0 || slices.Equal(s.Sources, stored.Sources) {
		return nil
	}
	written, err := s.writtenCluster(machine)
	if err != nil {
		return err
	}
	s.Parties = slices.DeleteFunc(slices.Clone(s.Parties), func(c cluster.PartyChange) bool {
		return !c.Removed && written.HasParty(s.Role, c.Party)
	})
	return nil
}

// UsePayload takes the versions of what will be installed from the payload.
func (s *Site) UsePayload(m *payload.Manifest) {
	s.Components = map[string]Component{}
	for _, c := range pyenv.WithMade(m.Components) {
		s.Components[c.Name] = Component{c.Version, c.Digest, c.Size, c.LibraryPath, c.StandIn}
	}
	s.Env = m.Release.Env
}

// Versions returns the versions of the components by name. With libraryPaths it is all that configuration files depend
// on.
func (s *Site) Versions() map[string]string {
	out := map[string]string{}
	for name, c := range s.Components {
		out[name] = c.Version
	}
	return out
}

// HasStandIns reports whether components are test doubles of FATE's.
func (s *Site) HasStandIns() bool {
	for _, c := range s.Components {
		if c.StandIn {
			return true
		}
	}
	return false
}

func (s *Site) libraryPaths() map[string][]string {
	out := map[string][]string{}
	for name, c := range s.Components {
		if len(c.LibraryPath) > 0 {
			out[name] = c.LibraryPath
		}
	}
	return out
}

// spec resolves the site against this host's addresses and its secrets.
func (s *Site) spec(base string, machine host.Identity, secrets Secrets) (*cluster.Spec, error) {
	c, err := s.Cluster(machine)
	if err != nil {
		return nil, err
	}
	selection := s.Selection(base, machine, secrets)
	selection.Memory, selection.CPUs = machine.Memory, machine.CPUs
	spec, err := c.Spec(selection)
	if err != nil {
		return nil, usage(err)
	}
	return spec, nil
}

// Selection says which host the site is about, and what goes into its configuration, but for the sizes that follow the
// machine.
func (s *Site) Selection(base string, machine host.Identity, secrets Secrets) cluster.Selection {
	return cluster.Selection{
		Role: s.Role, Party: s.Party, IP: s.IP, LocalAddrs: localAddrs(machine),
		Base: base, User: s.User, Group: s.Group, SkipOS: s.SkipOS,
		Versions: s.Versions(), LibraryPaths: s.libraryPaths(), Env: s.Env, Secrets: secrets.Secrets,
		SecretRecords: secrets.Records,
	}
}

// Cluster reads the cluster files, or makes the cluster of --role alone, and applies the changes made since.
func (s *Site) Cluster(machine host.Identity) (*cluster.Cluster, error) {
	c, err := s.writtenCluster(machine)
	if err != nil {
		return nil, err
	}
	return c, usage(c.ChangeParties(s.Role, s.Parties))
}

// writtenCluster is the cluster as it was asked for.
func (s *Site) writtenCluster(machine host.Identity) (*cluster.Cluster, error) {
	if len(s.Sources) > 0 {
		sources := make([]cluster.Source, len(s.Sources))
		for i, source := range s.Sources {
			sources[i] = cluster.Source{Name: source.Name, Data: []byte(source.Data)}
		}
		c, err := cluster.Parse(sources)
		return c, usage(err)
	}
	role, err := cluster.ParseRole(string(s.Role))
	if err != nil {
		return nil, usage(err)
	}
	ip := s.IP
	if ip == "" {
		if ip, err = onlyAddress(localAddrs(machine)); err != nil {
			return nil, usage(err)
		}
	}
	return cluster.DefaultCluster(role, s.Party, ip, s.Peer), nil
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
			return "", exit.Hint(
				fmt.Errorf("cannot use this host's addresses (%s): FATE's programs reach each other over IPv4 only",
					strings.Join(addrs, ", ")),
				"give the host an IPv4 address that the other hosts reach, and name it with --ip")
		}
		return "", exit.Hint(errors.New(
			"cannot find this host's address: no network interface has an IPv4 address that others can reach"),
			"configure the network, or name the address with --ip")
	}
	return "", exit.Hint(fmt.Errorf("cannot tell which address is this host's: it has %s", strings.Join(usable, ", ")),
		"name the one that the other parties reach: --ip "+usable[0])
}

func usage(err error) error { return exit.With(err, exit.Usage) }

// installedComponents lists what is, or will be, installed, in a fixed order.
func (s *Site) installedComponents() []payload.Component {
	var out []payload.Component
	for _, name := range slices.Sorted(maps.Keys(s.Components)) {
		c := s.Components[name]
		out = append(out, payload.Component{Name: name, Version: c.Version, Digest: c.Digest, Size: c.Size,
			LibraryPath: c.LibraryPath, StandIn: c.StandIn})
	}
	return out
}
