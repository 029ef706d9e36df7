package job

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"sync"
	"time"

	"fate-installer/installer/answer"
	"fate-installer/installer/exit"
	"fate-installer/installer/fate/cluster"
	"fate-installer/installer/fate/render"
	"fate-installer/installer/flow"
	"fate-installer/installer/host"
	"fate-installer/installer/redact"

	"github.com/go-sql-driver/mysql"
)

// Inspector finds out about jobs on a host of a party: from FATE-Flow, from its database when FATE-Flow does not
// answer, and from the logs and programs of this host.
type Inspector struct {
	spec   *cluster.Spec
	host   *host.Host
	client *flow.Client
	redact redact.Redactor
	now    func() time.Time

	db       *sql.DB // opened when it is needed
	source   string  // where records come from: fate_flow or database
	noAnswer error   // why FATE-Flow was not asked any more
}

// Where records of jobs come from.
const (
	fromFlow     = "fate_flow"
	fromDatabase = "database"
)

// recordTimeout is for one question to FATE-Flow. It answers at once, or when all of its workers are taken, never.
const recordTimeout = 15 * time.Second

// New prepares an inspection of the party of spec on its host, which stays the caller's to close. A side without a
// FATE-Flow is an error.
func New(spec *cluster.Spec, h *host.Host, secrets redact.Redactor) (*Inspector, error) {
	client, err := FlowClient(spec)
	if err != nil {
		return nil, err
	}
	client.HTTP = flow.NewHTTP(recordTimeout)
	return &Inspector{spec: spec, host: h, client: client, redact: secrets, now: time.Now, source: fromFlow}, nil
}

// Close ends the connection to the database.
func (x *Inspector) Close() {
	if x.db != nil {
		_ = x.db.Close() // it was only read
	}
}

// read asks FATE-Flow, and the database when FATE-Flow does not answer. Once FATE-Flow has not answered, it is not
// asked again: each question would take as long.
func (x *Inspector) read(ctx context.Context, ask func(flow.Records) error) error {
	if x.source == fromFlow {
		err := ask(x.client)
		var refused *flow.Error
		if err == nil || ctx.Err() != nil || errors.As(err, &refused) &&
			refused.Retcode == flow.RetcodeAuthentication {
			return err
		}
		x.noAnswer = err
	}
	records, err := x.database()
	if err == nil {
		err = ask(records)
	}
	if err != nil {
		return exit.DefaultHint(fmt.Errorf("cannot find out about jobs: %w\nand FATE-Flow's database: %w", x.noAnswer,
			err),
			"fate-installer svc why fate-fateflow")
	}
	x.source = fromDatabase
	return nil
}

// database reaches FATE-Flow's own tables with the account of the programs, through the socket where the server is on
// this host.
func (x *Inspector) database() (flow.Database, error) {
	if x.db != nil {
		return flow.Database{DB: x.db}, nil
	}
	side := x.spec.Side
	if len(side.MySQL.IPs) == 0 || x.spec.Secrets.MySQLUser.IsZero() {
		return flow.Database{}, errors.New("this host has no login for it")
	}
	config := mysql.NewConfig()
	config.User, config.Passwd, config.DBName = side.MySQL.User, x.spec.Secrets.MySQLUser.Reveal(), side.FateFlow.DBName
	config.Net, config.Addr = "tcp", net.JoinHostPort(side.MySQL.IPs[0], strconv.Itoa(side.MySQL.Port))
	if db, ok := render.DatabaseOf(x.spec); ok && db.Socket != "" {
		config.Net, config.Addr = "unix", db.Socket
		config.DialFunc = func(ctx context.Context, _, addr string) (net.Conn, error) {
			return x.host.DialUnix(ctx, addr) // the socket is in a directory of the service user
		}
	} else {
		config.TLSConfig = "preferred"
	}
	config.Timeout, config.ReadTimeout, config.WriteTimeout = 5*time.Second, recordTimeout, recordTimeout
	config.Logger = answer.Silent{}
	var bound answer.Bound
	bound.Configure(config)
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return flow.Database{}, err
	}
	x.db = bound.Open(connector)
	return flow.Database{DB: x.db}, nil
}

// Jobs reads the records of jobs that have these values; a key is the name of a column without its f_.
func (x *Inspector) Jobs(ctx context.Context, filter map[string]any) (out []flow.Job, err error) {
	err = x.read(ctx, func(r flow.Records) (err error) { out, err = r.Jobs(ctx, filter); return err })
	return out, err
}

// Tasks reads the records of tasks that have these values.
func (x *Inspector) Tasks(ctx context.Context, filter map[string]any) (out []flow.Task, err error) {
	err = x.read(ctx, func(r flow.Records) (err error) { out, err = r.Tasks(ctx, filter); return err })
	return out, err
}

// validID is the form of FATE-Flow's identifiers: the time of the submission and a counter. They are names of
// directories.
var validID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9]{8,32}$`)
})

// CheckID refuses what is no job identifier of FATE-Flow. One is a name of a directory, too.
func CheckID(id string) error {
	if !validID().MatchString(id) {
		return exit.With(exit.Hint(fmt.Errorf("cannot look up job %q: a job's identifier is a number such as "+
			"202611290938001234560", id),
			"fate-installer job list"), exit.Usage)
	}
	return nil
}

// Unfinished reports whether FATE-Flow records a job or task in that state as not ended.
func Unfinished(status string) bool { return !flow.Finished(status) }

// staleAfter is how long after the end of its job a task may be recorded as running: FATE-Flow ends the tasks of a job
// after the job.
const staleAfter = time.Minute

// staleTasks are the tasks that are recorded as running although their job has ended. FATE-Flow leaves them when it was
// killed while it ran them.
func staleTasks(jobs []flow.Job, tasks []flow.Task, now time.Time) []flow.Task {
	over := map[flow.Text]bool{}
	for _, j := range jobs {
		ended := flow.Finished(j.Status) && (j.Ended.IsZero() || now.Sub(j.Ended.Time) > staleAfter)
		before, seen := over[j.ID]
		over[j.ID] = ended && (before || !seen)
	}
	var out []flow.Task
	for _, t := range tasks {
		if over[t.Job] && (t.PartyStatus == flow.StatusRunning || t.PartyStatus == "" &&
			t.Status == flow.StatusRunning) {
			out = append(out, t)
		}
	}
	return out
}
