package peer

// Status is the outcome of one check.
type Status string

// The outcomes, from good to bad.
const (
	OK      Status = "ok"
	Skipped Status = "skipped" // could not be decided; Measured says why
	Warning Status = "warning" // works, but is not as safe as it should be
	Failed  Status = "failed"
)

// Direction is which side opened the connection.
type Direction string

// The directions, as seen from the host that the test is run on.
const (
	Out  Direction = "out"
	Back Direction = "back"
)

// Result is the finding of one check.
type Result struct {
	Party     string    `json:"party"`            // whose messages go this way
	Direction Direction `json:"direction"`        // out, or back for the way here
	Address   string    `json:"address"`          // IP:PORT that was tested
	Check     string    `json:"check"`            // name, tcp, tls, clear-text, grpc, party, size, clock, back, idle
	Status    Status    `json:"status"`           // ok, skipped, warning or failed
	Measured  string    `json:"measured"`         // what was found
	Remedy    string    `json:"remedy,omitempty"` // what to do
}

// Target is where messages for parties go next.
type Target struct {
	Label   string   // the party of the route: an id, or default
	Parties []string // ids that are to answer there; none: not known
	Addr    string   // host:port
	Secure  bool     // the port speaks TLS
	Plain   string   // host:port where the same rollsite listens in clear text; blank: not known
}

// report collects the results for one target.
type report struct {
	target  Target
	results []Result
}

func (r *report) add(check string, status Status, remedy, measured string) {
	r.results = append(r.results, Result{
		Party: r.target.Label, Direction: Out, Address: r.target.Addr, Check: check, Status: status, Measured: measured,
		Remedy: remedy,
	})
}

// mtuInDoubt takes back that the size of packets is right: it is this host's idea of it, which a large message
// disproves.
func (r *report) mtuInDoubt() {
	for i := range r.results {
		if m := &r.results[i]; m.Check == "mtu" && m.Status == OK {
			m.Status = Warning
			m.Measured += ", as far as this host knows; the check size shows that it is too much"
			m.Remedy = "see the check size"
		}
	}
}
