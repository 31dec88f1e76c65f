package proxy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/policy/store"
	"aclgate/proxy/head"
	"aclgate/proxy/login/jwt"
)

// remembering says what tokens from elsewhere are found by, and verifies none.
type remembering struct {
	Realms
	mark func(token []byte, d *policy.Digest)
}

func (r remembering) Mark(token []byte, d *policy.Digest) { r.mark(token, d) }

func (r remembering) Bearer(context.Context, []byte, policy.Digest) (bool, *policy.User) {
	return false, nil
}

func remembers(mark func([]byte, *policy.Digest)) setup {
	return func(o *Options, _ *policy.Engine, _ *head.Config) { o.Realms = remembering{mark: mark} }
}

// marks returns what a gateway finds tokens from elsewhere by.
func marks() func([]byte, *policy.Digest) {
	m := jwt.NewMarker()
	return func(token []byte, d *policy.Digest) { m.Mark(token, (*[32]byte)(d)) }
}

// rememberedJWT is as long as those of common issuers.
var rememberedJWT = "eyJhbGciOiJSUzI1NiJ9." + strings.Repeat("a", 450) + "." + strings.Repeat("b", 342)

// remember has a fixture know rememberedJWT as it knows an acl token with these entries.
func (f *fixture) remember(entries string) *policy.Token {
	f.token(rememberedJWT, "acl", 11, entries)
	tok := f.tokens[digestOf(rememberedJWT)]
	delete(f.tokens, tok.Digest)
	f.gateway.Realms.Mark([]byte(rememberedJWT), &tok.Digest)
	f.tokens[tok.Digest] = tok
	return tok
}

// A token from elsewhere is found by its mark, and nothing that is like one or the other is.
func TestRememberedIsFoundByItsMark(t *testing.T) {
	f := leanWorld(t)
	mark := policy.Digest{}
	f.gateway.Realms.Mark([]byte(rememberedJWT), &mark)
	for _, row := range []struct {
		name, key string
		want      int
	}{
		{"itself", rememberedJWT, 200},
		{"another payload", strings.Replace(rememberedJWT, ".a", ".b", 1), 401},
		{"another signature", rememberedJWT[:len(rememberedJWT)-1] + "c", 401},
		{"a shorter signature", rememberedJWT[:len(rememberedJWT)-1], 401},
		{"a longer signature", rememberedJWT + "b", 401},
		{"its mark", fmt.Sprintf("%x", mark), 401},
		{"its digest", fmt.Sprintf("%x", store.DigestOf([]byte(rememberedJWT))), 401},
	} {
		a := newAsker(t, f, "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "+row.key+"\r\n\r\n")
		if got := string(a.room[9:12]); got != fmt.Sprint(row.want) {
			t.Errorf("%s: got %s, want %d", row.name, got, row.want)
		}
	}
}

// BenchmarkRemembered measures whole requests with a token from elsewhere and with an acl token that may
// do the same, in turn, by the CPU time of the process: client and backend, which are the same for both,
// are in it. "digest" is what a gateway would cost that finds tokens by their SHA-256.
func BenchmarkRemembered(b *testing.B) {
	const entries, burst = `[{"uri":"gw/devices","methods":["GET"],"ids":[1,2]}]`, 100
	for name, mark := range map[string]func([]byte, *policy.Digest){
		"mark": marks(), "digest": func(token []byte, d *policy.Digest) { *d = store.DigestOf(token) },
	} {
		b.Run(name, func(b *testing.B) {
			backend := startLean(b, []byte(plain(`{"result":[{"id":1,"name":"truck"}]}`)))
			f := newFixture(b, backend.url, remembers(mark))
			f.accounts([2]int64{1, 0}, [2]int64{11, 1})
			f.token(readerKey, "acl", 11, entries)
			f.remember(entries)
			var askers [2]*asker
			for i, key := range []string{readerKey, rememberedJWT} {
				askers[i] = newAsker(b, f, "GET /gw/devices/1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "+key+"\r\n\r\n")
			}
			var ofKey, more []float64 // nanoseconds of CPU a request
			for b.Loop() {
				var took [2]float64
				for i, a := range askers {
					before := cpuTime(b)
					for range burst {
						a.ask()
					}
					took[i] = float64(cpuTime(b)-before) / burst
				}
				ofKey, more = append(ofKey, took[0]), append(more, took[1]-took[0])
			}
			slices.Sort(ofKey)
			slices.Sort(more)
			b.ReportMetric(0, "ns/op") // of wall time, which says nothing here
			b.ReportMetric(ofKey[len(ofKey)/2], "cpu-ns/key")
			b.ReportMetric(more[len(more)/2], "cpu-ns-more/token")
		})
	}
}

// cpuTime returns the CPU time that this process has used.
func cpuTime(t testing.TB) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
