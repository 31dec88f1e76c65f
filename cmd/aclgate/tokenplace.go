package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"

	"aclgate/config"
	"aclgate/policy"
	"aclgate/policy/store"
)

// defaultAccount is the account of a token that names none.
const defaultAccount = 1

// usualAccount returns the account of a token that names none: 1, or where a policy has no such account the
// one that is above all others. Where several could be meant it is 1, and who looks for it names them.
func (e *env) usualAccount(into string) int64 {
	all := e.policies(into)
	if len(all) == 0 {
		return defaultAccount
	}
	tree := all[len(all)-1].Tree
	if _, there := tree.Account(defaultAccount); there {
		return defaultAccount
	}
	var roots []int64
	for _, a := range tree.Accounts() {
		if a.Parent == 0 {
			roots = append(roots, a.ID)
		}
	}
	if len(roots) != 1 {
		return defaultAccount
	}
	return roots[0]
}

// policies returns the policy of the settings, if that is a file and sound, and then that of the file that a
// token goes into, if there is one.
func (e *env) policies(into string) (all []*store.Policy) {
	s, faults := config.Load(e.file)
	depth := config.Defaults().Policy.MaxDepth
	if s != nil {
		depth = s.Policy.MaxDepth
	}
	if faults.Err() == nil && s.Store.Kind == config.StoreFile {
		if pol, _ := readPolicy(s, s.Store.Path, "store.path"); pol != nil {
			all = append(all, pol.Policy)
		}
	}
	if into == "" {
		return all
	}
	if text, err := os.ReadFile(into); err == nil { // who inserts the token says why it cannot be read
		if pol, _ := store.ReadPolicy(into, text, nil, depth); pol != nil {
			all = append(all, pol)
		}
	}
	return all
}

// nextID returns the id above the highest one of the policy, and of the file that the token goes into:
// that of a deleted token would be mistaken for it in the audit log. Without a sound policy it is 1.
func (e *env) nextID(into string) int64 {
	highest := int64(0)
	for _, pol := range e.policies(into) {
		for _, r := range pol.Records() {
			highest = max(highest, r.Token.ID)
		}
	}
	return max(highest+1, 1) // 1 above the very last id there is
}

// maxListed is how many accounts of a policy a message names.
const maxListed = 8

// hasPlace says what to do where a policy has no account for a token, or has its id already. What is
// wrong with the policy itself others say.
func hasPlace(path string, text []byte, tok *policy.Token, depth int) error {
	pol, faults := store.ReadPolicy(path, text, nil, depth)
	if faults.Err() != nil {
		return nil
	}
	for _, r := range pol.Records() {
		if r.Token.ID == tok.ID {
			return fmt.Errorf("nothing was written: the token in line %d of %s has the id %d: name another one with --id, or leave --id out", r.Token.Line, relative(path), tok.ID)
		}
	}
	if _, found := pol.Tree.Account(tok.CID); found {
		return nil
	}
	return fmt.Errorf("nothing was written: %s has no account %d: add it under accounts: first, or name another with --cid (accounts: %s)",
		relative(path), tok.CID, accountList(pol.Tree.Accounts()))
}

// accountList names accounts, the first few of many.
func accountList(accounts []policy.Account) string {
	var there []string
	for _, a := range accounts {
		if len(there) == maxListed {
			there = append(there, "…")
			break
		}
		there = append(there, strings.TrimSpace(fmt.Sprint(a.ID, " ", printable(a.Name))))
	}
	return strings.Join(there, ", ")
}

// warnOfAccount warns that the policy, into which somebody is going to put a token, has no such account.
func (e *env) warnOfAccount(cid int64) {
	for _, pol := range e.policies("") {
		if _, there := pol.Tree.Account(cid); !there {
			fmt.Fprintf(e.stderr, "warning: the policy has no account %d: add it under accounts: first, or name another with --cid (accounts: %s)\n", cid, accountList(pol.Tree.Accounts()))
		}
	}
}

// accountsThere says which accounts a database has, "" where that cannot be asked.
func (e *env) accountsThere(ctx context.Context) string {
	a, err := e.platform(ctx, http.MethodGet, fmt.Sprint("subaccounts/all?fields=id,name&limit=", maxListed+1), nil)
	if err != nil {
		return ""
	}
	var all []policy.Account
	for _, text := range a.Result {
		var row struct {
			ID   int64
			Name string
		}
		if json.Unmarshal(text, &row) == nil {
			all = append(all, policy.Account{ID: row.ID, Name: row.Name})
		}
	}
	if len(all) == 0 {
		return ""
	}
	return " (accounts: " + accountList(all) + ")"
}
