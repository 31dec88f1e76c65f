package main

import (
	"bufio"
	"strconv"
	"strings"
	"testing"
)

// directives returns what the unit says, by its names. Of those that are given more than once the
// values keep their order, separated by spaces.
func directives(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(readText(t, deployFolder, "systemd", "aclgate.service")))
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), "=")
		if found && !strings.HasPrefix(name, "#") {
			all[name] = strings.TrimSpace(all[name] + " " + value)
		}
	}
	return all
}

// bytesOf reads a size as systemd and Go write it: 1G and 1GiB are the same.
func bytesOf(t *testing.T, text string) float64 {
	t.Helper()
	number := strings.TrimRight(text, "KMGiB")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		t.Fatalf("%q is no size", text)
	}
	unit := strings.TrimSuffix(text[len(number):], "iB")
	return n * map[string]float64{"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[unit]
}

// The unit sets the two bounds of memory together: without GOMEMLIMIT requests are never refused
// and the kernel ends the process, and with one that is not well below MemoryMax it does so before
// they are.
func TestUnitBoundsMemory(t *testing.T) {
	unit := directives(t)
	limit, found := strings.CutPrefix(unit["Environment"], "GOMEMLIMIT=")
	if !found || unit["MemoryMax"] == "" {
		t.Fatalf("got Environment=%s and MemoryMax=%s, want both", unit["Environment"], unit["MemoryMax"])
	}
	if part := bytesOf(t, limit) / bytesOf(t, unit["MemoryMax"]); part < 0.85 || part > 0.92 {
		t.Errorf("GOMEMLIMIT is %.2f of MemoryMax, want nine tenths", part)
	}
	if got := unit["MemorySwapMax"]; got != "0" {
		t.Errorf("got MemorySwapMax=%s: a collector that walks through swap is no service", got)
	}
}

// No core is written: it would hold every key that was in use.
func TestUnitWritesNoCore(t *testing.T) {
	unit := directives(t)
	if got := unit["LimitCORE"]; got != "0" {
		t.Errorf("got LimitCORE=%s, want 0", got)
	}
	if strings.Contains(unit["Environment"], "GOTRACEBACK") {
		t.Errorf("got Environment=%s: more than Go's default may write a core", unit["Environment"])
	}
}

// What cannot start is not started again and again: wrong usage and broken settings stay what they are.
func TestUnitDoesNotRepeat(t *testing.T) {
	if got := directives(t)["RestartPreventExitStatus"]; got != "2 3" {
		t.Errorf("got RestartPreventExitStatus=%s, want 2 3", got)
	}
}
