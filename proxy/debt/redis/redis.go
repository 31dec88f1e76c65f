// Package redis lets gateways add up what they have used in a Redis (SPEC 15.7). One script books a
// thousand buckets in one step, by the clock of the server. Nothing but these sums is kept there, and
// nothing of it is needed after a restart: a Redis that comes back empty forgives what was owed.
package redis

import (
	"context"
	"crypto/x509"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"aclgate/proxy/debt"
)

const (
	// chunk is how many buckets one call of the script books: others wait for it meanwhile.
	chunk = 1000
	// maxURL is how long a file with a URL may be.
	maxURL = 64 << 10
	// prefix stands in front of every key.
	prefix = "aclgate:"
)

//go:embed exchange.lua
var text string

var script = redis.NewScript(text)

// What a file with a URL is refused for. What it holds is not shown.
var (
	errURL  = errors.New("this is no URL of Redis: expected redis://user:password@host:port/number, rediss:// for TLS, or unix:///path")
	errSkip = errors.New("skip_verify lets whoever is on the way answer in the place of Redis: leave it out")
)

// Peer is a Redis. It implements debt.Peer.
type Peer struct {
	client *redis.Client
	name   string
	plain  bool
}

var _ debt.Peer = (*Peer)(nil)

// Open reads the URL of a Redis from a file. It connects to nothing yet. Its errors hold nothing of
// the URL.
func Open(path string) (*Peer, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxURL {
		return nil, errURL
	}
	b, err := os.ReadFile(path)
	if err != nil {
		var cause *os.PathError
		errors.As(err, &cause)
		return nil, fmt.Errorf("cannot read the file with the URL: %w", cause.Err)
	}
	o, err := parse(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, err
	}
	logging.Disable() // it would write to the standard error, whatever the settings say of the log
	return &Peer{redis.NewClient(o), "Redis at " + o.Addr, o.TLSConfig == nil && !isLocal(o.Addr)}, nil
}

// parse reads a URL.
func parse(text string) (*redis.Options, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" && u.Scheme != "unix" {
		return nil, errURL
	}
	if u.Query().Has("skip_verify") {
		return nil, errSkip
	}
	o, err := redis.ParseURL(text)
	if err != nil {
		return nil, errURL
	}
	o.MaxRetries = -1 // what was booked without an answer must not be booked again
	o.ContextTimeoutEnabled = true
	o.DialTimeout, o.DialerRetries, o.PoolSize = 2*time.Second, 1, 2
	o.Protocol, o.DisableIdentity = 2, true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

// isLocal reports whether nobody can be on the way to an address.
func isLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "localhost" {
		return true // a socket
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// Plain reports whether the credential goes over a network without TLS.
func (p *Peer) Plain() bool { return p.plain }

// Close ends all connections.
func (p *Peer) Close() error { return p.client.Close() }

// Exchange implements debt.Peer.
func (p *Peer) Exchange(ctx context.Context, r *debt.Round) ([]int64, error) {
	totals := make([]int64, 0, len(r.Names))
	for from := 0; from < len(r.Names); from += chunk {
		some, err := p.exchange(ctx, r, from, min(from+chunk, len(r.Names)))
		if err != nil {
			return nil, p.explain(err)
		}
		totals = append(totals, some...)
	}
	return totals, nil
}

func (p *Peer) exchange(ctx context.Context, r *debt.Round, from, to int) ([]int64, error) {
	keys, kinds := make([]string, 0, to-from), make([]byte, 0, to-from)
	args := append(make([]any, 0, to-from+3), r.Since.Microseconds(), r.Keep.Milliseconds(), "")
	for i := from; i < to; i++ {
		kind := byte('s')
		if r.Drains[i] {
			kind = 'd'
		}
		keys, kinds, args = append(keys, prefix+r.Names[i]), append(kinds, kind), append(args, r.Amounts[i])
	}
	args[2] = string(kinds)
	totals, err := script.Run(ctx, p.client, keys, args...).Int64Slice()
	if err == nil && len(totals) != len(keys) {
		err = errors.New("the answer has another length")
	}
	return totals, err
}

// Debts implements debt.Peer. Keys that come or go meanwhile may be missing.
func (p *Peer) Debts(ctx context.Context, most int, yield func(name string, amount int64)) error {
	now, err := p.client.Time(ctx).Result()
	for cursor := uint64(0); err == nil && most > 0; {
		var keys []string
		if keys, cursor, err = p.client.Scan(ctx, cursor, prefix+"*", chunk).Result(); err != nil {
			break
		}
		got := make([]*redis.StringCmd, len(keys))
		_, err = p.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, key := range keys {
				got[i] = pipe.Get(ctx, key)
			}
			return nil
		})
		if errors.Is(err, redis.Nil) { // one has gone
			err = nil
		}
		for i, value := range got {
			var owed, at int64
			if n, _ := fmt.Sscanf(value.Val(), "%d %d", &owed, &at); n != 2 {
				continue // a sum
			}
			if owed -= max(now.UnixMicro()-at, 0); owed > 0 && most > 0 {
				yield(strings.TrimPrefix(keys[i], prefix), owed)
				most--
			}
		}
		if cursor == 0 {
			break
		}
	}
	if err != nil {
		return p.explain(err)
	}
	return nil
}

// advice says what an answer of Redis means and what to do, by its first word.
var advice = map[string]string{
	"NOAUTH":    "it wants a password: put it into the URL",
	"WRONGPASS": "it refuses the user or the password",
	"NOPERM":    "this user may not: it needs +@scripting +get +set +incrby +pexpire +scan +time and ~aclgate:*",
	"READONLY":  "this is a replica: name the primary",
	"OOM":       "its memory is full: raise maxmemory, or let it evict (allkeys-lru)",
	"MISCONF":   "it takes no writes, because its disk is full or broken",
	"LOADING":   "it is starting",
	"MOVED":     "this is a node of a cluster: name a single Redis",
	"CROSSSLOT": "this is a node of a cluster: name a single Redis",
}

// explain says in words that may be shown what is wrong.
func (p *Peer) explain(err error) error {
	word, _, _ := strings.Cut(err.Error(), " ")
	if strings.Contains(err.Error(), "can't run this command") {
		word = "NOPERM"
	}
	var op *net.OpError
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	switch {
	case advice[word] != "":
		return fmt.Errorf("%s: %s (%s)", p.name, advice[word], word)
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s does not answer in time", p.name)
	case errors.As(err, &unknown):
		return fmt.Errorf("%s has a certificate of an authority that is not known here: if it is your own, SSL_CERT_FILE in the environment of the gateway names a PEM file with its certificate", p.name)
	case errors.As(err, &dns):
		return fmt.Errorf("%s cannot be reached: %s", p.name, dns)
	case errors.As(err, &op):
		return fmt.Errorf("%s cannot be reached: %s", p.name, op)
	}
	var says redis.Error
	if errors.As(err, &says) {
		return fmt.Errorf("%s refuses the script: %s", p.name, word)
	}
	return fmt.Errorf("%s: the connection broke, or TLS failed", p.name)
}
