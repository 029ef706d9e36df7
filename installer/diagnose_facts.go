package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"fate-installer/installer/audit"
	"fate-installer/installer/deploy"
	"fate-installer/installer/diagnosis"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/keys"
	"fate-installer/installer/flow"
	"fate-installer/installer/job"
)

// addState adds what is installed, and the change that is in progress or was interrupted.
func (x *collector) addState() error {
	s, err := deploy.LoadState(x.host, x.layout)
	if err != nil {
		x.missing("state of the installation", err)
		return nil
	}
	return x.addJSON(diagnosis.StateName, s)
}

// addCertificates adds until when the certificates are valid; the files themselves stay here.
func (x *collector) addCertificates() error {
	list, err := deploy.Certificates(x.host, x.layout, x.bundle.Made)
	if err != nil {
		x.missing("certificates", err)
	}
	return x.addJSON(diagnosis.CertificatesName, append([]keys.Certificate{}, list...))
}

// addKernel adds what the kernel says of processes that it killed, and of disks that fail.
func (x *collector) addKernel() error {
	if !x.host.Live() {
		return nil
	}
	records, err := x.host.KernelLog(func(text string) bool {
		return diagnosis.KernelKilled(text) || diagnosis.KernelDisk(text)
	})
	if err != nil {
		x.missing("the kernel's log", err)
		return nil
	}
	messages := []diagnosis.KernelMessage{}
	for _, r := range records[max(0, len(records)-diagnosis.MostKernel):] {
		messages = append(messages, diagnosis.KernelMessage{Time: r.Time.UTC(), Text: r.Text})
	}
	return x.addJSON(diagnosis.KernelName, messages)
}

// addVersions adds the versions that should be the same.
func (x *collector) addVersions(d *deploy.Deployment) error {
	site := d.Site()
	v := diagnosis.Versions{Program: buildVersion(), FATE: site.Env["FATE"], Recorded: site.Versions(),
		Complete: map[string]string{}, FateEnv: map[string]string{}, Rendered: site.Env}
	if s, err := deploy.LoadState(x.host, x.layout); err == nil && s.Change == nil {
		for name, c := range s.Release.Components {
			v.Complete[name] = c.Version
		}
	}
	if text, err := x.host.ReadPlain(x.layout.FateEnv(), configLimit); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
				v.FateEnv[name] = value
			}
		}
	}
	return x.addJSON(diagnosis.VersionsName, v)
}

// askHostTimeout is how long another host may take to answer.
const askHostTimeout = 5 * time.Second

// addHosts adds what the FATE-Flows of the party on other hosts say of their clock and their version. All are asked at
// once.
func (x *collector) addHosts(ctx context.Context, d *deploy.Deployment) error {
	if d == nil || !x.host.Live() {
		return nil
	}
	spec := d.Spec()
	settings := spec.Side.FateFlow
	asked := []diagnosis.OtherHost{}
	for _, ip := range settings.IPs {
		if ip != spec.IP || !spec.Runs(cluster.FateFlow) {
			asked = append(asked, diagnosis.OtherHost{Address: net.JoinHostPort(ip, strconv.Itoa(settings.HTTPPort))})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askHostTimeout)
	defer cancel()
	var group sync.WaitGroup
	for i := range asked {
		group.Go(func() {
			askHost(ctx, &asked[i], flow.Key{App: settings.AppKey, Secret: settings.SecretKey.Reveal()})
		})
	}
	group.Wait()
	return x.addJSON(diagnosis.HostsName, asked)
}

// askHost asks a FATE-Flow for its version. Its answer has a Date, in whole seconds.
func askHost(ctx context.Context, h *diagnosis.OtherHost, key flow.Key) {
	dated := &datedTransport{}
	client := &flow.Client{BaseURL: "http://" + h.Address, Key: key,
		HTTP: &http.Client{Timeout: askHostTimeout, Transport: dated}}
	began := time.Now()
	version, err := client.Version(ctx)
	took := time.Since(began)
	if dated.date.IsZero() {
		if err != nil {
			h.Error = err.Error()
		}
		return
	}
	h.FATE = version
	h.Ahead = dated.date.Add(500 * time.Millisecond).Sub(began.Add(took / 2)).Seconds()
	h.Within = (took/2 + time.Second).Seconds()
}

// datedTransport keeps the Date of the last answer. It uses no proxy: the hosts are of the cluster.
type datedTransport struct{ date time.Time }

// RoundTrip implements http.RoundTripper.
func (t *datedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	direct := &http.Transport{Proxy: nil, DisableKeepAlives: true}
	resp, err := direct.RoundTrip(r)
	if err == nil {
		t.date, _ = http.ParseTime(resp.Header.Get("Date")) // zero: it has none
	}
	return resp, err
}

// How much is looked at of jobs: those that failed in the last day, the newest, for a bounded time.
const (
	jobsTime   = time.Minute
	jobsOf     = 24 * time.Hour
	mostJobs   = 3
	jobsListed = 100
	waitsLong  = 10 * time.Minute // for cores; others that take them end
)

// addJobs adds why the last jobs failed, as job why says it.
func (x *collector) addJobs(ctx context.Context, d *deploy.Deployment) error {
	if d == nil || !x.host.Live() || d.Spec().Role == cluster.RoleExchange {
		return nil
	}
	inspector, err := job.New(d.Spec(), x.host, x.redact)
	if err != nil {
		return nil // this side has no FATE-Flow
	}
	defer inspector.Close()
	limited, cancel := context.WithTimeout(ctx, jobsTime)
	defer cancel()
	reports := diagnosis.JobReports{Jobs: []*job.Report{}, Stale: []job.Stale{}}
	listing, err := inspector.List(limited, jobsListed)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		reports.Error = err.Error()
		x.missing("why jobs failed", err)
		return x.addJSON(diagnosis.JobsName, reports)
	}
	reports.Stale = listing.Stale
	for _, l := range listing.Jobs {
		failed := l.Status == flow.StatusFailed || l.Status == flow.StatusTimeout ||
			l.Status == flow.StatusWaiting && x.bundle.Made.Sub(l.Submitted) > waitsLong
		if !failed || x.bundle.Made.Sub(l.Submitted) > jobsOf || len(reports.Jobs) == mostJobs {
			continue
		}
		r, err := inspector.Inspect(limited, l.Job)
		if err != nil {
			x.missing("why job "+l.Job+" failed", err)
			continue
		}
		reports.Jobs = append(reports.Jobs, r)
	}
	return errors.Join(ctx.Err(), x.addJSON(diagnosis.JobsName, reports))
}

// mostHistory is how many commands of the history are taken, the newest ones.
const mostHistory = 50

// addHistory adds the commands that changed this host. A tree has no history.
func (x *collector) addHistory() error {
	if !x.host.IsSystem() {
		return nil
	}
	entries, err := historyOf(x.layout).Entries()
	if err != nil {
		x.missing("history", err)
		return nil
	}
	newest := append([]audit.Entry{}, entries[max(0, len(entries)-mostHistory):]...) // not null in JSON
	return x.addJSON(diagnosis.HistoryName, newest)
}
