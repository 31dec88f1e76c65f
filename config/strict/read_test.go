package strict

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// read parses "v: TEXT", reads v and returns it as text, or what was expected of it.
func read[T any](t *testing.T, text string, reader func(*Node) (T, bool)) string {
	t.Helper()
	root, report := Parse("f", []byte("v: "+text+"\n"))
	if root == nil {
		t.Fatalf("%q: %v", text, report.Faults())
	}
	v, ok := reader(root.Map("v").Get("v"))
	faults := report.Faults()
	if ok == (len(faults) > 0) {
		t.Fatalf("%q: got ok %v with %d faults", text, ok, len(faults))
	}
	if !ok {
		return "fault"
	}
	return fmt.Sprint(v)
}

// Ensure ids follow the grammar of SPEC 2 whatever YAML makes of the text.
func TestID(t *testing.T) {
	for _, text := range []string{"1", "10", "2024", "9223372036854775807", `"7"`, "'7'"} {
		if got, want := read(t, text, ID), strings.Trim(text, `"'`); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{
		"0", "00", "010", "0x1", "0o7", "0b1", "1_0", "1e3", "+1", "-1", "1.0", ".1", "9223372036854775808", "18446744073709551617",
		"", "~", "null", "true", "all", `""`, `" 1"`, `"1 "`, "1 2", "１", "[1]", "{a: 1}", "|\n  1", "1:30", "2001-01-01", ".inf",
	} {
		if got := read(t, text, ID); got != "fault" {
			t.Errorf("%s: got %s, want a fault", text, got)
		}
	}
}

// grammar is what one reader accepts and what it refuses, in words of a line.
type grammar struct {
	name  string
	read  func(string) string
	right string // text=value …
	wrong string // text …
}

// Ensure each reader accepts its grammar and nothing near it.
func TestReaders(t *testing.T) {
	checkGrammars(t, []grammar{
		{"bool", func(s string) string { return read(t, s, Bool) },
			"true=true false=false", "yes no on off True TRUE 1 0 y ~ [] \"\""},
		{"fraction", func(s string) string { return read(t, s, Fraction) },
			"0=0 1=1 0.01=0.01 0.5=0.5 1.0=1", "1.1 2 .5 0. 1e-2 -0.1 +0.1 nan .nan 0x1p-2 ~ 0_1"},
		{"int", func(s string) string { return read(t, s, Int(0, 64)) },
			"0=0 7=7 64=64", "65 -1 07 1.0 0x1 1_0 ~ []"},
		{"prefix", func(s string) string { return read(t, s, Prefix) },
			"10.0.0.0/8=10.0.0.0/8 10.1.2.3=10.1.2.3/32 fd00::/8=fd00::/8 ::1=::1/128 0.0.0.0/0=0.0.0.0/0",
			"10.0.0.1/8 10.0.0.0/33 10.0.0 ::ffff:10.0.0.0/104 ::ffff:10.0.0.1 fe80::1%eth0 fe80::%eth0/64 host /8 10.0.0.0/08 ~"},
	})
}

// Ensure numbers with units need their unit, in its spelling.
func TestUnits(t *testing.T) {
	checkGrammars(t, []grammar{
		{"duration", func(s string) string { return read(t, s, Duration(0, 365*24*time.Hour)) },
			"0=0s 0s=0s 2s=2s 1m30s=1m30s 30d=720h0m0s 250ms=250ms 1h1ms=1h0m0.001s 1m1ms=1m0.001s",
			"2 -1s +1s 1.5s 1s1m 1s1s s m 1M 1w 02s 366d 1h- 300000d 9999999999999999999s 1us [] ~ true"},
		{"seconds", func(s string) string { return read(t, s, Seconds(1, 1e9)) },
			"1=1 3600=3600 1h=3600 30d=2592000", "0 01 1500ms 1.0 -5 1e3 [] ~"},
		{"unix", func(s string) string { return read(t, s, Unix) },
			"0=0 1798761600=1798761600 2027-01-01=1798761600 2027-01-01T00:00:00Z=1798761600 2027-01-01T02:00:00+02:00=1798761600",
			"2027-1-1 2027-13-01 2027-01-01T00:00:00 2027-01-01T00:00:00.5Z 1960-01-01T00:00:00Z -1 tomorrow ~"},
		{"bytes", func(s string) string { return read(t, s, Bytes(0, 1<<40)) },
			"0=0 8000=8000 64KiB=65536 8MiB=8388608 1GiB=1073741824 1024GiB=1099511627776 1TiB=1099511627776",
			"1KB 1k 64kib 1.5MiB -1 1_000 01 KiB 1TB 2TiB 1025GiB 99999999999GiB 0x10 ~ []"},
		{"rate", func(s string) string { return read(t, s, ReadRate) },
			"0={00s} 50/s={501s} 600/m={6001m0s}", "50 50/h /s 0/s -1/s 050/s 50/ 50/sec 1.5/s 99999999999/s ~ []"},
	})
	if got, want := (Rate{Count: 600, Per: time.Minute}).PerSecond(), 10.0; got != want {
		t.Errorf("got %v per second, want %v", got, want)
	}
}

// checkGrammars plays what readers should take and refuse.
func checkGrammars(t *testing.T, rows []grammar) {
	t.Helper()
	for _, row := range rows {
		for pair := range strings.FieldsSeq(row.right) {
			text, want, _ := strings.Cut(pair, "=")
			if got := strings.ReplaceAll(row.read(text), " ", ""); got != want {
				t.Errorf("%s %s: got %s, want %s", row.name, text, got, want)
			}
		}
		for text := range strings.FieldsSeq(row.wrong) {
			if got := row.read(text); got != "fault" {
				t.Errorf("%s %s: got %s, want a fault", row.name, text, got)
			}
		}
	}
}

// Ensure sizes and durations print as they are read.
func TestFormat(t *testing.T) {
	for _, v := range []int64{0, 1, 1023, 1024, 1536, 1 << 20, 3 << 30, 1<<40 + 1} {
		if got, ok := parseBytes(formatBytes(v)); got != v || !ok {
			t.Errorf("%s got %d, want %d", formatBytes(v), got, v)
		}
	}
	for _, d := range []time.Duration{0, time.Millisecond, 90 * time.Second, time.Hour, 48 * time.Hour} {
		if got, ok := parseDuration(formatDuration(d)); got != d || !ok {
			t.Errorf("%s got %v, want %v", formatDuration(d), got, d)
		}
	}
}

// Ensure a key is read whole, and never shown when it is refused.
func TestKey(t *testing.T) {
	for _, text := range []string{"abcdefgh", "Az09._~-", strings.Repeat("k", 256), "12345678"} {
		if got := read(t, text, Key); got != text {
			t.Errorf("got %s, want %s", got, text)
		}
	}
	for _, text := range []string{"SECRET7", strings.Repeat("SECRET", 43), "SECRET/SECRET", `"SECRET SECRET"`, "[SECRETSECRET]", "{SECRETSECRET: 1}"} {
		root, report := Parse("f", []byte("v: "+text+"\n"))
		if _, ok := Key(root.Map("v").Get("v")); ok {
			t.Errorf("%s: got ok", text)
		}
		if shown := report.Faults().Error(); shown == "" || strings.Contains(shown, "SECRET") {
			t.Errorf("%s: got %q, want a fault without the text", text, shown)
		}
	}
}

// Ensure a list is taken whole or not at all, and every faulty element is named.
func TestListOf(t *testing.T) {
	root, report := Parse("f", []byte("v: [1, 02, 3, x]\nw: 7\n"))
	m := root.Map("v", "w")
	kept := []int64{99}
	Into(&kept, m.Get("v"), ListOf(ID))
	Into(&kept, m.Get("w"), ListOf(ID))
	Into(&kept, m.Get("absent"), ListOf(ID))
	if !slices.Equal(kept, []int64{99}) {
		t.Errorf("got %v, want the default", kept)
	}
	const id = "expected an id (digits without leading zero, at most 9223372036854775807)"
	wantFaults(t, report, `f:1:8: v[1]: `+id+`, found "02"`, `f:1:15: v[3]: `+id+`, found "x"`, "f:2:4: w: expected a list, found text")
}
