package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"aclgate/bench/report"
)

// The bench of writes measures what it says: every write is answered, the reads beside them are, and what
// it prints fits together.
func TestBenchWrites(t *testing.T) {
	t.Parallel()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, "bench", "writes", "--duration", "1s", "--output", "json")
	cmd.Env, cmd.Stderr = append(os.Environ(), childVariable+"=1", "TMPDIR="+t.TempDir()), t.Output()
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var r report.Result
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for i, run := range r.Runs {
		if c := run.Lanes[0].Counts; c.Served == 0 || c.Leaks+c.WrongDenials+c.Faults > 0 {
			t.Errorf("round %d: got %+v, want reads that are all answered well", i, c)
		}
	}
	figure := func(name string) float64 { return r.Figures[name].Value }
	p50, p99, longest := figure("writes/p50_ms"), figure("writes/p99_ms"), figure("writes/max_ms")
	if len(r.Runs) != 6 || p50 <= 0 || p99 < p50 || longest < p99 || figure("reads/p99_ratio") <= 0 || figure("reads/p99_busy_ratio") <= 0 {
		t.Errorf("got %d rounds and %v", len(r.Runs), r.Figures)
	}
}
