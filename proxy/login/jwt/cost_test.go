package jwt_test

import (
	"context"
	"crypto/x509"
	"flag"
	"io"
	"log/slog"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"aclgate/proxy/login/jwt"
	"aclgate/proxy/login/jwt/jwttest"
)

var long = flag.Bool("long", false, "measure what hostile tokens cost")

// TestHostileCost measures: no hostile token costs more than 1 ms of CPU once the keys are read.
func TestHostileCost(t *testing.T) {
	if !*long {
		t.Skip("it measures: with -long")
	}
	i := jwttest.New(t)
	v := verifier(i, nil)
	verify := func(token string) { _, _ = v.Verify(context.Background(), []byte(token), now) }
	verify(jwttest.Sign(t, i.RSA, rs256, claims(i)))
	dearest, which := time.Duration(0), ""
	for name, token := range hostile(t, i) {
		verify(token) // the first may read the keys again
		took := make([]time.Duration, 51)
		for i := range took {
			before := cpuTime(t)
			verify(token)
			took[i] = cpuTime(t) - before
		}
		slices.Sort(took)
		median := took[len(took)/2]
		if median > dearest {
			dearest, which = median, name
		}
		if median > time.Millisecond {
			t.Errorf("%s costs %v", name, median)
		}
	}
	t.Logf("the dearest costs %v: %s", dearest, which)
}

// cpuTime returns the CPU time that this process has used.
func cpuTime(t *testing.T) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// Keys are read again and again by themselves: one that is withdrawn while nobody asks for another one
// ends what it has signed.
func TestKeysAreReadAgain(t *testing.T) {
	t.Parallel()
	i := jwttest.New(t)
	roots := x509.NewCertPool()
	roots.AddCert(i.Certificate())
	told := make(chan string, 10)
	v := jwt.New(jwt.Options{
		Issuers: []jwt.Issuer{jwt.NewIssuer("corp", i.URL, "", []string{"RS256"}, 20*time.Millisecond)}, Roots: roots,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Withdrawn: func(_, kid string) { told <- kid },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan bool)
	go func() { v.Run(ctx); close(done) }()
	defer func() { cancel(); <-done }()
	good := []byte(jwttest.Sign(t, i.RSA, rs256, claims(i)))
	for {
		if _, err := v.Verify(ctx, good, now); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	i.SetKeys(jose.JSONWebKey{Key: i.EC.Public(), KeyID: "ec"})
	for withdrawn := ""; withdrawn != "rsa"; {
		select {
		case withdrawn = <-told:
		case <-time.After(30 * time.Second):
			t.Fatal("nobody is told that the key was withdrawn")
		}
	}
	if _, err := v.Verify(ctx, good, now); err == nil {
		t.Error("a key that was withdrawn still signs")
	}
}
