//go:build e2e

package e2e

import (
	"os"
	"strings"
	"testing"
)

// silentJob is a toy job between two parties whose workers say nothing to each other for as many seconds as the fourth
// argument says. The other arguments: address of FATE-Flow, the guest's party, the host's.
const silentJob = `import json, sys, time, urllib.request
address, guest, host, silence = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
def call(path, body):
    request = urllib.request.Request("http://" + address + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    answer = json.load(urllib.request.urlopen(request, timeout=60))
    if answer["retcode"]:
        sys.exit("%s: %s" % (path, answer))
    return answer
conf = {"dsl_version": 2, "initiator": {"role": "guest", "party_id": guest}, "role": {"guest": [guest], "host": [host]},
        "job_parameters": {"common": {"task_cores": 1, "standin_seconds": silence}}}
dsl = {"components": {"secure_add_example_0": {"module": "SecureAddExample"}}}
job = call("/v1/job/submit", {"job_dsl": dsl, "job_runtime_conf": conf})["jobId"]
begin = time.time()
while True:
    status = call("/v1/job/query", {"job_id": job, "role": "guest"})["data"][0]["f_status"]
    if status in ("success", "failed", "canceled", "timeout") or time.time() > begin + silence + 120:
        break
    time.sleep(1)
print(status)
`

// The middle forgets connections after idleLimit seconds. The host's TCP asks after 60 s of silence.
const (
	idleLimit  = "75"
	jobSilence = "110"
)

// TestForgettingMiddle has a firewall between two parties that forgets idle connections and then drops what it does not
// know, as many do. A job whose parties say nothing for longer than that passes, since the hosts' TCP keeps connections
// in use. Without that setting the connection is lost: this shows that the middle forgets.
func TestForgettingMiddle(t *testing.T) {
	t.Parallel()
	if os.Getenv("FATE_E2E_HOSTS") == "" {
		onlyLong(t)
	}
	b := newBench(t, "host=192.168.0.1", "guest=192.168.1.1", "middle=192.168.2.1")
	b.addPackages("middle", nftables...)
	b.run("middle", "sh", "-ec",
		`for key in all default host0; do echo 0 >/proc/sys/net/ipv4/conf/$key/send_redirects; done
		echo 1 >/proc/sys/net/ipv4/ip_forward
		nft add table inet site
		nft 'add chain inet site forward { type filter hook forward priority 0; policy drop; }'
		nft add rule inet site forward ct state established,related accept
		nft add rule inet site forward 'tcp flags & (fin|syn|rst|ack) == syn ct state new accept'
		nft add rule inet site forward ip protocol icmp accept
		echo 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_loose
		echo `+idleLimit+` >/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established`)
	for host, other := range map[string]string{"host": "192.168.1.1", "guest": "192.168.0.1"} {
		b.run(host, "sh", "-ec",
			`for key in all default host0; do echo 0 >/proc/sys/net/ipv4/conf/$key/accept_redirects; done
			ip route add `+other+`/32 via 192.168.2.1 dev host0`)
	}
	b.install("host", "--role", "host", "--party", "10000", "--peer", "192.168.1.1:9370")
	b.install("guest", "--role", "guest", "--party", "9999", "--peer", "192.168.0.1:9370")
	b.awaitReady("host", modulesOfParty...)
	b.awaitReady("guest", modulesOfParty...)
	b.toy("guest", "--guest", "9999", "--host", "10000")

	b.step("a job that is silent for longer than the middle remembers passes", func(b bench) {
		if status := b.silentJob("guest"); status != "success" {
			b.t.Errorf("the job ended with %q", status)
		}
		b.toy("guest", "--guest", "9999", "--host", "10000")
	})
	b.step("party test says that an idle connection lives", func(b bench) {
		out := b.run("guest", "fate-installer", "party", "test", "--idle", jobSilence+"s")
		if want := "a connection that was idle for 1m50s still works"; !strings.Contains(out, want) {
			b.t.Errorf("party test does not say %q:\n%s", want, out)
		}
	})
	b.step("without the keepalive of TCP the middle forgets", func(b bench) {
		for _, host := range []string{"host", "guest"} {
			b.run(host, "sh", "-c", "echo 7200 >/proc/sys/net/ipv4/tcp_keepalive_time")
		}
		out, code, err := b.try("guest", "fate-installer", "party", "test", "--idle", jobSilence+"s")
		want := "something on the way forgets a connection that is idle for 1m50s; with a keepalive packet each " +
			"minute it keeps it"
		if err != nil || code != 0 || !strings.Contains(out, want) {
			b.t.Errorf("party test --idle: exit status %d (%v), want 0 and %q\n%s", code, err, want, out)
		}
	})
}

// silentJob runs the silent job from a host, and returns the status it ends with.
func (b bench) silentJob(host string) string {
	b.t.Helper()
	return strings.TrimSpace(b.run(host, labPython, "-c", silentJob, "192.168.1.1:9380", "9999", "10000", jobSilence))
}
