package main

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"aclgate/config"
	"aclgate/policy"
	"aclgate/upstream/survey"
)

// sayAgain prints how init is run again where the backend could not be asked.
func (e *env) sayAgain(folder string, files []newFile) {
	var names []string
	for _, f := range files {
		names = append(names, filepath.Join(folder, f.name))
	}
	fmt.Fprintf(e.stdout, "\nBetter: mend what kept the backend from being asked, then: rm %s\nand run the same init again.\n", strings.Join(names, " "))
}

// firstToken returns the command that makes the first token: it reads what the backend was seen to have,
// and of several accounts it has one that is below another, for whoever is above sees all of them.
func firstToken(policyFile string, found *survey.Result, accounts []policy.Account) string {
	line, uri := "aclgate token new --into "+policyFile, "gw/devices"
	if len(accounts) > 1 || len(accounts) == 1 && accounts[0].ID != defaultAccount {
		below := slices.IndexFunc(accounts, func(a policy.Account) bool { return a.Parent != 0 })
		line += fmt.Sprintf(" --cid %d", accounts[max(below, 0)].ID)
	}
	if found != nil && len(found.Collections) > 0 && !slices.Contains(found.Collections, uri) {
		uri = found.Collections[0]
	}
	return line + reading(uri)
}

// reading returns the flag that lets a token read a collection: without one it may do nothing.
func reading(uri string) string {
	return fmt.Sprintf(` --access '{"type":2,"acl":[{"uri":%q,"methods":["GET"]}]}'`, uri)
}

// sayNext prints what is left to be done.
func (e *env) sayNext(folder string, f *initFlags, hasKey bool, found *survey.Result, accounts []policy.Account) {
	var steps []string
	at := func(name string) string { return filepath.Join(folder, name) }
	if !hasKey {
		steps = append(steps, "Put the backend's key, which the gateway uses, into "+at(upstreamName)+".")
	}
	switch {
	case f.owners:
		steps = append(steps, `Name the accounts of your customers in `+at(policyName)+`, and whose items are, as far as you know it.`)
	case f.mode == "" && found == nil:
		steps = append(steps, `Name the accounts of your backend under "accounts:", and choose scope.mode.`)
	case found == nil && f.mode != string(config.ScopeNone):
		steps = append(steps, `Name the accounts of your backend under "accounts:".`)
	case found != nil && len(found.Accounts) == 0 && len(found.CIDs) > 1:
		steps = append(steps, `Look at "accounts:" in the policy: names and parents are yours to say.`)
	}
	if !f.owners { // below the accounts: it is of one of them
		steps = append(steps, firstToken(at(policyName), found, accounts))
	}
	if f.tls != "" {
		steps = append(steps, "Replace "+at(certName)+" and "+at(certKeyName)+" by your certificate; until then: curl --cacert "+at(certName))
	}
	steps = append(steps, f.starting(at)...)
	if f.owners {
		steps = append(steps, "Beside it: aclgate item assign gw/devices IDS --cid ACCOUNT, and aclgate token new --cid ACCOUNT"+reading("gw/devices"))
	}
	fmt.Fprint(e.stdout, "\nNext:\n")
	for i, step := range steps {
		fmt.Fprintf(e.stdout, "  %d. %s\n", i+1, step)
	}
}

// starting returns the steps that check the files and start the gateway.
func (f *initFlags) starting(at func(name string) string) []string {
	const check = "aclgate check --live"
	if f.systemd { // the settings name folders that the unit makes
		const there = " -c /etc/aclgate/aclgate.yaml"
		steps := []string{"Put the files where " + at(unitName) + " says."}
		if f.owners {
			steps = append(steps, "runuser -u aclgate -- aclgate store migrate"+there, "aclgate store import "+at(policyName)+there)
		}
		return append(steps, "systemctl enable --now aclgate", check+there)
	}
	var steps []string
	if f.owners {
		steps = append(steps, "aclgate store migrate", "aclgate store import "+at(policyName))
	}
	steps = append(steps, check)
	if f.compose {
		if u, err := url.Parse(f.url); err == nil && isPrivate(net.JoinHostPort(u.Hostname(), "")) {
			steps = append(steps, "In upstream.urls name the backend as the container reaches it: "+u.Hostname()+" is the container itself there.")
		}
		return append(steps, "Let the container read and write the folder: chown -R 65532:65532 "+at(""),
			"Build the image once, from the Dockerfile of the project, in the folder of its sources: docker build -t aclgate .", "docker compose up")
	}
	return append(steps, "aclgate serve")
}
