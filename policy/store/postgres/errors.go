package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"aclgate/policy/store"
)

// Codes of PostgreSQL (postgresql.org/docs/current/errcodes-appendix.html).
const (
	codeUnique       = "23505"
	codeReadOnly     = "25006"
	codeSerialize    = "40001"
	codeDeadlock     = "40P01"
	codeNoPrivilege  = "42501"
	codeNoTable      = "42P01"
	codeNoFunction   = "42883"
	codeNoSchema     = "3F000"
	codeNoDatabase   = "3D000"
	codeManyConns    = "53300"
	codeDiskFull     = "53100"
	codeCannotConn   = "57P03"
	codeShutdown     = "57P01"
	codeBadPassword  = "28P01"
	codeNotAllowed   = "28000"
	codeLockNotAvail = "55P03"

	codeNoStatement   = "26000"
	codeSameStatement = "42P05"
)

// advice says what a code means and what to do. The last step is the reader's.
var advice = map[string]string{
	codeReadOnly:     "this is a standby, or takes no writes: the DSN has to name the primary; with several hosts in it the gateway finds that by itself",
	codeNoPrivilege:  "this login may not: put it in aclgate_replica (store.url_file), aclgate_admin (store.admin_url_file) or aclgate_owner (store migrate --url-file); `aclgate store roles` shows how",
	codeNoTable:      "there is no schema, or an older one: run `aclgate store migrate --url-file FILE` (the DSN of a login in aclgate_owner), then `aclgate store import policy.yaml`",
	codeNoFunction:   "there is no schema, or an older one: run `aclgate store migrate --url-file FILE` (the DSN of a login in aclgate_owner)",
	codeNoSchema:     "there is no schema: run `aclgate store migrate`, then `aclgate store import policy.yaml`",
	codeNoDatabase:   "there is no such database on this server: make it with createdb, or mend the DSN",
	codeManyConns:    "the server has no connection left: raise max_connections, or put a pooler in transaction mode between",
	codeDiskFull:     "the disk of the server is full: make room; nothing was changed",
	codeCannotConn:   "the server is starting, or takes no connections now",
	codeShutdown:     "the server shuts down",
	codeBadPassword:  "the server refuses the login or its password: mend the DSN file",
	codeNotAllowed:   "the server refuses the login: pg_hba.conf, or the role itself, says so",
	codeLockNotAvail: "somebody holds the store locked in a transaction that is open: end that one (pg_stat_activity shows it)",
}

// classes are those of advice where the code itself has none. What the server says of them may hold
// values of rows, and is not shown.
var classes = map[string]string{
	"22": "the schema refuses the record: a value is of the wrong kind",
	"23": "the schema refuses the record: a value is missing, of the wrong kind, or refers to a record that is not there",
	"28": "the server refuses the login",
}

// code returns the SQLSTATE of an error; "" of one that is not the server's.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// isStandby reports whether an answer shows that a connection leads where nothing can be written.
func isStandby(err error) bool { return code(err) == codeReadOnly || errors.Is(err, errStandby) }

// errStandby says that an answer came from a standby, which may be behind.
var errStandby = errors.New("this is a standby: the DSN has to name the primary; with several hosts in it the gateway finds that by itself")

// errSilent says that the server did not answer in time.
var errSilent = errors.New("the server does not answer in time: it is overloaded, stopped, or a transaction that somebody left open holds the store locked (pg_stat_activity shows it)")

// fault is an error in words that may be shown, in front of what may not.
type fault struct {
	text  string
	cause error
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.cause }

// explain says of an error of the driver or the server which database it is about and what to do.
// It shows neither what the driver says, which may hold parts of the DSN, nor what the server says
// of values. Others stay as they are.
func (e *Engine) explain(err error) error {
	if text := words(err); text != "" {
		return &fault{e.name + ": " + text, err}
	}
	return err
}

// words says what is wrong; "" of what needs no other words.
func words(err error) string {
	var done *fault
	var server *pgconn.PgError
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case err == nil, errors.As(err, &done), errors.Is(err, store.ErrTaken), errors.Is(err, store.ErrNoRow), errors.Is(err, context.Canceled):
		return ""
	case errors.As(err, &server):
		return serverSays(server)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), pgconn.Timeout(err):
		return errSilent.Error()
	case errors.As(err, &connect) && !errors.Is(err, errStandby):
		return "the server cannot be reached: " + reach(err)
	case errors.As(err, &network), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, pgx.ErrTxClosed), errors.Is(err, pgx.ErrTxCommitRollback):
		return "the connection to the server broke"
	}
	for _, plain := range []error{errStandby, errSilent, errNoHead, errOld, errEncoding, errNoRoles} {
		if errors.Is(err, plain) {
			return plain.Error()
		}
	}
	return ""
}

// serverSays puts an error of the server in words.
func serverSays(e *pgconn.PgError) string {
	if text, found := advice[e.Code]; found {
		return fmt.Sprintf("%s (SQLSTATE %s)", text, e.Code)
	}
	if text, found := classes[e.Code[:min(2, len(e.Code))]]; found {
		return fmt.Sprintf("%s (SQLSTATE %s)", text, e.Code)
	}
	return fmt.Sprintf("%s (SQLSTATE %s)", e.Message, e.Code)
}

// reach says why a connection failed, in words that hold nothing of a DSN but the address.
func reach(err error) string {
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return dns.Error()
	case errors.As(err, &op):
		return op.Error()
	}
	return "the handshake failed: TLS is verify-full unless the DSN says otherwise, so the server needs a certificate for its name (sslrootcert names an authority of your own; ?sslmode=disable does for a server on this machine)"
}
