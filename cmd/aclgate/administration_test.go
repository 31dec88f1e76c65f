package main

import (
	"regexp"
	"strings"
	"testing"
)

// The page about administration is followed command by command.
func TestAdministrationPage(t *testing.T) {
	t.Parallel()
	g := startPlatform(t, true, "scope: {owners: store, mode: ids}\n")
	ran := 0
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(readText(t, docs+"administration.md"), -1) {
		for line := range strings.Lines(block[1]) {
			args := words(strings.TrimSpace(line))
			if len(args) == 0 || args[0] != "aclgate" {
				t.Fatalf("%q is no command", line)
			}
			out := g.runs(exitOK, args[1:]...)
			ran++
			switch strings.Join(args[1:min(3, len(args))], " ") {
			case "account new":
				if out != "112\n" {
					t.Errorf("got %q", out)
				}
			case "account list":
				if !strings.Contains(out, "ACME Fleet") || !strings.Contains(out, "enabled") {
					t.Errorf("got %s", out)
				}
			case "changes --token":
				if !strings.Contains(out, "operator\ttokens/21\tnew\tdecision=") {
					t.Errorf("got %s", out)
				}
			}
		}
	}
	if ran < 10 {
		t.Errorf("only %d commands were run", ran)
	}
}

// Accounts and limits at the command line: tables and JSON, and what is wrong is said.
func TestAccountAndLimitCommands(t *testing.T) {
	t.Parallel()
	g := startPlatform(t, true, "scope: {owners: store, mode: ids}\n")
	g.runs(exitOK, "limit", "new", "--cid", "1", "--name", "l", "--set", "api_calls=5", "--set", "blocking_duration=7")
	g.runs(exitOK, "account", "edit", "11", "--limit", "1", "--email", "a@example.com")
	if out := g.runs(exitOK, "account", "show", "11"); !strings.Contains(out, `"limit_id": 1`) || !strings.Contains(out, `"email": "a@example.com"`) || !strings.Contains(out, `"counters"`) {
		t.Errorf("got %s", out)
	}
	if out := g.runs(exitOK, "limit", "list"); !strings.Contains(out, "api_calls=5") {
		t.Errorf("got %s", out)
	}
	if out := g.runs(exitOK, "account", "list", "--cid", "11", "--output", "json"); !strings.Contains(out, `"id":111`) || strings.Contains(out, `"id":12,`) {
		t.Errorf("got %s", out)
	}
	if out := g.runs(exitFailed, "limit", "delete", "1"); !strings.Contains(out, "limit 1 bounds account 11") {
		t.Errorf("got %s", out)
	}
	g.runs(exitOK, "account", "edit", "11", "--limit", "0")
	g.runs(exitOK, "limit", "delete", "1")
	if out := g.runs(exitFailed, "account", "delete", "11"); !strings.Contains(out, "has accounts below it") {
		t.Errorf("got %s", out)
	}
	g.runs(exitOK, "item", "assign", "gw/devices", "1", "--cid", "111")
	for said, args := range map[string][]string{
		"there is no token 99: aclgate token list shows those that are there":                                                                        {"token", "revoke", "99"},
		"there is no account 99: aclgate account list shows those that are there, and aclgate account new --parent ID --name NAME makes another one": {"account", "new", "--parent", "99", "--name", "x"},
		"there is no limit 99: aclgate limit list shows":                                                                                             {"account", "edit", "11", "--limit", "99"},
		"delete it with --release": {"account", "delete", "111"},
	} {
		if out := g.runs(exitFailed, args...); !strings.Contains(out, said) {
			t.Errorf("%v: got %s, want %q", args, out, said)
		}
	}
	g.runs(exitUsage, "limit", "new", "--name", "x")
	for bound, said := range map[string]string{
		"api_call=3": `there is no field "api_call" that could be written: did you mean "api_calls"?`, "zzz=3": "--help names them all",
		"api_calls=x": "expected api_calls= and a whole number from -1 on", "api_calls": "expected api_calls= and a whole number",
	} {
		if out := g.runs(exitUsage, "limit", "new", "--cid", "1", "--name", "x", "--set", bound); !strings.Contains(out, said) {
			t.Errorf("--set %s: got %s, want %q", bound, out, said)
		}
	}
	g.runs(exitUsage, "limit", "edit", "1", "--set", "api_call=3")
	g.runs(exitUsage, "account", "show", "x")
	g.runs(exitUsage, "account", "edit", "11")
}
