package main

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Lines come after a second, and ever more rarely; what ends sooner is silent.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out safeBuffer
		e := &env{stderr: &out, patience: firstProgress}
		short := e.during("reading")
		time.Sleep(900 * time.Millisecond)
		short.end()
		if out.String() != "" {
			t.Errorf("got %q of what took less than a second", out.String())
		}
		long := e.during("replaying")
		for range 12345 {
			long.add()
		}
		time.Sleep(10 * time.Second)
		long.end()
		if want := "replaying: 1s so far, 12,345\nreplaying: 2s so far, 12,345\nreplaying: 4s so far, 12,345\nreplaying: 8s so far, 12,345\n"; out.String() != want {
			t.Errorf("got %q, want %q", out.String(), want)
		}
	})
}

// A program that reads what is printed gets no such lines.
func TestProgressIsForPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out safeBuffer
		p := (&env{stderr: &out}).during("reading")
		time.Sleep(time.Hour)
		p.end()
		if out.String() != "" {
			t.Errorf("got %q", out.String())
		}
	})
}

// What waits for somebody else says so: for a gateway, and for a backend.
func TestProgressOfWhatWaits(t *testing.T) {
	addr, _ := silent(t)
	folder := write(t, map[string]string{"policy.yaml": newcomerPolicy, "up.token": "upstream-key\n", "admin.token": adminKey + "\n",
		"aclgate.yaml": strings.NewReplacer(`"127.0.0.1:9090"`, `"`+addr+`", token_file: admin.token`, "127.0.0.1:9000", addr).Replace(newcomerSettings) + "scope: {mode: none}\n"})
	for call, want := range map[string]string{
		"health": "waiting for the gateway", "check --live": "asking the backend", "why 00112233445566778899aabb": "waiting for the gateway",
	} {
		var out, errs safeBuffer
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		go func() {
			for ctx.Err() == nil && !strings.Contains(errs.String(), want) {
				time.Sleep(time.Millisecond)
			}
			stop()
		}()
		root := newRootOf(&env{file: "", stdout: &out, stderr: &errs, patience: time.Millisecond})
		root.SetArgs(append(strings.Fields(call), "-c", filepath.Join(folder, "aclgate.yaml")))
		_ = root.ExecuteContext(ctx)
		stop()
		if !regexp.MustCompile(`(?m)^` + want + `: \d+s so far$`).MatchString(errs.String()) {
			t.Errorf("%s: got %q, want %q", call, errs.String(), want)
		}
	}
}
