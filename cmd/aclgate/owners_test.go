package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aclgate/bench/backend"
)

const ownersPolicy = `accounts:
  - {id: 1, name: operator}
  - {id: 11, name: fleet, parent: 1}
  - {id: 12, name: depot, parent: 1}
  - {id: 13, name: yard, parent: 11}
tokens:
  - {id: 1, key: owners-root-key, cid: 1, expire: 4102444800, access: {type: master}}
  - {id: 2, key: owners-fleet-key, cid: 11, expire: 4102444800, access: {type: master}}
  - {id: 3, key: owners-depot-key, cid: 12, expire: 4102444800, access: {type: standard}}
  - {id: 4, key: owners-acl-key, cid: 11, expire: 4102444800, access: {type: acl, acl: [{uri: gw/devices, methods: [GET, POST, PUT, DELETE]}]}}
`

const (
	ownersRoot, ownersFleet, ownersDepot, ownersACL = "owners-root-key", "owners-fleet-key", "owners-depot-key", "owners-acl-key"

	ownersSettings = "scope: {mode: ids, owners: store, refresh: 200ms%s}\nlog: {level: error}\n"
)

// ownersBackend is a backend that knows no accounts, with the devices 1 to 4.
func ownersBackend(t *testing.T) (*backend.Server, *backend.World) {
	t.Helper()
	w := backend.NewWorld(backend.Account{ID: 1, Name: "all"})
	for id := int64(1); id <= 4; id++ {
		if err := w.Add("gw/devices", backend.Item{ID: id, CID: 1, Fields: backend.Fields{"name": fmt.Sprint("d", id)}}); err != nil {
			t.Fatal(err)
		}
	}
	return backend.New(w, backend.Options{Key: upstreamKey, IgnoreCID: true, NoCIDField: true, Record: 1000}), w
}

// startOwners starts a gateway that keeps whose items are in a database.
func startOwners(t *testing.T, scope string) (*gate, *backend.World) {
	t.Helper()
	b, w := ownersBackend(t)
	s := newSite(t, siteOptions{store: "kind: sqlite, path: gate.db", settings: fmt.Sprintf(ownersSettings, scope), policy: ownersPolicy, backend: b})
	s.runs(exitOK, "store", "migrate")
	s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	return g, w
}

// Who assigns items that the backend does not list is told, where a gateway runs that can be asked.
func TestAssignKnowsTheItems(t *testing.T) {
	t.Parallel()
	g, _ := startOwners(t, "")
	g.sees(ownersRoot, 1, 2, 3, 4) // the devices were read
	const warning = "warning: the backend does not list 2 of them (such as 98-99): what is not listed twice in a row loses its owner again\n"
	if out := g.runs(exitOK, "item", "assign", "gw/devices", "1,2,98-99", "--cid", "11"); out != "4 items of gw/devices given to account 11\n"+warning {
		t.Errorf("got %q", out)
	}
	if out := g.runs(exitOK, "item", "assign", "gw/devices", "1", "--cid", "12"); out != "1 item of gw/devices given to account 12\n" {
		t.Errorf("got %q", out)
	}
	if out := g.runs(exitFailed, "item", "assign", "gw/devices", "1", "--cid", "99"); !strings.Contains(out, "no account has the id 99: aclgate account list shows those that are there, and aclgate account new") {
		t.Errorf("got %q", out)
	}
	g.end()
	if out := g.runs(exitOK, "item", "assign", "gw/devices", "98", "--cid", "11"); out != "1 item of gw/devices given to account 11\n" {
		t.Errorf("without a gateway: got %q", out)
	}
}

// sees waits until a caller sees these devices, and no others.
func (g *gate) sees(key string, ids ...int64) {
	g.t.Helper()
	var rows []string
	for _, id := range ids {
		rows = append(rows, fmt.Sprintf(`{"id":%d}`, id))
	}
	want := `{"result":[` + strings.Join(rows, ",") + `]}`
	var got string
	for range 100 {
		if _, got = call(g.t, key, "GET", g.api+"/gw/devices/all?fields=id", ""); got == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	g.t.Errorf("%s sees %s, want %s", key, got, want)
}

// want sends a request and compares status and a part of the answer.
func (g *gate) want(key, method, target, body string, status int, part string) {
	g.t.Helper()
	if got, text := call(g.t, key, method, g.api+target, body); got != status || !strings.Contains(text, part) {
		g.t.Errorf("%s %s %s: got %d %s, want %d %s", key, method, target, got, text, status, part)
	}
}

// Whose items are is what the gateway has recorded: creations, deletions and moves that pass through,
// before their answer; what nobody owns is seen at the roots alone.
func TestOwnersOfADatabase(t *testing.T) {
	t.Parallel()
	g, world := startOwners(t, "")
	g.sees(ownersRoot, 1, 2, 3, 4)
	g.sees(ownersFleet)
	g.sees(ownersDepot)
	g.want(ownersDepot, "GET", "/gw/devices/1", "", 403, `"id":1`)
	g.want(ownersFleet, "PUT", "/gw/devices/1/cid", `{"cid":11}`, 403, `"id":1`)

	// Who may move assigns what was there before.
	g.want(ownersRoot, "PUT", "/gw/devices/1,2/cid", `{"cid":11}`, 200, `{"result":[{"cid":11,"id":1},{"cid":11,"id":2}]}`)
	g.sees(ownersFleet, 1, 2)
	g.sees(ownersRoot, 1, 2, 3, 4)
	g.want(ownersFleet, "PUT", "/gw/devices/2,3/cid", `{"cid":13}`, 200, `{"errors":[{"code":6,"id":3,"reason":"access denied to '\/devices\/3'"}],"result":[{"cid":13,"id":2}]}`)
	g.want(ownersFleet, "PUT", "/gw/devices/1/cid", `{"cid":12}`, 403, `"id":12`)
	g.want(ownersFleet, "PUT", "/gw/devices/1/cid", `{"cid":12,"x":1}`, 400, "exactly")
	g.want(ownersACL, "PUT", "/gw/devices/1/cid", `{"cid":13}`, 403, `"code":8`)
	g.want(ownersDepot, "PUT", "/gw/devices/1/cid", `{"cid":12}`, 403, `"id":1`)

	// What is created is the scope's, at once, and its body goes to the backend as it came.
	mark := g.backend.Mark()
	g.want(ownersACL, "POST", "/gw/devices?fields=id", `[{"name":"new"},{"name":"newer"}]`, 200, `{"id":5},{"id":6}`)
	for _, r := range g.backend.Since(mark) {
		if r.Method == "POST" && string(r.Body) != `[{"name":"new"},{"name":"newer"}]` {
			t.Errorf("the backend got %s", r.Body)
		}
	}
	g.want(ownersACL, "GET", "/gw/devices/5,6?fields=id", "", 200, `{"result":[{"id":5},{"id":6}]}`)
	g.want(ownersDepot, "GET", "/gw/devices/5", "", 403, `"id":5`)
	g.want(ownersFleet, "POST", "/gw/devices", `[{"name":"x","cid":13}]`, 400, "PUT /gw/devices/{ids}/cid")
	g.want(ownersFleet, "PUT", "/gw/devices/1", `{"cid":13}`, 400, "PUT /gw/devices/{ids}/cid")

	// What is deleted leaves nothing behind for a number that is used again.
	g.want(ownersACL, "DELETE", "/gw/devices/6", "", 200, "")
	g.want(ownersACL, "GET", "/gw/devices/6", "", 403, `"id":6`)
	if err := world.Add("gw/devices", backend.Item{ID: 6, CID: 1, Fields: backend.Fields{"name": "again"}}); err != nil {
		t.Fatal(err)
	}
	g.sees(ownersRoot, 1, 2, 3, 4, 5, 6)
	g.sees(ownersFleet, 1, 2, 5)

	// After a restart all of it is as it was.
	if code := g.end(); code != exitOK {
		t.Fatalf("the gateway ended with %d", code)
	}
	g.program = start(t, "serve", "-c", g.file())
	g.await(g.admin+"/readyz", 200)
	g.sees(ownersFleet, 1, 2, 5)
	g.sees(ownersDepot)
}

// What nobody owned when the backend was first read belongs to scope.unowned; what appears later waits
// at the roots, also after a restart, and a creation whose answer was lost does so too.
func TestUnownedItems(t *testing.T) {
	t.Parallel()
	g, _ := startOwners(t, ", unowned: 12")
	g.sees(ownersDepot, 1, 2, 3, 4)
	g.backend.SetFault(func(r *backend.Request) *backend.Canned {
		if r.Method != "POST" {
			return nil
		}
		return &backend.Canned{Cut: 1}
	})
	g.want(ownersFleet, "POST", "/gw/devices", `[{"name":"x"}]`, 502, "")
	g.backend.SetFault(nil)
	g.sees(ownersRoot, 1, 2, 3, 4, 5)
	g.sees(ownersFleet)
	g.sees(ownersDepot, 1, 2, 3, 4)
	const nobodys = "gw/devices 5 denied: nobody owns it, so only root accounts reach it (`aclgate item assign gw/devices 5 --cid ACCOUNT` gives it to one)"
	if _, stdout, stderr := once(t, "explain", "--live", "--token", "2", "GET", "/gw/devices/5", "-c", g.file()); !strings.Contains(strings.Join(strings.Fields(stdout), " "), nobodys) {
		t.Errorf("got %s%s, want %q", stdout, stderr, nobodys)
	}
	if code := g.end(); code != exitOK {
		t.Fatalf("the gateway ended with %d", code)
	}
	g.program = start(t, "serve", "-c", g.file())
	g.await(g.admin+"/readyz", 200)
	g.sees(ownersRoot, 1, 2, 3, 4, 5)
	g.sees(ownersDepot, 1, 2, 3, 4)
	g.sees(ownersFleet)
}

// An item that two whole readings do not show loses its owner: who makes the number again is a
// stranger to those who had it.
func TestOwnersOfWhatIsGone(t *testing.T) {
	t.Parallel()
	g, world := startOwners(t, "")
	g.want(ownersRoot, "PUT", "/gw/devices/4/cid", `{"cid":11}`, 200, "")
	g.sees(ownersFleet, 4)
	world.Delete("gw/devices", 4)
	g.sees(ownersRoot, 1, 2, 3)
	time.Sleep(2 * time.Second) // several readings
	if err := world.Add("gw/devices", backend.Item{ID: 4, CID: 1, Fields: backend.Fields{"name": "again"}}); err != nil {
		t.Fatal(err)
	}
	g.sees(ownersRoot, 1, 2, 3, 4)
	g.sees(ownersFleet)
}

// Owners in the policy file are read with it and obeyed at each reload; nothing that passes through
// could be recorded, so it is refused, and the reason names the file.
func TestOwnersOfAFile(t *testing.T) {
	const some = "owners: {gw/devices: {11: [1, \"2-3\"]}}\n"
	b, _ := ownersBackend(t)
	s := newSite(t, siteOptions{settings: fmt.Sprintf(ownersSettings, ""), policy: ownersPolicy + some, backend: b})
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	g.sees(ownersFleet, 1, 2, 3)
	g.sees(ownersDepot)
	g.sees(ownersRoot, 1, 2, 3, 4)
	for _, row := range []struct{ method, target, body string }{
		{"POST", "/gw/devices", `[{"name":"x"}]`}, {"DELETE", "/gw/devices/1", ""}, {"PUT", "/gw/devices/1/cid", `{"cid":13}`},
	} {
		g.want(ownersFleet, row.method, row.target, row.body, 405, "policy file")
	}
	g.want(ownersACL, "POST", "/gw/calcs", `[{"name":"x"}]`, 403, `"code":8`)
	g.want(ownersFleet, "PUT", "/gw/devices/1", `{"name":"y"}`, 200, "")
	g.policy(ownersPolicy + "owners: {gw/devices: {11: [1], 12: [\"2-3\"], 13: [4]}}\n")
	if status := g.reload(); status != 200 {
		t.Fatalf("reload: %d", status)
	}
	g.want(ownersFleet, "GET", "/gw/devices/all?fields=id", "", 200, `{"result":[{"id":1},{"id":4}]}`)
	g.want(ownersDepot, "GET", "/gw/devices/all?fields=id", "", 200, `{"result":[{"id":2},{"id":3}]}`)
	for _, bad := range []string{
		"owners: {gw/devices: {11: [1], 12: [\"1-3\"]}}\n", "owners: {gw/devices: {99: [1]}}\n", "owners: {gw/devices: {11: [\"3-1\"]}}\n",
		"owners: {gw/devices: {11: [0]}}\n", "owners: {gw/devices: {x: [1]}}\n", "owners: [1]\n",
	} {
		if err := os.WriteFile(filepath.Join(g.folder, "bad.yaml"), []byte(ownersPolicy+bad), 0o600); err != nil {
			t.Fatal(err)
		}
		g.policy(ownersPolicy + bad)
		if code, _, stderr := once(t, "check", "-c", g.file()); code != exitSettings || !strings.Contains(stderr, "owners") {
			t.Errorf("%s: got %d %s", bad, code, stderr)
		}
	}
}

// Items are assigned, listed, exported and imported at the command line, beside a gateway that obeys
// at once; all of it or nothing.
func TestItemCommands(t *testing.T) {
	t.Parallel()
	g, _ := startOwners(t, "")
	g.runs(exitOK, "item", "assign", "gw/devices", "1-2,4", "--cid", "11")
	g.sees(ownersFleet, 1, 2, 4)
	if out := g.runs(exitOK, "item", "list", "gw/devices"); !strings.Contains(out, "account 11\t3 items\t1-2,4") {
		t.Errorf("got %s", out)
	}
	if out := g.runs(exitOK, "changes"); !strings.Contains(out, "\toperator\tgw/devices/4\tnew\t") {
		t.Errorf("the history does not name the item: %s", out)
	}
	csv := g.runs(exitOK, "item", "export")
	if csv != "collection,id,cid\ngw/devices,1,11\ngw/devices,2,11\ngw/devices,4,11\n" {
		t.Errorf("got %s", csv)
	}
	moved := filepath.Join(g.folder, "moved.csv")
	for text, code := range map[string]int{
		"gw/devices,1,12\ngw/devices,2,99\n": exitFailed, "gw/devices,1,12\ngw/nothing,2,12\n": exitFailed, "gw/devices,1,12\ngw/devices,x,12\n": exitFailed,
		"gw/devices,1\n": exitFailed,
	} {
		g.replace("moved.csv", text)
		g.runs(code, "item", "import", moved)
	}
	if again := g.runs(exitOK, "item", "export"); again != csv {
		t.Errorf("after imports that failed: got %s", again)
	}
	g.replace("moved.csv", strings.ReplaceAll(csv, ",11", ",12"))
	g.runs(exitOK, "item", "import", moved)
	g.sees(ownersDepot, 1, 2, 4)
	g.sees(ownersFleet)
	for _, args := range [][]string{{"gw/devices", "2-1", "--cid", "11"}, {"gw/devices", "1-99999999999", "--cid", "11"}, {"gw/devices", "1"}} {
		g.runs(exitUsage, append([]string{"item", "assign"}, args...)...)
	}
}

// Owners of a policy file go into the database with it, in the same transaction; what the file does
// not name stays.
func TestOwnersAreImported(t *testing.T) {
	const some = "owners: {gw/devices: {11: [1, \"2-3\"]}, gw/nothing: {11: [5]}}\n"
	b, _ := ownersBackend(t)
	s := newSite(t, siteOptions{store: "kind: sqlite, path: gate.db", settings: fmt.Sprintf(ownersSettings, ""), policy: ownersPolicy + some, backend: b})
	file := filepath.Join(s.folder, "policy.yaml")
	s.runs(exitOK, "store", "migrate")
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"--dry-run"}, "owners: 3 new, 0 changed, 0 removed, 0 as they were\n"},
		{nil, "owners: 3 new, 0 changed, 0 removed, 0 as they were\n"},
		{[]string{"--replace"}, "owners: 0 new, 0 changed, 0 removed, 3 as they were\n"},
	} {
		out := s.runs(exitOK, append([]string{"store", "import", file}, row.args...)...)
		if !strings.Contains(out, row.want) {
			t.Errorf("%v: got %s, want in it %s", row.args, out, row.want)
		}
	}
	s.runs(exitOK, "item", "assign", "gw/devices", "3-4", "--cid", "12")
	if out := s.runs(exitOK, "store", "import", file); !strings.Contains(out, "owners: 0 new, 1 changed, 0 removed, 2 as they were\n") {
		t.Errorf("got %s", out)
	}
	const want = "collection,id,cid\ngw/devices,1,11\ngw/devices,2,11\ngw/devices,3,11\ngw/devices,4,12\n"
	if csv := s.runs(exitOK, "item", "export"); csv != want {
		t.Errorf("got %s, want %s", csv, want)
	}
	s.replace("policy.yaml", ownersPolicy+"owners: {gw/devices: {11: [\"1-99999999999\"]}}\n")
	s.runs(exitFailed, "store", "import", file)
	s.replace("policy.yaml", ownersPolicy)
	if out := s.runs(exitOK, "store", "import", file); strings.Contains(out, "owners") {
		t.Errorf("got %s", out)
	}
}

// A policy file in the place of a database is named as what it is.
func TestPolicyFileAsADatabase(t *testing.T) {
	b, _ := ownersBackend(t)
	s := newSite(t, siteOptions{store: "kind: sqlite, path: policy.yaml", settings: fmt.Sprintf(ownersSettings, ""), policy: ownersPolicy, backend: b})
	const want = "this is a policy file, not a database: leave store.path out, then `aclgate store migrate` and `aclgate store import policy.yaml`"
	for _, args := range [][]string{{"check"}, {"serve"}, {"store", "migrate"}, {"store", "import", filepath.Join(s.folder, "policy.yaml")}, {"item", "list"}} {
		if code, _, stderr := once(t, append(args, "-c", s.file())...); code != exitSettings || !strings.Contains(stderr, want) {
			t.Errorf("%v: got %d %s", args, code, stderr)
		}
	}
	if text := readText(t, filepath.Join(s.folder, "policy.yaml")); text != ownersPolicy {
		t.Errorf("the policy became %s", text)
	}
}

// What no token needs is read when items of it are assigned; where it cannot be read, that is said.
func TestAssignReadsFirst(t *testing.T) {
	t.Parallel()
	for broken, want := range map[bool]string{
		false: "warning: the backend does not list 2 of them (such as 98-99)",
		true:  "warning: the gateway could not read gw/devices: whether the backend lists these items was not checked",
	} {
		b, _ := ownersBackend(t)
		if broken {
			b.SetFault(func(*backend.Request) *backend.Canned { return &backend.Canned{Status: 500} })
		}
		none := ownersPolicy[:strings.Index(ownersPolicy, "tokens:")]
		s := newSite(t, siteOptions{store: "kind: sqlite, path: gate.db", settings: fmt.Sprintf(ownersSettings, ""), policy: none, backend: b})
		s.runs(exitOK, "store", "migrate")
		s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
		g := &gate{start(t, "serve", "-c", s.file()), s}
		g.await(g.admin+"/healthz", 200)
		if out := g.runs(exitOK, "item", "assign", "gw/devices", "1,98-99", "--cid", "11"); !strings.HasPrefix(out, "3 items of gw/devices given to account 11\n"+want) {
			t.Errorf("broken %v: got %q, want %q", broken, out, want)
		}
	}
}
