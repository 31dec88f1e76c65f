package bench

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aclgate/bench/report"
	"aclgate/bench/workload"
	"aclgate/config"
	"aclgate/policy/routes"
	"aclgate/policy/store"
)

// TestMain lets the test binary be the child that a rig starts: it prints how it was called and
// listens on the last argument.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "bench" {
		fmt.Println(os.Args[1:])
		ln, err := net.Listen("tcp", os.Args[len(os.Args)-1])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		for c, err := ln.Accept(); err == nil; c, err = ln.Accept() {
			c.Close()
		}
		return
	}
	os.Exit(m.Run())
}

// TestBackendIsStarted: the rig's backends are commands of this program, pinned to a core, and are
// waited for.
func TestBackendIsStarted(t *testing.T) {
	for _, args := range [][]string{{"backend", "--listen"}, {"streams"}} {
		s := &rig{}
		p, err := s.startBackend(t.Context(), args...)
		if err != nil {
			t.Fatal(err)
		}
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("[bench pinned 0 %s bench %s %s]", self, strings.Join(args, " "), s.backend)
		if got := p.Output(); got != want {
			t.Errorf("got the child %s, want %s", got, want)
		}
		p.Stop()
	}
}

func TestTargetIsThisMachine(t *testing.T) {
	ctx := context.Background()
	for _, row := range []struct {
		url  string
		mine bool
		want string
	}{
		{"http://127.0.0.1:8080", false, "127.0.0.1:8080"},
		{"http://127.0.0.1/", false, "127.0.0.1:80"},
		{"http://127.8.9.10:1", false, "127.8.9.10:1"},
		{"http://[::1]:8080", false, "[::1]:8080"},
		{"http://192.0.2.1:8080", true, "192.0.2.1:8080"},
		{"http://192.0.2.1:8080", false, ""},
		{"http://0.0.0.0:8080", false, ""},
		{"http://[::ffff:192.0.2.1]:80", false, ""},
		{"http://127.0.0.1@192.0.2.1:80", false, ""},
		{"http://2130706433.example.invalid", false, ""},
		{"https://127.0.0.1", false, ""},
		{"http://127.0.0.1:0", false, ""},
		{"http://127.0.0.1/gw", false, ""},
		{"127.0.0.1:80", false, ""},
	} {
		got, err := Target(ctx, row.url, row.mine)
		if row.want == "" {
			if err == nil {
				t.Errorf("%s: got %v, want it refused", row.url, got)
			}
			continue
		}
		if err != nil || got.String() != row.want {
			t.Errorf("%s: got %v, %v, want %s", row.url, got, err, row.want)
		}
	}
}

// TestGatewayFilesLoad: what the bench writes is what the gateway reads, for every mix.
func TestGatewayFilesLoad(t *testing.T) {
	catalogue, err := routes.Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range workload.Names() {
		mix, err := workload.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		mix.Tokens = min(mix.Tokens, 20)
		dir := t.TempDir()
		if err := WriteWorkload(dir, mix, 1); err != nil {
			t.Fatal(err)
		}
		s, faults := config.Load(filepath.Join(dir, "aclgate.yaml"))
		if err := faults.Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if mix.MaxURL > 0 && int64(s.Upstream.MaxURLBytes) != mix.MaxURL {
			t.Errorf("%s: got max_url_bytes %v, want %v", name, s.Upstream.MaxURLBytes, mix.MaxURL)
		}
		if _, err := store.OpenFile(store.FileOptions{Path: filepath.Join(dir, "policy.json"), Catalogue: catalogue, MaxDepth: 4, Logger: slog.New(slog.DiscardHandler)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestClimb finds a knee to within a tenth of it.
func TestClimb(t *testing.T) {
	for _, knee := range []float64{300, 1000, 12_345, 200_000} {
		steps := 0
		got, err := climb(func(rate float64) (bool, error) {
			steps++
			return rate <= knee, nil
		})
		if err != nil || got > knee || got < 0.9*knee || steps > mostSteps+bisections {
			t.Errorf("got %v, %v after %d steps, want %v", got, err, steps, knee)
		}
	}
}

// TestTellCountsLateAcceptance: accepted though sent after the reload had returned is a leak; sent
// before and answered after is none, but moves the last acceptance.
func TestTellCountsLateAcceptance(t *testing.T) {
	zero := time.Now()
	at := func(ms int) time.Time { return zero.Add(time.Duration(ms) * time.Millisecond) }
	rounds := []revocation{{at(100), at(150), at(500), at(550)}}
	for _, row := range []struct {
		answers []accepted
		last    float64
		leaks   float64
	}{
		{[]accepted{{at(90), at(95)}, {at(560), at(570)}}, 0, 0},
		{[]accepted{{at(120), at(160)}}, 60, 0},
		{[]accepted{{at(120), at(130)}, {at(200), at(210)}}, 110, 1},
	} {
		s := &rig{Options: Options{Say: func(string, ...any) {}}, workloads: map[string]*workload.Workload{"one-id": {}}}
		result := &report.Result{Figures: map[string]report.Figure{}}
		s.summarize(rounds, row.answers, result)
		if got := result.Figures["revoke/last_accepted_ms"].Value; got != row.last {
			t.Errorf("last accepted after %v ms, want %v", got, row.last)
		}
		if got := result.Figures["leaks"].Value; got != row.leaks {
			t.Errorf("got %v leaks, want %v", got, row.leaks)
		}
	}
}

func TestFreePortIsLoopback(t *testing.T) {
	at, err := freePort()
	if err != nil || !at.Addr().IsLoopback() || at.Port() == 0 {
		t.Errorf("got %v, %v", at, err)
	}
	if at == (netip.AddrPort{}) || strings.HasSuffix(at.String(), ":0") {
		t.Errorf("got %v", at)
	}
}
