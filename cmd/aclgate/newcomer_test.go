package main

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aclgate/bench/backend"
)

// stumbled lists what people who saw the gateway for the first time stumbled over, by number, with
// the test that shows that they no longer do and a piece of the message that they see. What is shown
// below in this file names it.
var stumbled = []struct{ fault, file, test, says string }{
	{"1: a backend that knows no accounts, and check --live says it is fine", "init_test.go", "TestLiveCountsOwners", "scope.mode ids needs a cid in every item"},
	{"1: header mode, and /readyz says that foreign items are shown", "newcomer_test.go", "TestNewcomerNoAccounts", "have no cid"},
	{"2: last uses that cannot be kept", "newcomer_test.go", "TestNewcomerMessages", "the last uses of tokens with a ttl cannot be kept"},
	{"2: two gateways beside one file", "../../policy/store/uses_test.go", "TestUsesOfTwoGateways", "uses"},
	{"3: a migration is blind", "auditsummary_test.go", "TestAuditSummary", "policy: {query: ["},
	{"5: why in mode ids says ALLOW or UNRESOLVED", "explainlive_test.go", "TestWhyOfWhatWasDenied", "UNRESOLVED"},
	{"5: explain under scope-ignored says ALLOW", "explainlive_test.go", "TestExplainKnowsThatTheScopeIsIgnored", "DENY (scope-ignored)"},
	{"6: audit.path in a missing folder", "newcomer_test.go", "TestNewcomerMessages", "audit.path: cannot open the audit log"},
	{"7: check is silent on what opens too much", "advice_test.go", "TestAdvice", "everybody on this machine can read the key"},
	{"7: expired tokens", "advice_test.go", "TestAdviceOfTokens", "ended on"},
	{"7: certificates that end", "advice_test.go", "TestAdviceOfCertificates", "the certificate"},
	{"8: a reload that ignores changed settings, and says nothing of a broken key", "newcomer_test.go", "TestNewcomerReload", "has changed since the start"},
	{"9: signals are swallowed", "sinks_test.go", "TestSignalsEndCommands", "SIG"},
	{"10: :8080 in braces", "newcomer_test.go", "TestNewcomerMessages", "a value that begins with a colon needs quotes"},
	{"11: token new >> policy.yaml writes the key into it", "commands_test.go", "TestTokenNew", "The key"},
	{"12: reload and why after admin.token_file was added", "newcomer_test.go", "TestNewcomerAdminToken", "restart it"},
	{"13: no panel of the item index", "deploy_test.go", "TestDashboard", "Item index"},
	{"14: demo with a bad address names a file that nobody wrote", "usage_test.go", "TestUsageErrorsInWords", "--listen: expected host:port"},
	{"15: explain without a token", "usage_test.go", "TestUsageErrorsInWords", "name a token"},
	{"16: usage errors name another command's help", "usage_test.go", "TestUsageErrorsNameTheCommandsOwnHelp", "--help"},
	{"17: --at and expire take no day", "newcomer_test.go", "TestNewcomerMessages", "valid until 2099-01-01"},
	{"18: entries counted from 0 here and from 1 there", "newcomer_test.go", "TestNewcomerMessages", "acl[entry 2]"},
	{"19: audit tail before there is a log", "newcomer_test.go", "TestNewcomerMessages", "is not there yet"},
	{"20: health shows the admin key, and waits for ever", "newcomer_test.go", "TestNewcomerHealth", "does not answer"},
	{"21: a silent peer", "newcomer_test.go", "TestNewcomerSilentBackend", "takes the connection and does not answer"},
	{"22: a misspelled collection", "newcomer_test.go", "TestNewcomerMessages", "did you mean /gw/devices?"},
	{"23: 1 requests replayed", "newcomer_test.go", "TestNewcomerOneRequest", "1 request replayed"},
	{"24: an item without cid", "newcomer_test.go", "TestNewcomerNoAccounts", "names no account"},
	{"25: the unit starts again what cannot start", "unit_test.go", "TestUnitDoesNotRepeat", "RestartPreventExitStatus"},
	{"26: links of alerts", "deploy_test.go", "TestRunbooks", "runbook_url"},
	{"27: check says little", "advice_test.go", "TestAdviceOfTokens", "OK: "},
	{"28: a refused key at the backend", "newcomer_test.go", "TestNewcomerRefusedKey", "the backend rejected the key in upstream.token_file (401)"},
	{"28: a refused key in mode ids, named after 20 seconds", "newcomer_test.go", "TestNewcomerRefusedKey", "scope: {mode: ids}"},
	{"29: a key file that holds no key", "../../config/files_test.go", "TestReadKeyFile", "keep the key only"},
	{"30: units and ranges", "newcomer_test.go", "TestNewcomerMessages", `unknown unit "MB": use KiB, MiB or GiB`},
	{"30: units and ranges", "newcomer_test.go", "TestNewcomerMessages", "not a valid IP address or CIDR range"},
}

// TestNewcomer: what is listed is still there, under that name and with that message.
func TestNewcomer(t *testing.T) {
	for _, row := range stumbled {
		text := readText(t, row.file)
		times := 1
		if row.file == "newcomer_test.go" {
			times = 2 // the list has it too
		}
		if !strings.Contains(text, "func "+row.test+"(") || strings.Count(text, row.says) < times {
			t.Errorf("%s: %s has no %s with %q", row.fault, row.file, row.test, row.says)
		}
	}
}

// newcomerSettings is a pair of files that is sound, but for what a test adds.
const newcomerSettings = "listen: {address: \"127.0.0.1:8080\"}\nadmin: {address: \"127.0.0.1:9090\"}\n" +
	"upstream: {urls: [\"http://127.0.0.1:9000\"], token_file: up.token}\nstore: {kind: file, path: policy.yaml}\n"

const newcomerPolicy = "accounts: [{id: 1}]\ntokens:\n" +
	"  - {id: 1, key_sha256: 6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090, cid: 1, expire: 2099-01-01, access: {type: master}}\n"

// What a command says of a fault that somebody new makes: the file and the line, what was expected,
// what to do.
func TestNewcomerMessages(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("p", 250) + ".yaml" // nothing fits beside it
	for _, row := range []struct {
		call, settings, policy string
		code                   int
		want                   string
	}{
		{"check", "", newcomerPolicy, 0, "(1 account, 1 token)"},
		{"explain --token 1 --at 2098-12-31 GET /gw/devices/7", "", newcomerPolicy, 0, "valid until 2099-01-01 00:00:00 UTC"},
		{"explain --token 1 --at soon GET /gw/devices/7", "", newcomerPolicy, 2, "--at: expected a day such as 2027-01-01, a time"},
		{"explain --token 1 GET /gw/device/7", "", newcomerPolicy, 0, "Note      Did you mean /gw/devices?"},
		{"routes /gw/device/7", "", newcomerPolicy, 1, "did you mean /gw/devices?"},
		{"check", "audit: {path: no/such/audit.jsonl}\n", newcomerPolicy, 3, "aclgate.yaml:5:15: audit.path: cannot open the audit log"},
		{"serve", "audit: {path: no/such/audit.jsonl}\n", newcomerPolicy, 3, "aclgate.yaml:5:15: audit.path: cannot open the audit log"},
		{"audit tail", "audit: {path: audit.jsonl}\n", newcomerPolicy, 0, "audit.jsonl is not there yet: the gateway makes it when it starts"},
		{"check", "mqtt: {address: :1883}\n", newcomerPolicy, 3, "this is not YAML: did not find expected node content: a value that begins with a colon needs quotes in {} and []"},
		{"check", "cache: {max_bytes: 128MB}\n", newcomerPolicy, 3, `cache.max_bytes: unknown unit "MB": use KiB, MiB or GiB`},
		{"check", "metrics: {}\n", strings.Replace(newcomerPolicy, "{type: master}", "{type: acl, acl: [{uri: gw, methods: [GET]}, {uri: gw, methods: [get]}]}", 1), 3,
			"tokens[0].access.acl[entry 2].methods[0]: expected GET"},
		{"check", "", strings.Replace(newcomerPolicy, "expire: 2099-01-01", "ips: [office], expire: 2099-01-01", 1), 3, "not a valid IP address or CIDR range"},
		{"reload", "", newcomerPolicy, 1, "reload needs admin.token_file in the settings; or send SIGHUP to the process"},
		{"check", "store: " + long, strings.Replace(newcomerPolicy, "expire: 2099-01-01", "ttl: 30d, created: 2026-01-01", 1), 3,
			"store.path: the last uses of tokens with a ttl cannot be kept"},
	} {
		settings, name := newcomerSettings+row.settings, "policy.yaml"
		if other, found := strings.CutPrefix(row.settings, "store: "); found {
			settings, name = strings.Replace(newcomerSettings, "policy.yaml", other, 1), other
		}
		folder := write(t, map[string]string{"aclgate.yaml": settings, name: row.policy, "up.token": "upstream-key\n"})
		code, stdout, stderr := once(t, append(strings.Fields(row.call), "-c", filepath.Join(folder, "aclgate.yaml"))...)
		if code != row.code || !strings.Contains(stdout+stderr, row.want) {
			t.Errorf("%s, %s: got %d %s%s, want %d %q", row.call, row.settings, code, stdout, stderr, row.code, row.want)
		}
	}
}

// A gateway that was started without admin.token_file says so to whoever adds it afterwards.
func TestNewcomerAdminToken(t *testing.T) {
	s := newSite(t, siteOptions{settings: "log: {level: error}\n"})
	with := readText(t, s.file())
	s.replace("aclgate.yaml", strings.Replace(with, ", token_file: admin.token", "", 1))
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", http.StatusOK)
	s.replace("aclgate.yaml", with)
	const want = "the running gateway was started without admin.token_file: restart it"
	for _, call := range []string{"reload", "why 00112233445566778899aabb"} {
		if code, _, stderr := once(t, append(strings.Fields(call), "-c", s.file())...); code != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("%s: got %d %s, want %q", call, code, stderr, want)
		}
	}
}

// A reload says that changed settings need a restart, and a broken key leaves a line in the log, as
// does its end.
func TestNewcomerReload(t *testing.T) {
	s := newSite(t, siteOptions{settings: "log: {level: info}\n"})
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", http.StatusOK)
	s.replace("up.token", "FlespiToken x\n")
	if code, _, stderr := once(t, "reload", "-c", s.file()); code != exitSettings || !strings.Contains(stderr, `begins with "FlespiToken ": keep the key only`) {
		t.Errorf("a broken key: got %d %s", code, stderr)
	}
	s.replace("up.token", upstreamKey+"\n")
	s.replace("aclgate.yaml", readText(t, s.file())+"# changed\n")
	code, stdout, stderr := once(t, "reload", "-c", s.file())
	if want := "has changed since the start: settings need a restart"; code != exitOK || !strings.Contains(stdout, want) {
		t.Errorf("changed settings: got %d %s%s, want %q", code, stdout, stderr, want)
	}
	for _, want := range []string{"reload refused: what could not be read stays as it was", "reloaded: what failed before can be read again", "settings need a restart"} {
		if log := g.stderr.String(); !strings.Contains(log, want) {
			t.Errorf("the log has no %q:\n%s", want, log)
		}
	}
}

// In front of a backend that knows no accounts the gateway says that, and not that foreign items are
// shown; and of an item without cid that it has none.
func TestNewcomerNoAccounts(t *testing.T) {
	t.Parallel()
	fake := backend.New(backend.DemoWorld(), backend.Options{Key: upstreamKey, IgnoreCID: true, NoCIDField: true})
	s := newSite(t, siteOptions{policy: livePolicy, backend: fake, settings: "scope: {mode: header}\nlog: {level: error}\n"})
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/healthz", http.StatusOK)
	const want = "items of the backend have no cid, so nothing keeps accounts apart: use scope.mode none with one account, or scope.owners store"
	said := ""
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(said, want) && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		_, said, _ = once(t, "health", "--ready", "-c", s.file())
	}
	if !strings.Contains(said, "scope: failed: "+want) || !strings.Contains(g.stderr.String(), "items of the backend have no cid") {
		t.Errorf("got %s and the log %s", said, g.stderr.String())
	}
	if code, _, stderr := once(t, "check", "--live", "-c", s.file()); code != exitFailed || !strings.Contains(stderr, `have no "cid", so accounts cannot be kept apart`) {
		t.Errorf("check --live: got %d %s", code, stderr)
	}
	g.end()
	g.replace("aclgate.yaml", strings.Replace(readText(t, g.file()), "mode: header", "mode: ids", 1))
	if _, stdout, _ := once(t, "explain", "--live", "--token", "5", "GET", "/gw/devices/101", "-c", g.file()); !strings.Contains(stdout, "names no account for it (it has no cid), so no token") {
		t.Errorf("explain --live: got %s", stdout)
	}
}

// A backend that refuses the gateway's key: readiness and check --live name the setting.
func TestNewcomerRefusedKey(t *testing.T) {
	t.Parallel()
	fake := backend.New(backend.DemoWorld(), backend.Options{Key: "another-key-at-the-backend"})
	s := newSite(t, siteOptions{policy: livePolicy, backend: fake, settings: "scope: {mode: header}\nlog: {level: error}\n"})
	const want = "the backend rejected the key in upstream.token_file (401)"
	if code, _, stderr := once(t, "check", "--live", "-c", s.file()); code != exitFailed || !strings.Contains(stderr, "live: cannot ask the backend: "+want) {
		t.Errorf("check --live: got %d %s", code, stderr)
	}
	ids := newSite(t, siteOptions{policy: livePolicy, backend: fake, settings: "scope: {mode: ids}\nlog: {level: error}\n"})
	if code, _, stderr := once(t, "check", "--live", "-c", ids.file()); code != exitFailed || !strings.Contains(stderr, "live: cannot ask the backend: "+want) {
		t.Errorf("check --live in mode ids: got %d %s", code, stderr)
	}
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/healthz", http.StatusOK)
	said := ""
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(said, want) && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		_, said, _ = once(t, "health", "--ready", "-c", s.file())
	}
	if !strings.Contains(said, "scope: failed: not checked: "+want) {
		t.Errorf("got %s", said)
	}
}

// silent returns the address of somebody who takes connections and never answers, and what the last
// one said.
func silent(t *testing.T) (addr string, said func() string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	var heard safeBuffer
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go func() {
				b := make([]byte, 4096)
				for n, err := c.Read(b); err == nil; n, err = c.Read(b) {
					_, _ = heard.Write(b[:n])
				}
			}()
		}
	}()
	return ln.Addr().String(), heard.String
}

// Whoever listens at admin.address in place of the gateway does not get the admin key from health,
// and keeps nobody waiting.
func TestNewcomerHealth(t *testing.T) {
	addr, said := silent(t)
	folder := write(t, map[string]string{"policy.yaml": newcomerPolicy, "up.token": "upstream-key\n", "admin.token": adminKey + "\n",
		"aclgate.yaml": strings.Replace(newcomerSettings, `"127.0.0.1:9090"`, `"`+addr+`", token_file: admin.token`, 1)})
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	var out, errs safeBuffer
	code := run(ctx, []string{"health", "--ready", "-c", filepath.Join(folder, "aclgate.yaml")}, &out, &errs)
	if want := "the admin listener at " + addr + " does not answer"; code != exitFailed || !strings.Contains(errs.String(), want) {
		t.Errorf("got %d %s, want %q", code, errs.String(), want)
	}
	if heard := said(); !strings.Contains(heard, "GET /readyz") || strings.Contains(heard, adminKey) {
		t.Errorf("the listener heard %q", heard)
	}
}

// A backend that takes the connection and is silent is called that.
func TestNewcomerSilentBackend(t *testing.T) {
	t.Parallel()
	addr, _ := silent(t)
	for _, mode := range []string{"none", "header"} {
		folder := write(t, map[string]string{"policy.yaml": newcomerPolicy, "up.token": "upstream-key\n",
			"aclgate.yaml": strings.Replace(newcomerSettings, "127.0.0.1:9000", addr, 1) + "scope: {mode: " + mode + "}\n"})
		ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
		var out, errs safeBuffer
		code := run(ctx, []string{"check", "--live", "-c", filepath.Join(folder, "aclgate.yaml")}, &out, &errs)
		stop()
		if want := "the backend at http://" + addr + " takes the connection and does not answer"; code != exitFailed || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: got %d %s, want %q", mode, code, errs.String(), want)
		}
	}
}

// One is one.
func TestNewcomerOneRequest(t *testing.T) {
	line := `{"time":"2026-11-22T02:02:56Z","decision":"000000000000000000000001","verdict":"deny","reason":"no-entry","method":"GET","status":403,` +
		`"target":"/gw/devices/7","token":1,"digest":"6ca13d52"}` + "\n"
	folder := write(t, map[string]string{"aclgate.yaml": newcomerSettings, "policy.yaml": newcomerPolicy, "up.token": "upstream-key\n", "a.jsonl": line})
	code, stdout, stderr := once(t, "diff", "--new", filepath.Join(folder, "policy.yaml"), "--replay", filepath.Join(folder, "a.jsonl"), "-c", filepath.Join(folder, "aclgate.yaml"))
	if code != exitOK || !strings.HasPrefix(stdout, "1 request replayed, 0 would") {
		t.Errorf("got %d %s%s", code, stdout, stderr)
	}
}
