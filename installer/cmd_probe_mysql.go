package main

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/go-sql-driver/mysql"
	"github.com/spf13/cobra"

	"fate-installer/installer/database"
	"fate-installer/installer/problem"
)

// newProbeMySQLCommand is the readiness probe of the database: a real login and a query. The port alone says nothing,
// it opens before the server lets anyone in. It is hidden because only the supervisor calls it.
func newProbeMySQLCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:    "probe-mysql",
		Short:  "Log in to the database and run SELECT 1",
		Hidden: true,
		Long: `Log in to the database with the [client] section of an option file and run SELECT 1, over its socket and then at the
address that its clients use. A server that has no account for this host there has answered, too. The password is read
from the file, so it is on no command line.

EXIT STATUS
  0    the database answered
  1    it did not`,
		Example: `  fate-installer svc probe-mysql --defaults-file /data/projects/fate/common/mysql/mysql-8.0.28/conf/probe.cnf`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runProbeMySQL(cmd.Context(), file) },
	}
	cmd.Flags().StringVar(&file, "defaults-file", "", "option `file` with user, password, socket, host and port")
	_ = cmd.MarkFlagRequired("defaults-file")
	return cmd
}

func runProbeMySQL(ctx context.Context, file string) error {
	data, err := problem.ReadRegular(file, probeFileLimit)
	if err != nil {
		return fmt.Errorf("cannot read the login: %w", err)
	}
	config, address, err := database.ClientConfig(data)
	if err != nil {
		return fmt.Errorf("cannot use %s: %w", file, err)
	}
	ctx, cancel := context.WithTimeout(ctx, probeFlowTimeout)
	defer cancel()
	if err := selectOne(ctx, config); err != nil {
		return fmt.Errorf("cannot log in to the database at %s as %s: %w", config.Addr, config.User, err)
	}
	if address == "" { // the file is of an older release
		return nil
	}
	config.Net, config.Addr = "tcp", address
	err = selectOne(ctx, config)
	if database.NoAccountHere(err) {
		return nil // all clients are on other hosts
	}
	if err != nil {
		return fmt.Errorf("cannot log in to the database at %s, where its clients do, as %s: %w", address, config.User,
			err)
	}
	return nil
}

// selectOne logs in to a database and has it answer a query.
func selectOne(ctx context.Context, config *mysql.Config) error {
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var one int
	return db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}
