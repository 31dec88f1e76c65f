package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// connectTime bounds connecting to one address, unless the DSN does.
const connectTime = 3 * time.Second

// errDSN says that a DSN does not read. What the driver says of it may hold parts of it.
var errDSN = errors.New("this is no DSN of PostgreSQL: expected postgres://login:password@host/database?sslmode=verify-full, or host=… dbname=…; it may name sslrootcert files that have to be there")

// errWeak says that a DSN trusts the network.
var errWeak = errors.New("the DSN has an sslmode below verify-full for an address that is neither loopback nor a socket: whoever is on the way could answer in the place of the database. Leave sslmode out, and name sslrootcert where the authority is your own")

// parse makes the configuration of a pool of a DSN. TLS is verify-full unless the DSN says
// otherwise, whatever the environment says. Its errors hold nothing of the DSN.
func parse(dsn string) (*pgxpool.Config, error) {
	dsn, err := withDefaults(strings.TrimSpace(dsn))
	if err != nil {
		return nil, err
	}
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errDSN
	}
	cc := &c.ConnConfig.Config
	addresses := map[string]bool{}
	addresses[address(cc.Host, cc.Port)] = true
	sound := cc.TLSConfig != nil && !cc.TLSConfig.InsecureSkipVerify || isLocal(cc.Host)
	for _, f := range cc.Fallbacks {
		addresses[address(f.Host, f.Port)] = true
		sound = sound && (f.TLSConfig != nil && !f.TLSConfig.InsecureSkipVerify || isLocal(f.Host))
	}
	if !sound {
		return nil, errWeak
	}
	if len(addresses) > 1 && cc.ValidateConnect == nil {
		cc.ValidateConnect = writable
	}
	if _, stated := cc.RuntimeParams["application_name"]; !stated {
		cc.RuntimeParams["application_name"] = "aclgate"
	}
	// Nothing is kept on a connection: a pooler may give the next statement to another one.
	c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	c.ConnConfig.StatementCacheCapacity, c.ConnConfig.DescriptionCacheCapacity = 0, 0
	return c, nil
}

// writable is target_session_attrs=read-write: of several hosts, the one that takes writes.
func writable(ctx context.Context, c *pgconn.PgConn) error {
	err := pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, c)
	if err != nil && code(err) == "" && ctx.Err() == nil {
		return errStandby
	}
	return err
}

// withDefaults puts our own defaults in front of what a DSN says.
func withDefaults(dsn string) (string, error) {
	seconds := strconv.Itoa(int(connectTime / time.Second))
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		head, query, _ := strings.Cut(dsn, "?")
		values, err := url.ParseQuery(query)
		if err != nil {
			return "", errDSN
		}
		for name, value := range map[string]string{"sslmode": "verify-full", "connect_timeout": seconds} {
			if !values.Has(name) {
				values.Set(name, value)
			}
		}
		return head + "?" + values.Encode(), nil
	}
	if !strings.Contains(dsn, "=") {
		return "", errDSN
	}
	return "sslmode=verify-full connect_timeout=" + seconds + " " + dsn, nil
}

func address(host string, port uint16) string { return fmt.Sprintf("%s:%d", host, port) }

// isLocal reports whether nobody can be on the way to a host.
func isLocal(host string) bool {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// name says in messages which database a configuration means.
func name(c *pgxpool.Config) string {
	cc := &c.ConnConfig.Config
	var hosts []string
	seen := map[string]bool{}
	add := func(host string, port uint16) {
		text := net.JoinHostPort(host, strconv.Itoa(int(port)))
		if strings.HasPrefix(host, "/") {
			text = host
		}
		if !seen[text] {
			seen[text] = true
			hosts = append(hosts, text)
		}
	}
	add(cc.Host, cc.Port)
	for _, f := range cc.Fallbacks {
		add(f.Host, f.Port)
	}
	return fmt.Sprintf("PostgreSQL database %s at %s", cc.Database, strings.Join(hosts, ", "))
}
