package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aclgate/config"
	"aclgate/metrics/record"
	"aclgate/proxy/login/jwt/jwttest"
)

// peoplePolicy has a person of each kind: anna logs in and has entries, bea logs in and has roles, a
// machine and one who is disabled come with tokens from elsewhere. %s is the hash of realmPassword.
const peoplePolicy = `accounts: [{id: 1, name: operator}, {id: 11, name: fleet, parent: 1}]
realms:
  - {id: 1, cid: 11, public_id: acme, name: "ACME \"fleet\"", token_params: {access: {type: acl, acl: [{uri: gw/devices, methods: [GET]}]}}}
  - {id: 2, cid: 11, public_id: corp, name: Corp, audience: aclgate, claims: {issuer: corp, roles: [{claim: groups, value: advisers, gives: [consultant]}]}}
users:
  - {id: 5, realm_id: 1, name: anna, password_hash: %[1]s}
  - {id: 6, realm_id: 1, name: bea, password_hash: %[1]s, roles: [consultant]}
  - {id: 7, realm_id: 2, name: machine-é}
  - {id: 8, realm_id: 2, name: gone, enabled: false}
tokens: []
`

// people is a gateway whose callers are people, each with a key.
type people struct {
	*gate
	anna, bea, machine, gone string
}

func startPeople(t *testing.T) *people {
	t.Helper()
	i := jwttest.New(t)
	g := startGate(t, siteOptions{
		settings: fmt.Sprintf("scope: {mode: ids}\naudit: {path: audit.jsonl}\nrealms: {bcrypt_cost: 4, issuers: [{name: corp, issuer: %q}]}\n", i.URL),
		policy:   fmt.Sprintf(peoplePolicy, realmHash(t)), backend: realmBackend(t),
	})
	sign := func(subject string) string {
		now := time.Now().Unix()
		return jwttest.Sign(t, i.RSA, `{"alg":"RS256","kid":"rsa"}`,
			fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":"aclgate","groups":["advisers"],"iat":%d,"exp":%d}`, i.URL, subject, now, now+600))
	}
	p := &people{gate: g, machine: sign("machine-é"), gone: sign("gone")}
	for name, key := range map[string]*string{"anna": &p.anna, "bea": &p.bea} {
		status, got, answer := g.login("acme", name, realmPassword)
		if *key = got; status != http.StatusOK {
			t.Fatalf("%s: got %d %s", name, status, answer)
		}
	}
	return p
}

// clean fails if a text has a key, a token from elsewhere or a password in it.
func (p *people) clean(what, text string) {
	p.t.Helper()
	for _, secret := range []string{p.anna, p.bea, p.machine, p.gone, realmPassword, strings.Split(p.machine, ".")[2], strings.Split(p.gone, ".")[1], adminKey, "$aclgate1$"} {
		if strings.Contains(text, secret) {
			p.t.Errorf("%s shows a credential: %s", what, text)
		}
	}
}

// refused sends a request that is refused, and returns its decision.
func (p *people) refused(key string, status int) string {
	p.t.Helper()
	req := newRequest("DELETE", p.api+"/gw/devices/1")
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != status {
		p.t.Errorf("got %d, want %d", resp.StatusCode, status)
	}
	return resp.Header.Get("X-Aclgate-Decision")
}

// A person who was refused is found in the audit log, by audit tail, audit summary and why, with the realm,
// however they signed in, and no credential is there.
func TestAuditNamesUsers(t *testing.T) {
	t.Parallel()
	p := startPeople(t)
	path := filepath.Join(p.folder, "audit.jsonl")
	const anna = `"user":5,"user_name":"anna","realm":1,"realm_name":"ACME \"fleet\""`
	for _, row := range []struct {
		key, record, tail, why string
		status                 int
	}{
		{p.anna, anna + `,"scope"`, `user 5 "anna" (realm 1) DELETE`, `user 5 "anna" of realm 1 "ACME \"fleet\"", with token `, 403},
		{p.bea, `"user":6,"user_name":"bea","realm":1,"realm_name":"ACME \"fleet\"","roles":["member","consultant"]`, `user 6 "bea" (realm 1) DELETE`, "Roles     member, consultant\n", 403},
		{p.machine, `"user":7,"user_name":"machine-é","realm":2,"realm_name":"Corp","issuer":"corp","roles":["member","consultant"]`,
			`user 7 "machine-é" (realm 2) DELETE`, `user 7 "machine-é" of realm 2 "Corp", by a token of issuer "corp", with token `, 403},
		{p.gone, `"user":8,"user_name":"gone","realm":2,"realm_name":"Corp","issuer":"corp"`, `user 8 "gone" (realm 2) DELETE`, `by a token of issuer "corp", which was not accepted, from 127.0.0.1`, 401},
	} {
		id := p.refused(row.key, row.status)
		p.appears(path, id)
		text := readText(t, path)
		_, line, _ := strings.Cut(text, id)
		if line, _, _ = strings.Cut(line, "\n"); !strings.Contains(line, row.record) {
			t.Errorf("got %s, want %s", line, row.record)
		}
		if out := p.runs(exitOK, "audit", "tail"); !strings.Contains(out, row.tail) {
			t.Errorf("tail: got %s, want %s", out, row.tail)
		}
		out := p.runs(exitOK, "why", id)
		if !strings.Contains(out, row.why) {
			t.Errorf("why: got %s, want %s", out, row.why)
		}
		p.clean("why", out)
	}
	p.appears(path, p.refused(p.anna, 403))
	if out := p.runs(exitOK, "audit", "tail", "--user", "5"); strings.Count(out, "\n") != 2 || strings.Contains(out, "user 6") {
		t.Errorf("got %s", out)
	}
	p.end()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p.clean("the audit log", string(text))
}

// What lets a request of a user pass is no entry of a token: it is a role, or what the realm and the user say.
func TestAuditSummaryOfUsers(t *testing.T) {
	t.Parallel()
	p := startPeople(t)
	path := filepath.Join(p.folder, "audit.jsonl")
	summary := func() (text, remedy, clients string) {
		t.Helper()
		var rows []struct {
			Reason, Remedy string
			Clients        []string
		}
		text = p.runs(exitOK, "audit", "summary")
		if err := json.Unmarshal([]byte(p.runs(exitOK, "audit", "summary", "--output", "json")), &rows); err != nil || len(rows) != 1 || rows[0].Reason != "no-entry" {
			t.Fatalf("got %v of %s", err, text)
		}
		return text, rows[0].Remedy, strings.Join(rows[0].Clients, ", ")
	}
	const (
		entry  = "an entry for it in token_params of the user or the realm, if the user may do this"
		role   = "a role that permits it, in roles of the user, if the user may do this"
		claims = "a role that permits it, in roles of the user or by claims.roles of the realm, if the user may do this"
	)
	wantRemedy, wantClients := "", ""
	for _, step := range []struct{ key, remedy, client string }{
		{p.anna, entry, `user 5 "anna" (realm 1)`}, {p.bea, role, `user 6 "bea" (realm 1)`}, {p.machine, claims, `user 7 "machine-é" (realm 2)`},
	} {
		p.appears(path, p.refused(step.key, 403))
		if wantRemedy != "" {
			wantRemedy, wantClients = wantRemedy+"; ", wantClients+", "
		}
		wantRemedy, wantClients = wantRemedy+step.remedy, wantClients+step.client
		text, remedy, clients := summary()
		if remedy != wantRemedy || clients != wantClients || !strings.Contains(text, wantClients) || strings.Contains(text, "token's acl") {
			t.Errorf("got %s\n%q, want %q", text, remedy, wantRemedy)
		}
		p.clean("the summary", text)
	}
	_, again, _ := p.login("acme", "anna", realmPassword)
	p.appears(path, p.refused(again, 403))
	if _, _, clients := summary(); clients != wantClients {
		t.Errorf("another session of one user: got %s, want %s", clients, wantClients)
	}
}

// The key of a session, and a token from elsewhere whether or not it was used, are explained by the running
// gateway alone; without it the message says where such keys live. A token that is refused is told why.
func TestExplainSessionKey(t *testing.T) {
	t.Parallel()
	p := startPeople(t)
	stranger := jwttest.Sign(t, jwttest.New(t).RSA, `{"alg":"RS256","kid":"rsa"}`, `{"iss":"https://nobody.example","sub":"x","aud":"aclgate","iat":1,"exp":4102444800}`)
	explains := func(key string, code int, args ...string) string {
		t.Helper()
		p.replace("key.txt", key+"\n")
		out := p.runs(code, append([]string{"explain", "--key-file", filepath.Join(p.folder, "key.txt")}, args...)...)
		p.clean(fmt.Sprint("explain ", args), out)
		return out
	}
	request := []string{"DELETE", "/gw/devices/1"}
	const lives = "no token of the policy has this key: if it is that of a session (a login, or a token of an issuer), it lives in the memory of the running gateway: add --live"
	for key, want := range map[string]string{
		p.anna:    `User 5 "anna" of realm 1 "ACME \"fleet\""`,
		p.bea:     "the role consultant, which reaches",
		p.machine: `User 7 "machine-é" of realm 2 "Corp", by a token of issuer "corp"`,
	} {
		if out := explains(key, exitFailed, request...); !strings.Contains(out, lives) {
			t.Errorf("offline: got %s", out)
		}
		for range 2 { // a token from elsewhere is known from its first request on
			out := explains(key, exitOK, append([]string{"--live"}, request...)...)
			if words := strings.Join(strings.Fields(out), " "); !strings.Contains(words, want) || !strings.Contains(words, "DENY (no-entry)") {
				t.Errorf("got %s, want %s", out, want)
			}
			p.refused(key, 403)
		}
	}
	if out := explains(p.machine, exitOK, append([]string{"--live"}, request...)...); !strings.Contains(out, "the role consultant") || !strings.Contains(out, "claims.roles of realm 2") {
		t.Errorf("got %s", out)
	}
	if out := explains(p.machine, exitFailed, "--live", "--mqtt", "subscribe", "flespi/#"); !strings.Contains(out, "which MQTT lets nobody in with") {
		t.Errorf("got %s", out)
	}
	if out := explains(p.gone, exitFailed, append([]string{"--live"}, request...)...); !strings.Contains(out, `does not accept this token: user 8 "gone" of realm 2 "Corp", by a token of issuer "corp": the user, the realm or the account is closed`) {
		t.Errorf("got %s", out)
	}
	if out := explains(stranger, exitFailed, append([]string{"--live"}, request...)...); !strings.Contains(out, "no issuer of the settings is called so") {
		t.Errorf("got %s", out)
	}
	if out := explains("nobody-has-this-key", exitFailed, append([]string{"--live"}, request...)...); !strings.Contains(out, "does not know this token: it is no session that lasts") {
		t.Errorf("got %s", out)
	}
	p.end()
	if out := explains(p.anna, exitFailed, append([]string{"--live"}, request...)...); !strings.Contains(out, "only the running gateway knows whose key this is: ") {
		t.Errorf("got %s", out)
	}
	p.policy(strings.Split(peoplePolicy, "realms:")[0] + "tokens: []\n")
	if out := explains(p.anna, exitFailed, request...); !strings.Contains(out, "no token has this key") || strings.Contains(out, "session") {
		t.Errorf("without users: got %s", out)
	}
}

// why judges the request of a user again: by the session while the gateway has it, and by what a session of the
// user may do where nobody can be asked.
func TestWhyOfUsers(t *testing.T) {
	t.Parallel()
	p := startPeople(t)
	path := filepath.Join(p.folder, "audit.jsonl")
	ids := map[string]string{}
	for name, key := range map[string]string{"anna": p.anna, "machine": p.machine} {
		ids[name] = p.refused(key, 403)
		p.appears(path, ids[name])
	}
	ids["gone"] = p.refused(p.gone, 401)
	p.appears(path, ids["gone"])
	const note = "so roles by claims are not counted"
	check := func(when, name string, wants ...string) string {
		t.Helper()
		out := p.runs(exitOK, "why", ids[name])
		words := strings.Join(strings.Fields(out), " ")
		for _, want := range wants {
			if !strings.Contains(words, want) {
				t.Errorf("%s: got %s, want %q", when, out, want)
			}
		}
		p.clean("why", out)
		return words
	}
	check("running", "anna", "Verdict DENY (no-entry)", "Add DELETE to the methods of entry 1")
	if words := check("running", "machine", "Verdict DENY (no-entry)", "the role consultant, which reaches", "None of the user's roles permits it"); strings.Contains(words, note) {
		t.Errorf("got %s", words)
	}
	check("running", "gone", "its user was not let in")
	p.end()
	check("ended", "anna", "Verdict DENY (no-entry)", "Add DELETE to the methods of entry 1")
	check("ended", "machine", "Verdict DENY (no-entry)", note)
	p.policy(strings.Split(peoplePolicy, "realms:")[0] + "tokens: []\n")
	check("without users", "anna", "is not in the policy: it was removed, or its user was")
}

// The names of roles are people's, too: what turns text around on a terminal is not printed as it is.
func TestWhyPrintsRolesHarmlessly(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	(&env{stdout: &out}).printLine(&config.Settings{}, &record.Line{Roles: []string{"viewer", "a\u202eb"}})
	if !strings.Contains(out.String(), `Roles     viewer, a\u202eb`+"\n") {
		t.Errorf("got\n%s", out.String())
	}
}
