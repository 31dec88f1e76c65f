package jwt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Issuer is one issuer of the settings.
type Issuer struct {
	Name       string
	URL        string // as iss has it
	Audience   string // of realms that name none
	Algorithms []jose.SignatureAlgorithm
	MaxAge     time.Duration // how old its keys may be before they are read again
}

// NewIssuer returns an issuer as the settings have it.
func NewIssuer(name, url, audience string, algorithms []string, maxAge time.Duration) Issuer {
	i := Issuer{Name: name, URL: url, Audience: audience, MaxAge: maxAge}
	for _, a := range algorithms {
		i.Algorithms = append(i.Algorithms, jose.SignatureAlgorithm(a))
	}
	return i
}

// Options are what a Verifier is made of.
type Options struct {
	Issuers []Issuer
	Roots   *x509.CertPool // nil: those of the system
	Log     *slog.Logger
	// Withdrawn is called for each key that an issuer no longer has: the tokens that it signed have ended.
	Withdrawn func(issuer, kid string)
}

// Times of reading keys.
const (
	fetchFor   = 5 * time.Second
	rereadGap  = 10 * time.Second // between two readings for an unknown kid
	staleTimes = 24               // for so many times MaxAge the last good keys stay
)

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	byURL  map[string]*issuer
	client *http.Client
	log    *slog.Logger
	tell   func(issuer, kid string)
}

// issuer is one issuer with its keys.
type issuer struct {
	Issuer
	reading sync.Mutex // one reading at a time
	tried   time.Time  // when the last one began
	keys    atomic.Pointer[keySet]
	good    atomic.Int64 // when keys were last read, unix nanoseconds
	failing atomic.Bool
}

// New returns a Verifier, which knows no keys yet.
func New(o Options) *Verifier {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
		MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: fetchFor,
	}
	v := &Verifier{byURL: map[string]*issuer{}, log: o.Log, tell: o.Withdrawn, client: &http.Client{
		Transport: transport, Timeout: fetchFor,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("redirects are not followed") },
	}}
	for _, i := range o.Issuers {
		v.byURL[i.URL] = &issuer{Issuer: i}
	}
	return v
}

// Verify verifies a token that Looks like one, at now. It may wait for the keys of its issuer, for a few
// seconds.
func (v *Verifier) Verify(ctx context.Context, token []byte, now time.Time) (*Claims, error) {
	h, claims, err := parts(token)
	if err != nil {
		return nil, err
	}
	i := v.byURL[claims.Get("iss").Text]
	switch {
	case i == nil:
		return nil, errIssuer
	case !slices.Contains(i.Algorithms, h.alg):
		return nil, errAlg
	}
	c := &Claims{Issuer: i.Name}
	if err := c.read(claims, now.Unix()); err != nil { // before anything is computed or asked for
		return nil, err
	}
	key, err := v.key(ctx, i, &h, now)
	if err != nil {
		return nil, err
	}
	signed, err := jose.ParseSignedCompact(string(token), i.Algorithms)
	if err != nil {
		return nil, errForm
	}
	if _, err = signed.Verify(key); err != nil {
		return nil, errSigned
	}
	c.KeyID = key.KeyID
	return c, nil
}

// key returns the key that a token was signed with. One that is not known has the keys read again, but
// not often.
func (v *Verifier) key(ctx context.Context, i *issuer, h *header, now time.Time) (*jose.JSONWebKey, error) {
	if key := i.current(now).find(h); key != nil {
		return key, nil
	}
	if err := v.read(ctx, i, rereadGap); err != nil {
		return nil, errSilent
	}
	if key := i.current(time.Now()).find(h); key != nil {
		return key, nil
	}
	return nil, errKey
}

// current returns the keys that may be used at now, which may be none.
func (i *issuer) current(now time.Time) keySet {
	keys := i.keys.Load()
	if keys == nil || now.UnixNano()-i.good.Load() > int64(staleTimes*i.MaxAge) {
		return nil
	}
	return *keys
}

// read reads the keys of an issuer, unless that was tried less than gap ago.
func (v *Verifier) read(ctx context.Context, i *issuer, gap time.Duration) error {
	i.reading.Lock()
	defer i.reading.Unlock()
	if time.Since(i.tried) < gap {
		return nil
	}
	i.tried = time.Now()
	ctx, cancel := context.WithTimeout(ctx, fetchFor)
	defer cancel()
	keys, err := fetch(ctx, v.client, i.URL)
	if err != nil {
		if !i.failing.Swap(true) {
			v.log.Error("the keys of an issuer cannot be read: the last good ones stay for a while", "issuer", i.Name, "error", err)
		}
		return err
	}
	if i.failing.Swap(false) {
		v.log.Info("the keys of an issuer can be read again", "issuer", i.Name)
	}
	before := i.keys.Swap(&keys)
	i.good.Store(time.Now().UnixNano())
	if before != nil {
		for kid, key := range *before {
			if !same(key, keys[kid]) {
				v.log.Info("an issuer has withdrawn a key", "issuer", i.Name, "kid", kid)
				v.tell(i.Name, kid)
			}
		}
	}
	return nil
}

// Run reads the keys of all issuers again and again, until ctx ends. Those that could not be read for
// too long are withdrawn.
func (v *Verifier) Run(ctx context.Context) {
	defer v.client.CloseIdleConnections()
	var all sync.WaitGroup
	for _, i := range v.byURL {
		all.Go(func() {
			for {
				pause := i.MaxAge / 2
				if err := v.read(ctx, i, 0); err != nil {
					pause = min(pause, rereadGap)
					v.forget(i)
				}
				select {
				case <-ctx.Done():
					return
				case <-time.After(pause):
				}
			}
		})
	}
	all.Wait()
}

// Ask asks each issuer for its keys, which are not kept. It returns how many there are, by the issuer's
// name, of those that say it; the error is about the others.
func (v *Verifier) Ask(ctx context.Context) (keys map[string]int, err error) {
	defer v.client.CloseIdleConnections()
	keys = map[string]int{}
	for _, i := range v.byURL {
		have, fault := fetch(ctx, v.client, i.URL)
		if fault != nil {
			err = errors.Join(err, fmt.Errorf("the keys of issuer %s cannot be read: %w", i.Name, fault))
			continue
		}
		keys[i.Name] = len(have)
	}
	return keys, err
}

// forget withdraws keys that are too old.
func (v *Verifier) forget(i *issuer) {
	keys := i.keys.Load()
	if keys == nil || i.current(time.Now()) != nil || !i.keys.CompareAndSwap(keys, nil) {
		return
	}
	for kid := range *keys {
		v.tell(i.Name, kid)
	}
}

// Failing says of each issuer, by its name, whether its keys could not be read the last time.
func (v *Verifier) Failing() map[string]bool {
	all := map[string]bool{}
	for _, i := range v.byURL {
		all[i.Name] = i.failing.Load()
	}
	return all
}

// Audience returns the aud that an issuer's tokens have for realms that name none.
func (v *Verifier) Audience(name string) string {
	for _, i := range v.byURL {
		if i.Name == name {
			return i.Audience
		}
	}
	return ""
}

// Unavailable reports whether an error is about the issuer, not about the token.
func Unavailable(err error) bool { return errors.Is(err, errSilent) }
