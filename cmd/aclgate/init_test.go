package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"aclgate/bench/backend"
	"aclgate/policy"
	"aclgate/upstream/survey"
)

// initialised runs init in front of a backend and returns the folder.
func initialised(t *testing.T, o backend.Options, args ...string) (folder, stdout string) {
	t.Helper()
	b := backend.New(backend.DemoWorld(), o)
	url, err := b.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	folder = write(t, map[string]string{upstreamName: upstreamKey + "\n"})
	code, stdout, stderr := once(t, append([]string{"init", "-c", filepath.Join(folder, "aclgate.yaml"), "--upstream", url}, args...)...)
	if code != exitOK {
		t.Fatalf("init: %d %s%s", code, stdout, stderr)
	}
	return folder, stdout
}

// init looks at the backend and writes settings that fit it; check --live agrees at once.
func TestInitFitsTheBackend(t *testing.T) {
	for name, row := range map[string]struct {
		options   backend.Options
		says      []string // in the settings
		next, not string   // in the output
		live      string
	}{
		"knows accounts": {backend.Options{Key: upstreamKey}, []string{"scope: {mode: header", "It obeys x-flespi-cid"},
			"check --live", upstreamName, "the backend obeys x-flespi-cid"},
		"ignores the header": {backend.Options{Key: upstreamKey, IgnoreCID: true}, []string{"scope: {mode: ids", "It ignores x-flespi-cid"},
			"check --live", upstreamName, "live: read "},
		"no accounts": {backend.Options{Key: upstreamKey, IgnoreCID: true, NoCIDField: true}, []string{"scope: {mode: none}", "rows have no cid", "0 have a cid"},
			"token new", upstreamName, "the backend answers, and takes"},
		"another key": {backend.Options{Key: "another-key-1"}, []string{"scope: {mode: header}", "Not known yet: the backend answers 401"},
			"nothing was learnt of it: the backend answers 401: it does not take the key in upstream.token", "read ", ""},
	} {
		folder, stdout := initialised(t, row.options)
		settings := readText(t, folder, "aclgate.yaml")
		for _, want := range row.says {
			if !strings.Contains(settings, want) {
				t.Errorf("%s: got\n%s\nwant %q", name, settings, want)
			}
		}
		if !strings.Contains(stdout, row.next) || strings.Contains(stdout, row.not) {
			t.Errorf("%s: got\n%s\nwant %q and no %q", name, stdout, row.next, row.not)
		}
		file := filepath.Join(folder, "aclgate.yaml")
		if code, _, stderr := once(t, "check", "-c", file); code != exitOK {
			t.Errorf("%s: check: %d %s\n%s\n%s", name, code, stderr, settings, readText(t, folder, policyName))
		}
		if row.live == "" {
			continue
		}
		code, live, stderr := once(t, "check", "--live", "-c", file)
		if code != exitOK || !strings.Contains(live, row.live) {
			t.Errorf("%s: check --live: %d %s%s", name, code, live, stderr)
		}
	}
}

// init writes all of its files, or none: also where nobody reads what it says.
func TestInitIsWhole(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close() // as head does once it has enough
	cmd := exec.Command(os.Args[0], "init", "-c", filepath.Join(folder, "aclgate.yaml"), "--upstream", "http://127.0.0.1:1", "--admin-token", "--schema")
	cmd.Env, cmd.Stdout = append(os.Environ(), childVariable+"=1"), w
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
	w.Close()
	for _, name := range []string{"aclgate.yaml", policyName, adminName, settingsSchema, policySchema} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			t.Error(err)
		}
	}
	bad := t.TempDir()
	long := strings.Repeat("x", 300) // no file system has names as long
	e := &env{stdout: io.Discard, stderr: io.Discard}
	if err := e.writeAll(bad, []newFile{{"a", []byte("1")}, {"b", []byte("2")}, {long, nil}}); err == nil {
		t.Error("a file with an impossible name is written")
	}
	if left, _ := os.ReadDir(bad); len(left) != 0 {
		t.Errorf("half of the files are left: %v", left)
	}
}

// Everything that init can write beside the two files is sound, for its owner alone, and used.
func TestInitWritesAll(t *testing.T) {
	folder, _ := initialised(t, backend.Options{Key: upstreamKey}, "--admin-token", "--audit", "--tls", "api.example.com", "--schema", "--compose")
	for _, name := range []string{"aclgate.yaml", policyName, adminName, certName, certKeyName, composeName, settingsSchema, policySchema} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v", name, info, err)
		}
	}
	settings := readText(t, folder, "aclgate.yaml")
	for _, want := range []string{"$schema=" + settingsSchema, `address: ":8080"`, `cert_file: "tls.crt"`, `token_file: "admin.token"`, `audit: {path: "audit.jsonl"}`} {
		if !strings.Contains(settings, want) {
			t.Errorf("got\n%s\nwant %q", settings, want)
		}
	}
	code, stdout, stderr := once(t, "check", "-c", filepath.Join(folder, "aclgate.yaml"))
	if code != exitOK || strings.Contains(stderr, "everybody on this machine") {
		t.Errorf("check: %d %s%s", code, stdout, stderr)
	}
	unit, _ := initialised(t, backend.Options{Key: upstreamKey}, "--systemd", "--audit")
	if text := readText(t, unit, "aclgate.yaml"); !strings.Contains(text, "/var/lib/aclgate/policy.yaml") || !strings.Contains(text, "/var/log/aclgate/audit.jsonl") {
		t.Errorf("got\n%s, want the folders of the unit", text)
	}
	if readText(t, unit, unitName) != readText(t, deployFolder, "systemd", "aclgate.service") {
		t.Error("the unit is another one")
	}
}

// The first token that init names is made, of an account that the policy has, and does something.
func TestInitNamesAFirstToken(t *testing.T) {
	for name, o := range map[string]backend.Options{"a tree": {Key: upstreamKey}, "one account": {Key: upstreamKey, IgnoreCID: true, NoCIDField: true}} {
		folder, stdout := initialised(t, o)
		_, line, found := strings.Cut(stdout, "1. aclgate ")
		line, access, quoted := strings.Cut(line, " '")
		access, _, ends := strings.Cut(access, "'\n")
		if !found || !quoted || !ends {
			t.Fatalf("%s: got\n%s", name, stdout)
		}
		file := filepath.Join(folder, "aclgate.yaml")
		if code, out, stderr := once(t, append(strings.Fields(line), access, "-c", file)...); code != exitOK || strings.Contains(stderr, "warning") {
			t.Errorf("%s: %s: got %d %s%s", name, line, code, out, stderr)
		}
		if code, out, stderr := once(t, "explain", "--token", "1", "GET", "/gw/devices/all", "-c", file); code != exitOK || !strings.Contains(out, "Verdict   ALLOW") {
			t.Errorf("%s: got %d %s%s", name, code, out, stderr)
		}
	}
	const want = `aclgate token new --into p.yaml --cid 500 --access '{"type":2,"acl":[{"uri":"gw/channels","methods":["GET"]}]}'`
	if got := firstToken("p.yaml", &survey.Result{Collections: []string{"gw/channels"}}, []policy.Account{{ID: 500}}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Without the backend's key nothing is guessed, and the output says what to do.
func TestInitWithoutKey(t *testing.T) {
	b := backend.New(backend.DemoWorld(), backend.Options{Key: upstreamKey})
	url, err := b.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	code, stdout, _ := once(t, "init", "-c", filepath.Join(t.TempDir(), "aclgate.yaml"), "--upstream", url)
	if want := "it wants a key, and upstream.token is not there"; code != exitOK || !strings.Contains(stdout, want) || !strings.Contains(stdout, "Put the backend's key") {
		t.Errorf("got %d\n%s\nwant %q", code, stdout, want)
	}
}

// A key file that holds no key is named, and nothing is written that would have to be removed again.
func TestInitWithBrokenKey(t *testing.T) {
	folder := write(t, map[string]string{upstreamName: "short\n"})
	code, _, stderr := once(t, "init", "-c", filepath.Join(folder, "aclgate.yaml"), "--upstream", "http://127.0.0.1:1")
	if want := "upstream.token: the key file has 5 characters"; code != exitFailed || !strings.Contains(stderr, want) {
		t.Errorf("got %d %s, want %q", code, stderr, want)
	}
	if _, err := os.Stat(filepath.Join(folder, "aclgate.yaml")); err == nil {
		t.Error("the settings were written")
	}
}

// The steps that init names are in an order in which each of them works.
func TestInitNext(t *testing.T) {
	for name, row := range map[string]struct {
		args, says []string
		not        string
	}{
		"nobody answers": {nil, []string{"Better: mend what kept the backend from being asked, then: rm ", "aclgate.yaml", "policy.yaml", "choose scope.mode", "token new"}, "admin.token"},
		"a mode":         {[]string{"--mode", "ids"}, []string{`Name the accounts of your backend under "accounts:".`}, "Better"},
		"a unit":         {[]string{"--mode", "none", "--systemd"}, []string{"Put the files where", "systemctl enable", "check --live -c /etc/aclgate/aclgate.yaml"}, "serve"},
		"a unit with a database": {[]string{"--owners", "--systemd"}, []string{"whose items are", "Put the files where", "store migrate -c /etc", "store import ", "systemctl enable", "check --live -c /etc",
			"item assign", `token new --cid ACCOUNT --access '{"type":2`}, "serve"},
		"a container": {[]string{"--mode", "none", "--compose"}, []string{"check --live\n", "127.0.0.1 is the container itself", "chown -R 65532:65532 ", "docker build -t aclgate .", "docker compose up"}, "serve"},
	} {
		folder := write(t, map[string]string{upstreamName: upstreamKey + "\n"})
		code, stdout, stderr := once(t, append([]string{"init", "-c", filepath.Join(folder, "aclgate.yaml"), "--upstream", "http://127.0.0.1:1"}, row.args...)...)
		rest := stdout
		for _, want := range row.says {
			at := strings.Index(rest, want)
			if code != exitOK || at < 0 {
				t.Fatalf("%s: got %d\n%s%s\nwant %q after what comes before", name, code, stdout, stderr, want)
			}
			rest = rest[at:]
		}
		if strings.Contains(stdout, "Put the backend's key") {
			t.Errorf("%s: the key is there, and got\n%s", name, stdout)
		}
		if strings.Contains(rest, row.not) {
			t.Errorf("%s: got\n%s\nwant no %q", name, stdout, row.not)
		}
	}
	for _, args := range [][]string{{"--systemd", "--compose"}, {"--owners", "--mode", "header"}, {"--upstream", "http://127.0.0.1:1/gw"}} {
		folder := write(t, nil)
		code, _, stderr := once(t, append([]string{"init", "-c", filepath.Join(folder, "aclgate.yaml"), "--upstream", "http://127.0.0.1:1"}, args...)...)
		if code != exitUsage || !strings.Contains(stderr, "exclude each other") && !strings.Contains(stderr, "without a path") && !strings.Contains(stderr, "--owners takes") {
			t.Errorf("%v: got %d %s", args, code, stderr)
		}
	}
}

// A backend whose rows have no cid cannot be served by ids, and check --live says so in numbers.
func TestLiveCountsOwners(t *testing.T) {
	t.Parallel()
	folder, _ := initialised(t, backend.Options{Key: upstreamKey, IgnoreCID: true, NoCIDField: true}, "--mode", "ids")
	code, stdout, stderr := once(t, "check", "--live", "-c", filepath.Join(folder, "aclgate.yaml"))
	for _, want := range []string{"live: read ", ": 0 have a cid.", "scope.mode ids needs a cid in every item. Use scope.mode none with one account, or scope.owners store"} {
		if code != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("got %d %s%s, want %q", code, stdout, stderr, want)
		}
	}
}

// In front of a backend that knows no accounts, what init --owners writes serves two customers, by the
// steps that it names.
func TestInitOwners(t *testing.T) {
	folder, stdout := initialised(t, backend.Options{Key: upstreamKey, IgnoreCID: true, NoCIDField: true}, "--owners")
	file, policyFile := filepath.Join(folder, "aclgate.yaml"), filepath.Join(folder, policyName)
	policyText := readText(t, folder, policyName)
	if !strings.HasPrefix(policyText, ownersHead+"\n\naccounts:") || strings.Contains(policyText, "within two seconds") {
		t.Errorf("the policy does not say that the database counts:\n%s", policyText)
	}
	for was, becomes := range map[string]string{"  # - {id: 11,": "  - {id: 11,", "# owners: {gw/devices: {11: [101,": "owners: {gw/devices: {11: [101,"} {
		if !strings.Contains(policyText, was) {
			t.Fatalf("got\n%s\nwant %q", policyText, was)
		}
		policyText = strings.Replace(policyText, was, becomes, 1)
	}
	if err := os.WriteFile(policyFile, []byte(policyText), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args []string
		says string
	}{
		{[]string{"store", "migrate"}, "store import"},
		{[]string{"store", "import", policyFile}, "owners: 3 new"},
		{[]string{"check", "--live"}, "whose they are, the store says"},
		{[]string{"item", "list", "gw/devices"}, "account 11\t3 items\t101-103"},
	} {
		line := "aclgate " + strings.Join(step.args[:2], " ")
		if !strings.Contains(stdout, line) && step.args[0] != "item" {
			t.Errorf("init does not name %q:\n%s", line, stdout)
		}
		if code, out, stderr := once(t, append(step.args, "-c", file)...); code != exitOK || !strings.Contains(out, step.says) {
			t.Errorf("%v: got %d %s%s, want %q", step.args, code, out, stderr, step.says)
		}
	}
}

// A backend that sends the gateway elsewhere is mostly the wrong URL, and check --live says so.
func TestLiveNamesARedirect(t *testing.T) {
	s := httptest.NewServer(http.RedirectHandler("https://elsewhere.example/", http.StatusFound))
	defer s.Close()
	folder := write(t, map[string]string{upstreamName: upstreamKey + "\n"})
	file := filepath.Join(folder, "aclgate.yaml")
	if code, stdout, stderr := once(t, "init", "-c", file, "--upstream", s.URL); code != exitOK || !strings.Contains(stdout, "so this may be the wrong URL: it answers 302") {
		t.Errorf("init: got %d %s%s", code, stdout, stderr)
	}
	want := "live: cannot ask the backend: the backend at " + s.URL + " redirects: name in upstream.urls where it leads"
	if code, stdout, stderr := once(t, "check", "--live", "-c", file); code != exitFailed || !strings.Contains(stderr, want) {
		t.Errorf("check --live: got %d %s%s, want %q", code, stdout, stderr, want)
	}
}
