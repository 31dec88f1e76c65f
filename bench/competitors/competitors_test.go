package competitors

import (
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aclgate/bench/workload"
)

// TestConfigsAreTaken: every proxy that is installed accepts the files that are written for it. The
// others say what is missing.
func TestConfigsAreTaken(t *testing.T) {
	mix, err := workload.Open("one-id")
	if err != nil {
		t.Fatal(err)
	}
	mix.Tokens = 10
	w := workload.New(mix, 1)
	for _, r := range All() {
		if _, err := r.Find(); err != nil {
			if !strings.Contains(err.Error(), "installed") {
				t.Errorf("%s: got %v, want what is not installed", r.Name, err)
			}
			continue
		}
		dir := t.TempDir()
		argv, err := r.Setup(Site{Dir: dir, Listen: netip.MustParseAddrPort("127.0.0.1:18080"), Backend: netip.MustParseAddrPort("127.0.0.1:19000"), Workload: w})
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		if r.Name == "bare" {
			continue
		}
		check := map[string]string{"nginx": "-t", "haproxy": "-c"}[filepath.Base(argv[0])]
		if out, err := exec.Command(argv[0], append(argv[1:], check)...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", r.Name, err, out)
		}
	}
}

// TestFilesWithKeysAreKept: other users cannot read the keys.
func TestFilesWithKeysAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.txt")
	if err := write(path, func(io.Writer) {}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}

func TestWhoCanPlay(t *testing.T) {
	want := map[string]string{
		"one-id": "bare nginx lua lua-set lua-full haproxy", "all-rewrite": "bare nginx lua lua-set lua-full haproxy",
		"long-lists": "lua lua-set lua-full", "deny-flood": "lua lua-set lua-full haproxy", "telematics": "bare",
		"messages": "bare nginx lua lua-set lua-full haproxy", "hot-token": "bare nginx lua lua-set lua-full haproxy",
		"cold-cache": "bare nginx lua lua-set lua-full haproxy",
	}
	for name, who := range want {
		mix, err := workload.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		var can []string
		for _, r := range All() {
			if r.Can(mix) {
				can = append(can, r.Name)
			}
		}
		if got := strings.Join(can, " "); got != who {
			t.Errorf("%s: got %s, want %s", name, got, who)
		}
	}
}

func TestNames(t *testing.T) {
	if _, ok := Named("bare"); !ok {
		t.Fatal("no bare proxy")
	}
	if _, ok := Named("squid"); ok {
		t.Error("a competitor that nobody knows")
	}
	if err := Bare(t.Context(), "256.0.0.1:0", "127.0.0.1:1"); err == nil {
		t.Error("got no error for an address that is none")
	}
}
