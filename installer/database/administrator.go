package database

import (
	"context"
	"database/sql"
	"fmt"
	"net"

	"fate-installer/installer/answer"
	"fate-installer/installer/host"

	"github.com/go-sql-driver/mysql"
)

// OpenAdministrator prepares one connection to a server of this host, as its administrator, for whole tables: unlike
// elsewhere, what the server answers is not bounded. Times are those of UTC. The first use connects.
func OpenAdministrator(h *host.Host, socket string, password Password) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr = rootAccount, string(password), "unix", socket
	cfg.Timeout = connectTimeout
	cfg.Params = map[string]string{"time_zone": "'+00:00'"}
	cfg.Logger = answer.Silent{}
	cfg.InterpolateParams = true
	cfg.MaxAllowedPacket = 0 // what the server allows
	cfg.DialFunc = func(ctx context.Context, _, addr string) (net.Conn, error) { return h.DialUnix(ctx, addr) }
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the database at %s: %w", socket, err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1) // a database that was chosen, and settings, are of a connection
	db.SetMaxIdleConns(1)
	db.SetConnMaxLifetime(0)
	return db, nil
}
