package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// commands returns every command that can be called, with the words that call it.
func commands(t *testing.T) map[string]*cobra.Command {
	t.Helper()
	all := map[string]*cobra.Command{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		all[c.CommandPath()] = c
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				walk(sub)
			}
		}
	}
	walk(newRoot(nil, nil))
	return all
}

// Whatever command is called wrongly, the exit code is 2, nothing is printed for programs, and the
// last line names the help of that very command.
func TestUsageErrorsNameTheCommandsOwnHelp(t *testing.T) {
	all := commands(t)
	if len(all) < 50 {
		t.Fatalf("only %d commands are found", len(all))
	}
	for path, c := range all {
		calls := [][]string{{"--no-such-flag"}}
		if !strings.HasPrefix(c.Use, "test ") { // takes any number of files
			calls = append(calls, []string{"a", "b", "c", "d"})
		}
		if strings.Contains(c.Use, " ") && !strings.Contains(c.Use, "[") && !strings.Contains(c.Use, " --") {
			calls = append(calls, nil) // it takes an argument
		}
		for _, args := range calls {
			code, stdout, stderr := once(t, append(strings.Fields(path)[1:], args...)...)
			if want := "\nRun '" + path + " --help' for what it takes.\n"; code != exitUsage || stdout != "" || !strings.HasSuffix(stderr, want) {
				t.Errorf("%s %v: got %d, %q and %q, want %d and %q", path, args, code, stdout, stderr, exitUsage, want)
			}
		}
	}
}

// What is wrong with a call is said in words that name what was expected and what was found.
func TestUsageErrorsInWords(t *testing.T) {
	for _, row := range []struct{ call, want string }{
		{"chek", `aclgate has no command "chek": did you mean "check"?`},
		{"token lst", `aclgate token has no command "lst": did you mean "list"?`},
		{"audit nothing", `aclgate audit has no command "nothing"`},
		{"help chek", `aclgate has no command "chek": did you mean "check"?`},
		{"help token lst", `aclgate token has no command "lst": did you mean "list"?`},
		{"completion tcsh", `aclgate completion has no command "tcsh"`},
		{"check now", `aclgate check takes no arguments: found "now"`},
		{"why", `aclgate why takes ID: none was given`},
		{"why 12 34", `aclgate why takes ID: found "12 34"`},
		{"why 12", `a decision id is 24 hex digits`},
		{"schema yaml", `aclgate schema takes settings|policy: found "yaml"`},
		{"item assign gw/devices", `aclgate item assign takes COLLECTION IDS --cid ACCOUNT: found "gw/devices"`},
		{"explain GET", `explain takes METHOD and PATH, such as: aclgate explain --token 17 GET /gw/devices/7`},
		{"explain GET /gw/devices/7", `name a token: --token, --digest, --info, --key-file or --user, or a key in ` + keyVariable},
		{"explain --digest 12 GET /gw/devices/7", `--digest is 8 or more hex digits`},
		{"audit tail --token x", `invalid argument "x" for "--token" flag: expected a number`},
		{"demo --listen 11081", `--listen: expected host:port such as 127.0.0.1:8080, found "11081"`},
		{"demo --admin 127.0.0.1:http", `--admin: expected host:port such as 127.0.0.1:8080, found "127.0.0.1:http"`},
		{"demo --store redis", `--store: expected file or sqlite`},
		{"init", `init needs --upstream URL, for example --upstream http://127.0.0.1:9000`},
		{"diff", `name the policy that would take effect: --new FILE`},
		{"bench size --tokens 0", `--tokens: expected numbers from 1 on`},
		{"bench --mix nothing", `no mix is called "nothing"; there are`},
		{"bench --rival nothing", `no rival is called "nothing"; there are bare`},
		{"bench quick --against nothing", `"nothing" is no target: expected http://HOST:PORT`},
		{"bench backend --listen nothing", `--listen: expected an address such as 127.0.0.1:9000, found "nothing"`},
	} {
		code, stdout, stderr := once(t, strings.Fields(row.call)...)
		if code != exitUsage || stdout != "" || !strings.HasPrefix(stderr, row.want) {
			t.Errorf("%s: got %d, %q and %q, want %d and %q", row.call, code, stdout, stderr, exitUsage, row.want)
		}
	}
}
