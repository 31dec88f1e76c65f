package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever changes a record says in one line what was done, with its id and its name.
func TestChangesSayWhatTheyDid(t *testing.T) {
	t.Parallel()
	s := databaseSite(t)
	file := filepath.Join(s.folder, "password.txt")
	if err := os.WriteFile(file, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	owners := filepath.Join(s.folder, "owners.csv")
	if err := os.WriteFile(owners, []byte("gw/devices,7,11\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ call, want string }{
		{"limit new --cid 1 --name small", "1"},
		{"limit edit 1 --name tiny", `changed limit 1 "tiny"`},
		{"account new --parent 11 --name Shop", "112"},
		{"account edit 112 --name Depot", `changed account 112 "Depot"`},
		{"account disable 112", `disabled account 112 "Depot"`},
		{"account enable 112", `enabled account 112 "Depot"`},
		{"grant new --cid 11 --name vans --give gw/devices=all:view", "1"},
		{"grant edit 1 --name cars", `changed grant 1 "cars"`},
		{"grant link 1 12", `grant 1 "cars" is for account 12 "Harbour"`},
		{"grant unlink 1 12", `grant 1 "cars" is no longer for account 12 "Harbour"`},
		{"grant disable 1", `disabled grant 1 "cars"`},
		{"grant enable 1", `enabled grant 1 "cars"`},
		{"realm new --cid 11 --name ACME", "1"},
		{"realm edit 1 --max-users 9", `changed realm 1 "ACME"`},
		{"realm disable 1", `disabled realm 1 "ACME"`},
		{"realm enable 1", `enabled realm 1 "ACME"`},
		{`role new --realm 1 --name hr --access {"type":0}`, "1"},
		{"role edit 1 --reach branch", `changed role 1 "hr"`},
		{"user new --realm 1 --name anna", "1"},
		{"user edit 1 --email a@example.com", `changed user 1 "anna"`},
		{"user password 1 --password-file " + file, `user 1 "anna" has a new password, and its sessions have ended`},
		{"user password 1 --none", `user 1 "anna" has no password any more, and its sessions have ended`},
		{"user disable 1", `disabled user 1 "anna"`},
		{"user enable 1", `enabled user 1 "anna"`},
		{"user logout 1", `logged out user 1 "anna"`},
		{"token edit 18 --info north", `changed token 18 "north"`},
		{"token disable 18", `disabled token 18 "north"`},
		{"token enable 18", `enabled token 18 "north"`},
		{"token revoke 18", `revoked token 18 "north"`},
		{"user delete 1", `deleted user 1 "anna"`},
		{"role delete 1", `deleted role 1 "hr"`},
		{"realm delete 1", `deleted realm 1 "ACME"`},
		{"grant delete 1", `deleted grant 1 "cars"`},
		{"limit delete 1", `deleted limit 1 "tiny"`},
		{"account delete 111", `deleted account 111 "North"`},
		{"undelete account 111", `put back account 111 "North"`},
		{"item assign gw/devices 7-9 --cid 11", "3 items of gw/devices given to account 11"},
		{"item import " + owners, "1 item given to the accounts that " + owners + " names"},
		{"bench world " + filepath.Join(s.folder, "world"), "wrote settings and policy into " + filepath.Join(s.folder, "world")},
	} {
		args := append(strings.Fields(row.call), "-c", s.file())
		if args[0] != "bench" {
			args = append(args, "--offline")
		}
		if code, out, errs := once(t, args...); code != exitOK || out != row.want+"\n" {
			t.Errorf("%s: got %d %q %s, want %q", row.call, code, out, errs, row.want)
		}
	}
}

// The same of a running gateway, which is asked by HTTP.
func TestChangesOfARunningGatewaySayWhatTheyDid(t *testing.T) {
	t.Parallel()
	g := startDatabase(t)
	for _, row := range []struct{ call, want string }{
		{"account disable 11 --wait", `disabled account 11 "fleet"`},
		{"token disable 1", "disabled token 1"},
	} {
		if code, out, errs := once(t, append(strings.Fields(row.call), "-c", g.file())...); code != exitOK || out != row.want+"\n" {
			t.Errorf("%s: got %d %q %s, want %q", row.call, code, out, errs, row.want)
		}
	}
}

// What was only looked at is said to be that.
func TestDryRunSaysThatNothingWasWritten(t *testing.T) {
	t.Parallel()
	s := databaseSite(t)
	policy := filepath.Join(s.folder, "policy.yaml")
	if out := s.runs(exitOK, "store", "import", policy, "--dry-run"); !strings.Contains(out, "\nnothing was written: --dry-run\n") {
		t.Errorf("got %q", out)
	}
	if out := s.runs(exitOK, "store", "import", policy); strings.Contains(out, "nothing") {
		t.Errorf("got %q", out)
	}
}
