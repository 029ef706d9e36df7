package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/spf13/cobra"

	"fate-installer/installer/answer"
	"fate-installer/installer/deploy/programs"
	"fate-installer/installer/problem"
	"fate-installer/supervisor"
)

// newProbeNodesCommand is the readiness probe of the clustermanager. Its port opens at once, but a job that begins
// before all nodemanagers are registered fails: eggroll places tables on nodes that its session does not know.
func newProbeNodesCommand() *cobra.Command {
	var opts probeNodesOptions
	cmd := &cobra.Command{
		Use:    "probe-nodes --conf FILE HOST:PORT...",
		Short:  "Check that every nodemanager is registered and answers",
		Hidden: true,
		Long: `Check that each of the nodemanagers is HEALTHY in eggroll's table server_node, and accepts a connection. The
database and its account are read from eggroll.properties.

A nodemanager of eggroll 2.5 registers itself: its first heartbeat says INIT, and the second, 10 seconds later, HEALTHY,
which no job needs to wait for. After it was killed its row is HEALTHY until the new one announces itself. With --seen
a nodemanager counts only when it has sent a heartbeat since it began to answer, and its first one makes it HEALTHY; the
file keeps what earlier checks have seen.

A nodemanager of eggroll before 2.5 sends no heartbeats, and its row is the one that the installer wrote. With --own-status
this check owns the status: a nodemanager that has not answered for 20 s becomes LOSS, so that eggroll plans no job on
it, and HEALTHY again when it has answered for 5 s. The last HEALTHY one stays HEALTHY. INIT, which eggroll 2.5 leaves
when it is rolled back, counts as LOSS. Any other status was set by hand and is kept.

EXIT STATUS
  0    all are registered and answer
  1    one is missing, which is named, or the database does not answer`,
		Example: `  fate-installer svc probe-nodes --conf /data/projects/fate/eggroll/conf/eggroll.properties 192.168.0.1:4671`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runProbeNodes(cmd.Context(), opts, args)
		},
	}
	cmd.Flags().StringVar(&opts.conf, "conf", "", "eggroll.properties `file`")
	cmd.Flags().StringVar(&opts.seen, "seen", "",
		"`file` that keeps the heartbeats that were seen; without it none is needed")
	cmd.Flags().StringVar(&opts.ownStatus, "own-status", "",
		"set the status of nodemanagers; `file` that keeps since when each answers")
	_ = cmd.MarkFlagRequired("conf")
	cmd.MarkFlagsMutuallyExclusive("seen", "own-status")
	return cmd
}

// probeNodesOptions are the flags of probe-nodes: names of files.
type probeNodesOptions struct{ conf, seen, ownStatus string }

// probeNodesTimeout leaves the supervisor's time limit for a probe to probes that hang.
const probeNodesTimeout = 4 * time.Second

// nodeTimeout is for one connection to a nodemanager. It leaves time to write that there was none.
const nodeTimeout = 2500 * time.Millisecond

func runProbeNodes(ctx context.Context, opts probeNodesOptions, nodes []string) error {
	ctx, cancel := context.WithTimeout(ctx, probeNodesTimeout)
	defer cancel()
	data, err := problem.ReadRegular(opts.conf, probeFileLimit)
	if err != nil {
		return fmt.Errorf("cannot read eggroll's configuration: %w", err)
	}
	config, err := metaDatabase(data)
	if err != nil {
		return fmt.Errorf("cannot use %s: %w", opts.conf, err)
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	switch {
	case opts.seen != "":
		beats := readHeartbeats(opts.seen, bootID(), ownNode(os.Getenv(supervisor.DependantsVar)), bootClock())
		return errors.Join(checkNodes(ctx, db, nodes, beats, nil), beats.write(opts.seen, bootClock()))
	case opts.ownStatus != "":
		answers := readNodeAnswers(opts.ownStatus, bootID(), bootClock())
		return errors.Join(checkNodes(ctx, db, nodes, nil, answers), answers.write(opts.ownStatus, bootClock()))
	}
	return checkNodes(ctx, db, nodes, nil, nil)
}

// Keys of eggroll.properties with the metadata database.
const (
	jdbcURL      = "eggroll.resourcemanager.clustermanager.jdbc.url"
	jdbcUser     = "eggroll.resourcemanager.clustermanager.jdbc.username"
	jdbcPassword = "eggroll.resourcemanager.clustermanager.jdbc.password"
)

// metaDatabase reads the login of the metadata database from eggroll.properties, whose values this program writes
// without escapes. The URL is jdbc:mysql://HOST:PORT/SCHEMA?OPTIONS; the options are Connector/J's own.
func metaDatabase(properties []byte) (*mysql.Config, error) {
	values := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(properties))
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok && !strings.HasPrefix(key, "#") {
			values[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	url, ok := strings.CutPrefix(values[jdbcURL], "jdbc:mysql://")
	address, rest, ok2 := strings.Cut(url, "/")
	if !ok || !ok2 || address == "" {
		return nil, fmt.Errorf("%s is not the URL of a MySQL database", jdbcURL)
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(address, "3306")
	}
	schema, _, _ := strings.Cut(rest, "?")
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", address, schema
	config.User, config.Passwd = values[jdbcUser], values[jdbcPassword]
	config.Timeout, config.ReadTimeout = probeNodesTimeout, probeNodesTimeout
	config.Logger = answer.Silent{}
	return config, nil
}

// healthy is the status of a node that gets work.
const healthy = "HEALTHY"

// serverNode is a row of server_node.
type serverNode struct{ status, heartbeat string }

// checkNodes names the nodemanagers that are not registered as HEALTHY or do not accept a connection, and with beats
// those that have sent no heartbeat since they did. First it sets the status: with beats that of those that have sent
// their first heartbeat, with answers that of those that have answered, or have not, for long enough.
func checkNodes(ctx context.Context, db *sql.DB, nodes []string, beats *heartbeats, answers *nodeAnswers) error {
	// The rows are read last: the other way round the last heartbeat of a nodemanager that dies in between would count
	// as the first one of the next.
	refused := programs.DialAll(ctx, nodes, nodeTimeout)
	rows, err := registeredNodes(ctx, db)
	if err != nil {
		return err
	}
	if answers != nil {
		now := bootClock()
		for i, node := range nodes {
			answers.note(node, refused[i] == nil, now)
		}
		if err := setNodeStatus(ctx, db, rows, answers.changes(rows, nodes, now)); err != nil {
			return err
		}
	}
	announced := beats.announced(rows, nodes, refused)
	if beats != nil {
		if err := setNodeStatus(ctx, db, rows, announced.changes(rows)); err != nil {
			return err
		}
	}
	var texts []string
	for i, node := range nodes {
		row, registered := rows[node]
		switch {
		case !registered:
			texts = append(texts, fmt.Sprintf("nodemanager %s is not registered: server_node has no row for it", node))
		case refused[i] != nil && row.status == healthy:
			texts = append(texts, fmt.Sprintf("nodemanager %s does not answer, and jobs are still planned on it: %v",
				node, refused[i]))
		case refused[i] != nil:
			texts = append(texts, fmt.Sprintf("nodemanager %s does not answer, and no job is planned on it (%s): %v",
				node, row.status, refused[i]))
		case row.status != healthy:
			texts = append(texts, fmt.Sprintf("nodemanager %s is %s in server_node, not %s", node, row.status, healthy))
		case beats != nil && !announced[node]:
			texts = append(texts, fmt.Sprintf("nodemanager %s has sent no heartbeat since it began to answer", node))
		}
	}
	if len(texts) > 0 {
		return errors.New(strings.Join(texts, "; ")) // in one line, for the status
	}
	return nil
}

// registeredNodes reads the row of each nodemanager by HOST:PORT.
func registeredNodes(ctx context.Context, db *sql.DB) (map[string]serverNode, error) {
	rows, err := db.QueryContext(ctx, `SELECT host, port, COALESCE(status, ''), COALESCE(last_heartbeat_at, '')
		FROM server_node WHERE node_type = 'NODE_MANAGER'`)
	if err != nil {
		return nil, fmt.Errorf("cannot read server_node: %w", err)
	}
	defer rows.Close()
	out := map[string]serverNode{}
	for rows.Next() {
		var host, port string
		var row serverNode
		if err := rows.Scan(&host, &port, &row.status, &row.heartbeat); err != nil {
			return nil, fmt.Errorf("cannot read server_node: %w", err)
		}
		row.status = cmp.Or(row.status, "without a status")
		if node := net.JoinHostPort(host, port); out[node].status != healthy {
			out[node] = row
		}
	}
	return out, rows.Err()
}
