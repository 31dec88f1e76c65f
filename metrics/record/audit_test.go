package record

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aclgate/policy"
)

// auditing runs an audit log until the returned function is called.
func auditing(t *testing.T, o AuditOptions) (*Audit, func()) {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	a, err := OpenAudit(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { a.Run(ctx) })
	end := sync.OnceFunc(func() { stop(); group.Wait() })
	t.Cleanup(end)
	return a, end
}

// linesOf reads a file of JSON lines.
func linesOf(t *testing.T, path string) (lines []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		lines = append(lines, m)
	}
	return lines
}

func denial() *Record {
	return &Record{Facts: Facts{ID: NewID(), Start: time.Unix(1700000000, 0), Reason: policy.NoEntry, TokenID: 17, Status: 403}}
}

// Denials are written whatever the sample is, and so is what somebody without a say would have
// denied; of the rest a share.
func TestAuditKeepsDenials(t *testing.T) {
	for _, row := range []struct {
		name string
		r    Record
		want bool
	}{
		{"denied", Record{}, true},
		{"no verdict at all", Record{Facts: Facts{Verdict: policy.Unresolved}}, true},
		{"allowed", Record{Facts: Facts{Verdict: policy.Allow}}, false},
		{"narrowed", Record{Facts: Facts{Verdict: policy.Narrow}}, false},
		{"an id denied", Record{Facts: Facts{Verdict: policy.Narrow, Denied: 1}}, true},
		{"would deny", Record{Facts: Facts{Verdict: policy.Allow, DryRun: Outcome{Known: true}}}, true},
		{"would allow", Record{Facts: Facts{Verdict: policy.Allow, DryRun: Outcome{Known: true, Verdict: policy.Allow}}}, false},
		{"shadow differs", Record{Facts: Facts{Verdict: policy.Allow, Shadow: Outcome{Known: true, Verdict: policy.Allow}}}, true},
	} {
		a := &Audit{}
		if got := a.keeps(&row.r); got != row.want {
			t.Errorf("%s: got %v, want %v", row.name, got, row.want)
		}
	}
}

func TestAuditSamplesWhatWasAllowed(t *testing.T) {
	for _, share := range []float64{0, 0.25, 1} {
		a, _ := auditing(t, AuditOptions{Path: filepath.Join(t.TempDir(), "audit.jsonl"), AllowSample: share, MaxSize: 1 << 20})
		const n = 20000
		kept := 0
		for range n {
			if a.keeps(&Record{Facts: Facts{ID: NewID(), Verdict: policy.Allow}}) {
				kept++
			}
		}
		if got := float64(kept) / n; got < share-0.05 || got > share+0.05 || share == 1 && kept != n || share == 0 && kept != 0 {
			t.Errorf("got a share of %v, want %v", got, share)
		}
	}
}

// What is under way when the log ends is written; changes stand among records.
func TestAuditWritesAllThatWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	a, end := auditing(t, AuditOptions{Path: path, MaxSize: 1 << 30, Queue: 5000})
	for range 3000 {
		a.Add(denial())
	}
	a.Change(Change{Time: time.Now(), Event: "reload", Result: "failed", Faults: "policy.yaml:3:1: \"x\"\nand more"})
	end()
	lines := linesOf(t, path)
	if s := a.Stats(); len(lines) != 3001 || s.Written != 3001 || s.Dropped+s.Failed != 0 {
		t.Errorf("got %d lines and %+v, want 3001 of them", len(lines), s)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, want 0600", info.Mode())
	}
}

// Nobody writes, so the queue fills up: Add returns all the same, and counts.
func TestAuditNeverWaits(t *testing.T) {
	a, err := OpenAudit(AuditOptions{Path: filepath.Join(t.TempDir(), "a"), MaxSize: 1 << 20, Queue: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for range 25 {
		a.Add(denial())
	}
	for range auditLines + 5 {
		a.Change(Change{Event: "reload"})
	}
	for range 3 {
		a.Reopen()
	}
	if s := a.Stats(); s.Dropped != 20 {
		t.Errorf("got %+v, want 20 dropped", s)
	}
}

func TestAuditAllocatesNothingPerRequest(t *testing.T) {
	a, _ := auditing(t, AuditOptions{Path: filepath.Join(t.TempDir(), "a"), MaxSize: 1 << 30, Queue: 100000})
	r := denial()
	if n := testing.AllocsPerRun(2000, func() { a.Add(r) }); n >= 1 {
		t.Errorf("got %v allocations, want none", n)
	}
	var none *Audit
	none.Add(r)
}

// A full disk is an alarm, and what was lost is counted; when there is room again, writing goes on.
func TestAuditOnAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "audit.jsonl")
	if err := os.Symlink("/dev/full", path); err != nil {
		t.Fatal(err)
	}
	var log lockedText
	a, end := auditing(t, AuditOptions{Path: path, MaxSize: 1 << 20, Log: slog.New(slog.NewTextHandler(&log, nil))})
	a.Add(denial())
	until(t, func() bool { return a.Stats().Failing })
	a.Add(denial())
	until(t, func() bool { return a.Stats().Failed == 2 })
	os.Remove(path)
	a.Reopen()
	until(t, func() bool { return !a.Stats().Failing })
	a.Add(denial())
	end()
	if n := len(linesOf(t, path)); n != 1 {
		t.Errorf("got %d lines, want the one that there was room for", n)
	}
	if got := log.String(); strings.Count(got, "cannot be written") != 1 || strings.Count(got, "written again") != 1 {
		t.Errorf("got %s, want one alarm and its end", got)
	}
}

type lockedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// until waits for what another goroutine does.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for range 5000 {
		if done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("it never happens")
}

func TestAuditFileRotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	f, err := openAuditFile(path, 10, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	for i := range 5 {
		if n, lost, err := f.write(fmt.Appendf(nil, "{\"n\":%d}\n", i)); n != 1 || lost != 0 || err != nil {
			t.Fatalf("got %d, %d, %v", n, lost, err)
		}
	}
	for name, want := range map[string]string{"a": "4", "a.1": "3", "a.2": "2"} {
		text, _ := os.ReadFile(filepath.Join(filepath.Dir(path), name))
		if got := string(text); got != "{\"n\":"+want+"}\n" {
			t.Errorf("%s: got %q, want %s", name, got, want)
		}
	}
	if _, err := os.Stat(path + ".3"); err == nil {
		t.Error("a third old file stays")
	}
}

func TestAuditFileKeepsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	f, err := openAuditFile(path, 10, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	f.write([]byte("{\"n\":1}\n"))
	f.write([]byte("{\"n\":2}\n"))
	if text, _ := os.ReadFile(path); string(text) != "{\"n\":2}\n" {
		t.Errorf("got %q, want the last line alone", text)
	}
}

// Where no new file can be begun the old one grows on, and nothing is lost.
func TestAuditFileThatCannotRotate(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a")
	if err := os.MkdirAll(filepath.Join(path+".1", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := openAuditFile(path, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	f.write([]byte("{\"n\":1}\n"))
	if n, lost, err := f.write([]byte("{\"n\":2}\n")); n != 1 || lost != 0 || err == nil {
		t.Errorf("got %d, %d, %v, want the line written and an error", n, lost, err)
	}
	if n, _, err := f.write([]byte("{\"n\":3}\n")); n != 1 || err != nil {
		t.Errorf("got %d, %v, want no second attempt at once", n, err)
	}
	if got := len(linesOf(t, path)); got != 3 {
		t.Errorf("got %d lines, want 3", got)
	}
}

// A line that was cut off costs itself and not the next one.
func TestAuditFileMendsATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	f, err := openAuditFile(path, 1<<20, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	f.file.WriteString(`{"n":`)
	f.torn = true
	f.write([]byte("{\"n\":2}\n"))
	if text, _ := os.ReadFile(path); string(text) != "{\"n\":\n{\"n\":2}\n" {
		t.Errorf("got %q", text)
	}
}
