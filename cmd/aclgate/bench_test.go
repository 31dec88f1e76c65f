package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBenchRefusesAtOnce: what is wrong with a call shows before anything is started.
func TestBenchRefusesAtOnce(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate.yaml")
	if err := os.WriteFile(gate, []byte("- leaks is 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"a gate with a fault", []string{"--gate", gate}, exitSettings, "gate.yaml:1"},
		{"no gate", []string{"--gate", gate + "x"}, exitSettings, "cannot read gate"},
		{"no baseline", []string{"--baseline", gate + "x"}, exitSettings, "no such file"},
		{"no mix", []string{"--mix", "rush-hour"}, exitUsage, "no mix is called"},
		{"no rival", []string{"--rival", "squid"}, exitUsage, "no rival is called"},
		{"a mix that is not there", []string{"world", t.TempDir(), "--mix", "x.yaml"}, exitSettings, "cannot read mix"},
		{"another machine", []string{"--against", "http://192.0.2.1:80", "--mix", "one-id", "--rival", "bare"}, exitUsage, "--i-own-this-target"},
		{"revoke elsewhere", []string{"revoke", "--against", "http://127.0.0.1:1"}, exitFailed, "--against"},
		{"stream elsewhere", []string{"stream", "--against", "http://127.0.0.1:1"}, exitFailed, "--against"},
		{"size elsewhere", []string{"size", "--against", "http://127.0.0.1:1"}, exitFailed, "--against"},
	} {
		c := (&env{stdout: io.Discard, stderr: io.Discard}).bench()
		c.SetArgs(row.args)
		c.SilenceUsage, c.SilenceErrors = true, true
		err := c.ExecuteContext(t.Context())
		var exit *exitError
		if !errors.As(err, &exit) || exit.code != row.code || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want code %d and %q", row.name, err, row.code, row.want)
		}
	}
}
