// Sqlclient carries out the SQL statements of its standard input on a database server, one after the other, as the
// administrator of that server does with the client that the server came with. It prints the rows that they return,
// with tabs between the columns, and ends at the first error.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-sql-driver/mysql"
)

func main() {
	config := mysql.NewConfig()
	flag.StringVar(&config.User, "user", "root", "account")
	flag.StringVar(&config.Passwd, "password", "", "its password")
	socket := flag.String("socket", "", "connect to this unix socket")
	address := flag.String("address", "", "connect to this HOST:PORT, with TLS and without checking the certificate")
	flag.Parse()
	config.Net, config.Addr = "unix", *socket
	if *address != "" {
		config.Net, config.Addr, config.TLSConfig = "tcp", *address, "skip-verify"
	}
	if err := run(context.Background(), config, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, config *mysql.Config, in io.Reader, out io.Writer) error {
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	statement := ""
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if line := lines.Text(); !strings.HasPrefix(line, "--") {
			statement += line + "\n"
		}
		text, complete := strings.CutSuffix(strings.TrimSpace(statement), ";")
		if !complete {
			continue
		}
		if err := query(ctx, db, text, out); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		statement = ""
	}
	if rest := strings.TrimSpace(statement); rest != "" {
		return errors.New("no semicolon ends " + rest)
	}
	return nil
}

func query(ctx context.Context, db *sql.DB, statement string, out io.Writer) error {
	rows, err := db.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		words := make([]string, len(cells))
		for i, c := range cells {
			words[i] = c.String
		}
		fmt.Fprintln(out, strings.Join(words, "\t"))
	}
	return rows.Err()
}
