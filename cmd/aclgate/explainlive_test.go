package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"aclgate/bench/backend"
)

const livePolicy = `accounts:
  - {id: 1, name: operator}
  - {id: 11, name: fleet, parent: 1}
  - {id: 12, name: depot, parent: 1}
  - {id: 13, name: closed, parent: 1, enabled: false}
tokens:
  - {id: 1, key: stays-valid, cid: 1, expire: 4102444800, access: {type: standard}}
  - {id: 5, key: of-the-fleet, cid: 11, expire: 4102444800, access: {type: acl, acl: [{uri: gw/devices, methods: [GET, PUT], ids: [101, 201, 999]}]}}
  - {id: 6, key: often-used-one, cid: 11, expire: 4102444800, access: {type: standard}}
  - {id: 7, key: of-the-closed-one, cid: 13, expire: 4102444800, access: {type: standard}}
`

// ask sends a request with a key and returns the decision id and the status of the answer.
func (g *gate) ask(key, method, target, body string) (decision string, status int) {
	g.t.Helper()
	req, err := http.NewRequest(method, g.api+target, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	req.Header.Set("Authorization", "FlespiToken "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.Header.Get("X-Aclgate-Decision"), resp.StatusCode
}

// explain --live asks the running gateway: the accounts of items, limits and blocks are as they are
// there at this moment.
func TestExplainAsksTheRunningGateway(t *testing.T) {
	t.Parallel()
	g := startGate(t, siteOptions{policy: livePolicy, settings: "scope: {mode: ids}\nlimits: {unauthenticated: {rate: 0}, per_token: {rate: 1/m, burst: 3}}\n"})
	for range 4 {
		g.ask("often-used-one", "GET", "/gw/devices/102", "")
	}
	for _, row := range []struct {
		token, call string
		want        []string
	}{
		{"5", "GET /gw/devices/101", []string{"ALLOW", "gw/devices 101 permitted: entry 1 names it; it belongs to account 11 (fleet)"}},
		{"5", "GET /gw/devices/201", []string{"DENY (denied-items)", "gw/devices 201 denied: it belongs to account 12 (depot), outside the branch of"}},
		{"5", "GET /gw/devices/999", []string{"DENY (denied-items)", "gw/devices 999 denied: no such item is known"}},
		{"5", "GET /gw/devices/all", []string{"NARROW", "Backend   gets GET /gw/devices/101"}},
		{"5", "GET /gw/devices/name=truck*", []string{"NARROW", "Backend   gets GET /gw/devices/101"}},
		{"6", "GET /gw/devices/102", []string{"DENY (limit-token)", "Client    gets 429", "token 6 has nothing left of limits.per_token: a request passes in"}},
		{"7", "GET /gw/devices/101", []string{"DENY (account-blocked)", "account 13 is not enabled", "The policy has no part in this"}},
	} {
		args := append([]string{"explain", "--live", "--token", row.token, "-c", g.file()}, strings.Fields(row.call)...)
		code, stdout, stderr := once(t, args...)
		for _, want := range row.want {
			if code != exitOK || stderr != "" || !strings.Contains(stdout, want) {
				t.Errorf("token %s %s: got %d %s%s, want %q", row.token, row.call, code, stdout, stderr, want)
			}
		}
	}
	if _, status := g.ask("of-the-fleet", "GET", "/gw/devices/101", ""); status != http.StatusOK {
		t.Errorf("got %d: to explain a request has charged the token", status)
	}
	code, stdout, _ := once(t, "explain", "--live", "--token", "6", "--at", "2030-01-01T00:00:00Z", "GET", "/gw/devices/102", "-c", g.file())
	if code != exitOK || !strings.Contains(stdout, "ALLOW") {
		t.Errorf("got %d %s: the limits of this moment are not those of another time", code, stdout)
	}
	g.replace("policy.yaml", strings.Replace(livePolicy, "of-the-fleet", "a-new-one-of-it", 1)) // not read yet, or just so
	g.end()
	if code, stdout, stderr := once(t, "explain", "--live", "--token", "5", "GET", "/gw/devices/201", "-c", g.file()); code != exitOK ||
		!strings.Contains(stderr, "is the gateway running?: the backend is asked instead") || !strings.Contains(stdout, "DENY (denied-items)") {
		t.Errorf("without a gateway: got %d %s%s", code, stdout, stderr)
	}
}

// Where the backend judges the accounts of items, explain --live asks it for them: of the gateway, and by
// itself where none runs.
func TestExplainAsksForAccounts(t *testing.T) {
	t.Parallel()
	g := startGate(t, siteOptions{policy: livePolicy, settings: "scope: {mode: header}\n"})
	want := []string{"ALLOW",
		"gw/devices 101 permitted: entry 1 names it; the backend checks its account by x-flespi-cid: it belongs to account 11 (fleet), in the branch of account 11",
		"gw/devices 201 permitted: entry 1 names it; the backend checks its account by x-flespi-cid: it belongs to account 12 (depot), outside the branch of account 11",
		"gw/devices 999 permitted: entry 1 names it; the backend checks its account by x-flespi-cid, and shows no such item now",
	}
	for range 2 {
		code, stdout, _ := once(t, "explain", "--live", "--token", "5", "GET", "/gw/devices/101,201,999", "-c", g.file())
		unfolded := strings.Join(strings.Fields(stdout), " ")
		for _, part := range want {
			if code != exitOK || !strings.Contains(unfolded, part) {
				t.Errorf("got %d %s, want %q", code, stdout, part)
			}
		}
		g.end()
	}
}

// Where the backend ignores the scope header, explain --live says what clients get, not what the
// policy permits.
func TestExplainKnowsThatTheScopeIsIgnored(t *testing.T) {
	fake := backend.New(backend.DemoWorld(), backend.Options{Key: upstreamKey, IgnoreCID: true})
	s := newSite(t, siteOptions{policy: livePolicy, backend: fake, settings: "scope: {mode: header}\nlog: {level: error}\n"})
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/healthz", http.StatusOK)
	for deadline := time.Now().Add(10 * time.Second); g.series("aclgate_scope_header_ignored") != "1"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the probe never sees it")
		}
	}
	id, status := g.ask("often-used-one", "GET", "/gw/devices/all", "")
	_, stdout, _ := once(t, "explain", "--live", "--token", "6", "GET", "/gw/devices/all", "-c", g.file())
	if status != http.StatusServiceUnavailable || !strings.Contains(stdout, "DENY (scope-ignored)") || strings.Contains(stdout, "permitted") {
		t.Errorf("got %d and\n%s", status, stdout)
	}
	if _, stdout, _ = once(t, "why", id, "-c", g.file()); !strings.Contains(stdout, "DENY (scope-ignored)") || shownAsPassing(stdout) {
		t.Errorf("why: got\n%s", stdout)
	}
}

// shownAsPassing reports whether an explanation says of a denied request that it passes, or of its
// items, unless the body is at fault.
func shownAsPassing(text string) bool {
	for _, word := range []string{"ALLOW", "NARROW", "UNRESOLVED", "permitted (", "Backend   gets"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return strings.Contains(text, " permitted:") && !strings.Contains(text, "DENY (body-item)")
}

// why never says of what was denied that it passes: neither while the gateway runs nor afterwards, nor
// when the policy has changed.
func TestWhyOfWhatWasDenied(t *testing.T) {
	t.Parallel()
	g := startGate(t, siteOptions{policy: livePolicy, settings: "scope: {mode: ids}\naudit: {path: audit.jsonl}\npolicy: {max_write: 1}\n" +
		"limits: {unauthenticated: {rate: 0}, per_token: {rate: 1/m, burst: 8}}\n"})
	type asked struct {
		id, what string
		status   int
	}
	var all []asked
	for _, row := range []struct {
		key, method, target, body string
		status                    int
	}{
		{"of-the-fleet", "GET", "/gw/devices/201", "", 403},
		{"of-the-fleet", "GET", "/gw/devices/999", "", 403},
		{"of-the-fleet", "DELETE", "/gw/devices/101", "", 403},
		{"of-the-fleet", "PUT", "/gw/devices/101", `{"id":5}`, 403},
		{"of-the-fleet", "PUT", "/gw/devices/101", `{"id":`, 400},
		{"of-the-closed-one", "GET", "/gw/devices/101", "", 403},
		{"stays-valid", "PUT", "/gw/devices/all", `{"name":"x"}`, 400},
		{"stays-valid", "GET", "/gw/nothing", "", 404},
		{"stays-valid", "GET", "/gw/devices/all?token=x", "", 400},
		{"stays-valid", "GET", "/gw/devices/7x", "", 400},
		{"nobody-has-this", "GET", "/gw/devices/101", "", 401},
	} {
		id, status := g.ask(row.key, row.method, row.target, row.body)
		if status != row.status {
			t.Fatalf("%s %s: got %d, want %d", row.method, row.target, status, row.status)
		}
		all = append(all, asked{id, row.method + " " + row.target, status})
	}
	for range 9 {
		if id, status := g.ask("often-used-one", "GET", "/gw/devices/102", ""); status == http.StatusTooManyRequests {
			all = append(all, asked{id, "too many", status})
			break
		}
	}
	look := func(when string) {
		for _, a := range all {
			code, stdout, stderr := once(t, "why", a.id, "-c", g.file())
			if code != exitOK || !strings.Contains(stdout, "Decided   DENY") || !strings.Contains(stdout, fmt.Sprintf("answered %d", a.status)) || shownAsPassing(stdout) {
				t.Errorf("%s, %s: got %d %s\n%s", when, a.what, code, stderr, stdout)
			}
		}
	}
	if len(all) != 12 {
		t.Fatal("no limit was met")
	}
	look("running")
	if _, stdout, _ := once(t, "why", all[0].id, "-c", g.file()); !strings.Contains(stdout, "it belongs to account 12 (depot), outside the") {
		t.Errorf("the account of the item is not named:\n%s", stdout)
	}
	g.policy(strings.NewReplacer("cid: 11", "cid: 1", "[GET, PUT]", "[GET, PUT, DELETE]", "enabled: false", "enabled: true").Replace(livePolicy))
	if status := g.reload(); status != 200 {
		t.Fatalf("got %d of the reload", status)
	}
	look("another policy")
	g.end()
	look("ended")
}

// What was denied by a limit or a block is no matter of the policy: why says so, and how it is now.
func TestWhyOfABlockedAccount(t *testing.T) {
	t.Parallel()
	policy := strings.Replace(livePolicy, "name: fleet", "name: fleet, limit_id: 5", 1) + "limits: [{id: 5, cid: 1, name: small, api_calls: 2, blocking_duration: 3600}]\n"
	g := startGate(t, siteOptions{policy: policy, settings: "scope: {mode: ids}\naudit: {path: audit.jsonl}\n"})
	limited, status := "", 0
	for range 50 {
		if limited, status = g.ask("often-used-one", "GET", "/gw/devices/102", ""); status == http.StatusTooManyRequests {
			break
		}
	}
	closed, _ := g.ask("of-the-closed-one", "GET", "/gw/devices/101", "")
	why := func(id string, want ...string) {
		t.Helper()
		code, stdout, stderr := once(t, "why", id, "-c", g.file())
		for _, want := range append(want, "nothing in the policy refused it") {
			if code != exitOK || !strings.Contains(stdout, want) || shownAsPassing(stdout) {
				t.Errorf("got %d %s%s, want %q", code, stdout, stderr, want)
			}
		}
	}
	why(limited, "DENY (account-limit), answered 429", "It is so now, too: account 11 has used up api_calls or api_traffic of its limit")
	why(closed, "DENY (account-blocked), answered 403", "It is so now, too: account 13 is not enabled")
	g.policy(strings.Replace(policy, "enabled: false", "enabled: true", 1))
	if status := g.reload(); status != 200 {
		t.Fatalf("got %d of the reload", status)
	}
	why(closed, "It is not so any more: the gateway does not refuse token 7 for this now")
	g.end()
	why(limited, "Whether it is so now only the running gateway knows", "is the gateway running?")
}

// explain --mqtt --live asks the running gateway what the entries cannot tell; without --live it is said
// to be open.
func TestExplainTopicsLive(t *testing.T) {
	t.Parallel()
	g := startGate(t, siteOptions{policy: livePolicy, settings: "scope: {mode: ids}\n"})
	for _, row := range []struct{ token, flags, call, want string }{
		{"5", "", "subscribe flespi/state/gw/devices/+", "UNRESOLVED: it cannot be judged before something has been asked"},
		{"5", "", "deliver flespi/state/gw/devices/102", "DENY (denied-items)"},
		{"5", "--live", "subscribe flespi/state/gw/devices/+", "is asked for flespi/state/gw/devices/101"},
		{"5", "--live", "deliver flespi/state/gw/devices/101", "ALLOW"},
		{"5", "--live", "deliver flespi/state/gw/devices/201", "DENY (denied-items)"},
		{"7", "--live", "publish a/b", "account 13 is not enabled"},
	} {
		args := append([]string{"explain", "--mqtt", "--token", row.token, "-c", g.file()}, strings.Fields(row.flags+" "+row.call)...)
		if code, stdout, stderr := once(t, args...); code != exitOK || stderr != "" || !strings.Contains(stdout, row.want) {
			t.Errorf("%+v: got %d %s%s", row, code, stdout, stderr)
		}
	}
	g.end()
	code, stdout, stderr := once(t, "explain", "--mqtt", "--live", "--token", "5", "deliver", "flespi/state/gw/devices/201", "-c", g.file())
	if code != exitOK || !strings.Contains(stdout, "DENY (denied-items)") || !strings.Contains(stderr, "the backend is asked instead") {
		t.Errorf("without a gateway: got %d %s%s", code, stdout, stderr)
	}
}

// Where the backend judges, what no role permits is not said to be missing: nobody has looked.
func TestExplainUserLiveByHeader(t *testing.T) {
	users := "realms: [{id: 1, cid: 11, public_id: ours, name: Ours}]\nroles: [{id: 3, name: dispatcher, realm_id: 1, reach: branch, access: {type: acl, acl: [{uri: gw/devices, methods: [DELETE], ids: [101]}]}}]\n" +
		"users:\n  - {id: 5, realm_id: 1, cid: 11, name: anna, roles: [dispatcher]}\n"
	g := startGate(t, siteOptions{policy: livePolicy + users, settings: "scope: {mode: header}\n"})
	const want = "gw/devices 102 denied: no role that they have permits it, or there is no such item"
	if code, stdout, stderr := once(t, "explain", "--live", "--user", "5", "DELETE", "/gw/devices/102", "-c", g.file()); code != exitOK || !strings.Contains(strings.Join(strings.Fields(stdout), " "), want) {
		t.Errorf("got %d %s%s, want %q", code, stdout, stderr, want)
	}
}

// explain --live --user says what a session of the user could do in the running gateway, which obeys a
// change of the user at once.
func TestExplainUserLive(t *testing.T) {
	users := "realms: [{id: 1, cid: 1, public_id: ours, name: Ours}]\nusers:\n  - {id: 5, realm_id: 1, cid: 11, name: anna, roles: [account-admin]}\n"
	g := startGate(t, siteOptions{policy: livePolicy + users, settings: "scope: {mode: ids}\n"})
	explains := func(call string, want ...string) {
		t.Helper()
		code, stdout, stderr := once(t, append([]string{"explain", "--live", "--user", "5", "-c", g.file()}, strings.Fields(call)...)...)
		for _, want := range want {
			if code != exitOK || stderr != "" || !strings.Contains(stdout, want) {
				t.Errorf("%s: got %d %s%s, want %q", call, code, stdout, stderr, want)
			}
		}
	}
	explains("DELETE /gw/devices/101", "ALLOW", "the role account-admin, which reaches account 11 (fleet)")
	explains("GET /gw/devices/201", "DENY (denied-items)", "it belongs to account 12 (depot)")
	explains("GET /gw/devices/all", "NARROW")
	g.replace("policy.yaml", livePolicy+strings.Replace(users, ", roles: [account-admin]", ", enabled: false", 1))
	g.runs(exitOK, "reload")
	explains("GET /gw/devices/101", "DENY (token-disabled)")
	if code, stdout, stderr := once(t, "explain", "--live", "--user", "9", "GET", "/gw/devices/101", "-c", g.file()); code != exitFailed || !strings.Contains(stderr, "no user has the id 9") {
		t.Errorf("got %d %s%s", code, stdout, stderr)
	}
}
