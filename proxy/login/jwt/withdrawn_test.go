package jwt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"aclgate/proxy/login/jwt/jwttest"
)

const (
	maxAge    = time.Hour
	elsewhere = "https://id.example.com"
)

// issuerOf is an issuer that is asked without a network, so that the clock is the test's.
type issuerOf struct {
	mu    sync.Mutex
	keys  []jose.JSONWebKey
	fails int  // so many readings fail from now on
	hangs bool // they hang instead
}

func (i *issuerOf) set(fails int, hangs bool, keys ...jose.JSONWebKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fails, i.hangs, i.keys = fails, hangs, keys
}

// RoundTrip implements http.RoundTripper.
func (i *issuerOf) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fails > 0 {
		i.fails--
		if i.hangs {
			i.mu.Unlock()
			<-r.Context().Done()
			i.mu.Lock()
		}
		return nil, errors.New("no answer")
	}
	text := fmt.Appendf(nil, `{"issuer":%q,"jwks_uri":%q}`, elsewhere, elsewhere+"/keys")
	if r.URL.Path == "/keys" {
		text, _ = json.Marshal(jose.JSONWebKeySet{Keys: i.keys})
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(text)), Request: r}, nil
}

// withClock runs a test with a verifier whose keys are kept young, and the clock of a bubble. withdrawn
// holds when a key was reported as withdrawn. The keys have just been read for the first time.
func withClock(t *testing.T, test func(t *testing.T, i *issuerOf, accepts func() bool, withdrawn chan time.Time)) {
	t.Helper()
	key := jwttest.New(t).RSA
	synctest.Test(t, func(t *testing.T) {
		i := &issuerOf{keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "rsa"}}}
		withdrawn := make(chan time.Time, 1)
		v := New(Options{
			Issuers: []Issuer{NewIssuer("corp", elsewhere, "", []string{"RS256"}, maxAge)}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Withdrawn: func(_, kid string) { withdrawn <- time.Now() },
		})
		v.client.Transport = i
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan bool)
		go func() { v.Run(ctx); close(done) }()
		defer func() { cancel(); <-done }()
		synctest.Wait()
		token := []byte(jwttest.Sign(t, key, `{"alg":"RS256","kid":"rsa"}`, fmt.Sprintf(`{"iss":%q,"sub":"anna","aud":"aclgate","iat":%d,"exp":%d}`,
			elsewhere, time.Now().Unix(), time.Now().Add(1000*time.Hour).Unix())))
		accepts := func() bool { _, err := v.Verify(ctx, token, time.Now()); return err == nil }
		if !accepts() {
			t.Fatal("the token is not accepted")
		}
		test(t, i, accepts, withdrawn)
	})
}

// A key that leaves the JWKS ends what it has signed within jwks_max_age, whenever that happens between two
// readings, and where some of them fail or hang: until a known moment it is accepted, from then on not.
func TestAWithdrawnKeyEndsWithinMaxAge(t *testing.T) {
	const half = maxAge / 2 // between two readings
	other := jose.JSONWebKey{Key: jwttest.New(t).EC.Public(), KeyID: "ec"}
	for _, row := range []struct {
		name  string
		after time.Duration // the first reading
		fails int           // each is a discovery document that does not come
		hangs bool
		want  time.Duration // until the end of its tokens
	}{
		{"right after a reading", 1, 0, false, half - 1},
		{"between two", half / 2, 0, false, half / 2},
		{"right before one", half - 1, 0, false, 1},
		{"after many", 7*half + 1, 0, false, half - 1},
		{"readings fail", 1, 100, false, half - 1 + 100*rereadGap},
		{"readings hang", 1, 50, true, half - 1 + 50*(fetchFor+rereadGap)},
	} {
		withClock(t, func(t *testing.T, i *issuerOf, accepts func() bool, withdrawn chan time.Time) {
			time.Sleep(row.after)
			i.set(row.fails, row.hangs, other)
			left := time.Now()
			if row.want > maxAge {
				t.Fatalf("%s: %v is beyond jwks_max_age", row.name, row.want)
			}
			time.Sleep(row.want - 1)
			synctest.Wait()
			if len(withdrawn) > 0 || !accepts() {
				t.Errorf("%s: its tokens have ended before %v", row.name, row.want)
			}
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			if len(withdrawn) == 0 || accepts() {
				t.Errorf("%s: its tokens have not ended after %v", row.name, row.want)
			} else if took := (<-withdrawn).Sub(left); took != row.want {
				t.Errorf("%s: got %v, want %v", row.name, took, row.want)
			}
		})
	}
}

// While an issuer does not answer its last good keys stay for 24 times jwks_max_age, and not a moment longer;
// what they have signed is reported as ended at the next try.
func TestLastGoodKeysStayForAWhile(t *testing.T) {
	withClock(t, func(t *testing.T, i *issuerOf, accepts func() bool, withdrawn chan time.Time) {
		i.set(1<<30, false)
		time.Sleep(staleTimes * maxAge)
		synctest.Wait()
		if len(withdrawn) > 0 || !accepts() {
			t.Error("the keys are gone at 24 times jwks_max_age")
		}
		time.Sleep(time.Nanosecond)
		if accepts() {
			t.Error("the keys stay longer than 24 times jwks_max_age")
		}
		time.Sleep(rereadGap)
		synctest.Wait()
		if len(withdrawn) == 0 {
			t.Error("nobody is told that the keys are gone")
		}
	})
}
