package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"aclgate/policy/store"
	"aclgate/proxy/login/jwt/jwttest"
)

// naiveSite is a gateway that is compared with the naive law, call by call.
type naiveSite struct {
	t     *testing.T
	g     *gate
	w     *naiveWorld
	r     *rand.Rand
	calls int
	wrote int
	made  int64          // the id of the record that was made last
	did   map[string]int // calls that were permitted, by method and collection, and some of a kind
	keys  []string       // that were made

	issuer *jwttest.Issuer
}

const naiveSettings = "realms: {bcrypt_cost: 4, issuers: [{name: corp, issuer: %q}]}\nlog: {level: debug}\naudit: {path: audit.jsonl, allow_sample: 1}\nscope: {mode: ids, owners: store}\nplatform: {max_ttl: 1h}\n"

func newNaiveSite(t *testing.T, seed uint64) *naiveSite {
	t.Helper()
	r := rand.New(rand.NewPCG(14, seed))
	w := newNaiveWorld(r)
	issuer := jwttest.New(t)
	s := newSite(t, siteOptions{store: "kind: sqlite, path: gate.db", settings: fmt.Sprintf(naiveSettings, issuer.URL), policy: w.yaml()})
	s.runs(exitOK, "store", "migrate")
	s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	n := &naiveSite{t: t, g: g, w: w, r: r, did: map[string]int{}, issuer: issuer}
	n.populate()
	return n
}

// naiveReply is an answer as it came.
type naiveReply struct {
	status int
	text   string
	errors []struct {
		Code int
		ID   int64
	}
	rows []json.RawMessage
}

// path prints the target of a call.
func (q *naiveCall) path() string {
	path := "/platform/" + q.collection
	switch first, rest, below := strings.Cut(q.collection, "/"); {
	case q.collection == "links":
		path = "/platform/grants/" + q.selector.text + "/subaccounts/" + q.second.text
	case q.collection == "login" || q.collection == "logout" || q.collection == "password":
		path = "/platform/realms/" + q.selector.text + "/users/" + q.second.text + "/" + q.collection
	case below && first == "realms":
		path = "/platform/realms/" + q.selector.text + "/" + rest
		if q.second != nil {
			path += "/" + q.second.text
		}
	case q.selector != nil:
		path += "/" + q.selector.text
	}
	if q.logs {
		return path + "/logs?fields=" + map[string]string{"": "id", "nope": "nope"}[q.fields]
	}
	path += "?fields=" + q.fields
	if q.fields == "" {
		path += naiveFields[q.collection]
	}
	if q.release {
		path += "&items=release"
	}
	return path
}

// text prints the body of a call.
func (q *naiveCall) text() string {
	switch {
	case q.method == "GET" || q.method == "DELETE" || q.body == nil:
		return ""
	case q.badBody == 400:
		return `{"name"`
	case len(q.body) == 1:
		text, _ := json.Marshal(q.body[0]) // maps of plain values always can be
		return string(text)
	}
	text, _ := json.Marshal(q.body)
	return string(text)
}

func (q *naiveCall) String() string {
	return fmt.Sprintf("token %d (operator %t) for %d: %s %s %s", q.token, q.operator, q.cid, q.method, q.path(), q.text())
}

// send sends a call to the listener of its caller.
func (s *naiveSite) send(q *naiveCall) *naiveReply {
	s.t.Helper()
	base, key := s.g.api, s.w.tokens[q.token].authorization()
	if b, found := s.w.bearers[q.token]; found {
		key = "Bearer " + b.key
	}
	if q.operator {
		base, key = s.g.admin, "Bearer "+adminKey
	} else if q.token == 0 {
		key = "FlespiToken nobody-has-this"
	}
	req, err := http.NewRequest(q.method, base+q.path(), strings.NewReader(q.text()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", key)
	if q.cid != 0 {
		req.Header.Set("x-flespi-cid", strconv.FormatInt(q.cid, 10))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var body struct {
		Errors []struct {
			Code int
			ID   int64
		}
		Result []json.RawMessage
	}
	if err := json.Unmarshal(text, &body); err != nil && resp.StatusCode != 405 {
		s.t.Fatalf("%v: got %d %s", q, resp.StatusCode, text)
	}
	s.calls++
	return &naiveReply{resp.StatusCode, string(text), body.Errors, body.Result}
}

// authorization is the header by which a client shows a key.
func (t naiveToken) authorization() string { return "FlespiToken " + t.key }

// naivePassword begins all passwords.
const naivePassword = "password of "

var naiveSecrets = regexp.MustCompile(`[A-Za-z0-9]{64}|key-of-naive|` + naivePassword + `|\$aclgate1|\$2b\$`)

// compare sends a call and compares its answer with the law's. A write is done in the world, too.
func (s *naiveSite) compare(q *naiveCall) {
	s.t.Helper()
	want, got := s.w.ask(q), s.send(q)
	if len(want.faults) > 0 {
		found := slices.ContainsFunc(want.faults, func(f naiveFault) bool {
			return got.status == f.status && (f.status == 405 || len(got.errors) > 0 && got.errors[0].Code == f.code)
		})
		if !found {
			s.t.Fatalf("%v\ngot  %d %s\nwant one of %v", q, got.status, got.text, want.faults)
		}
	} else {
		s.note(q)
		s.permitted(q, &want, got)
	}
	if key := naiveSecrets.FindString(got.text); key != "" && (q.method != "POST" || len(key) != 64) {
		s.t.Fatalf("%v: shows %s", q, key)
	}
	if want.after != nil || q.method != "GET" && s.r.IntN(4) == 0 {
		s.same(q)
	}
}

// note counts a call that is permitted.
func (s *naiveSite) note(q *naiveCall) {
	s.did[q.method+" "+q.collection]++
	for _, name := range []string{"home", "token_params"} {
		if q.method == "PATCH" && len(q.body) > 0 && q.body[0][name] != nil {
			s.did["PATCH of "+name]++
		}
	}
	if l := s.w.lawOf(q); l.holders != nil && len(l.self.groups) > 0 {
		s.did["by claims"]++
	} else if l.holders != nil {
		s.did["by roles"]++
	} else if l.self.user != 0 && !q.operator {
		s.did["by a user"]++
	} else if guest, _ := l.reachable(); guest != "" {
		s.did["by a guest"]++
	}
}

// permitted compares an answer with rows.
func (s *naiveSite) permitted(q *naiveCall, want *naiveAnswer, got *naiveReply) {
	s.t.Helper()
	var denied []int64
	for _, e := range got.errors {
		denied = append(denied, e.ID)
	}
	if got.status != 200 || !slices.Equal(denied, want.denied) {
		s.t.Fatalf("%v\ngot  %d %s\nwant 200, denied %v", q, got.status, got.text, want.denied)
	}
	if q.logs {
		return
	}
	law := s.w.lawOf(q)
	before := s.w
	if want.after != nil {
		s.w = want.after
		s.wrote++
	}
	var rows []string
	for i, id := range want.rows {
		if want.makes(q) && i < len(got.rows) {
			id = s.adopt(q, id, got.rows[i])
		}
		world := s.w
		if q.method == "DELETE" {
			world = before
		}
		rows = append(rows, world.row(law, id))
	}
	for _, link := range want.links {
		rows = append(rows, link.row())
	}
	if q.collection == "login" {
		s.sessions(want.rows, got.rows)
		return
	}
	var is []string
	for _, row := range got.rows {
		is = append(is, regexp.MustCompile(`,"key":"[A-Za-z0-9]{64}"`).ReplaceAllString(string(row), ""))
	}
	if !slices.Equal(is, rows) {
		s.t.Fatalf("%v\ngot  %v\nwant %v", q, is, rows)
	}
}

// makes reports whether the rows of an answer are records that the call made.
func (a *naiveAnswer) makes(q *naiveCall) bool {
	return q.method == "POST" && q.collection != "login" && q.collection != "logout"
}

// adopt gives a record that was made the id and the key that the answer says.
func (s *naiveSite) adopt(q *naiveCall, id int64, row json.RawMessage) int64 {
	s.t.Helper()
	var made struct {
		ID, CID int64
		Key     string
	}
	if err := json.Unmarshal(row, &made); err != nil {
		s.t.Fatal(err)
	}
	switch q.collection {
	case "subaccounts":
		move(s.w.accounts, id, made.ID)
	case "limits":
		move(s.w.limits, id, made.ID)
	case "grants":
		move(s.w.grants, id, made.ID)
	case "realms":
		move(s.w.realms, id, made.ID)
	case "realms/users":
		if u := s.w.users[id]; u.cid == id+ownOffset { // an account was made for the user
			move(s.w.accounts, u.cid, made.CID)
			u.cid = made.CID
			s.w.users[id] = u
			s.did["accounts of users"]++
		}
		move(s.w.users, id, made.ID)
	case "realms/roles":
		move(s.w.roles, id, made.ID)
	default:
		token := s.w.tokens[id]
		token.key = made.Key
		s.keys = append(s.keys, made.Key)
		s.w.tokens[id] = token
		move(s.w.tokens, id, made.ID)
	}
	s.made = made.ID
	return made.ID
}

func move[T any](m map[int64]T, from, to int64) {
	m[to] = m[from]
	delete(m, from)
}

// sessions gives sessions that were made for users the keys that the answer says, and their ids and ends,
// which the operator sees.
func (s *naiveSite) sessions(users []int64, rows []json.RawMessage) {
	s.t.Helper()
	resp := s.send(&naiveCall{naiveCaller: naiveCaller{operator: true}, method: "GET", collection: "tokens", selector: &naiveSelector{text: "all"}})
	for i, user := range users {
		var made struct{ Token string }
		if i >= len(rows) || json.Unmarshal(rows[i], &made) != nil || len(made.Token) != 64 {
			s.t.Fatalf("got %s for users %v", rows, users)
		}
		token := s.w.tokens[fresh+user]
		token.key = made.Token
		s.keys = append(s.keys, made.Token)
		var is struct{ ID, Expire int64 }
		for _, row := range resp.rows {
			var t struct {
				ID, Expire int64
				User       int64 `json:"user_id"`
			}
			if err := json.Unmarshal(row, &t); err != nil {
				s.t.Fatal(err)
			}
			if _, known := s.w.tokens[t.ID]; !known && t.User == user {
				is.ID, is.Expire = t.ID, t.Expire
			}
		}
		if is.ID == 0 || is.Expire > naiveNow+7*3600 {
			s.t.Fatalf("no session of user %d is there, or one that lasts: %+v", user, is)
		}
		token.expire = is.Expire
		s.w.tokens[fresh+user] = token
		move(s.w.tokens, fresh+user, is.ID)
	}
}

// same compares all records of a collection with the world, as the operator sees them.
func (s *naiveSite) same(after *naiveCall) {
	s.t.Helper()
	all := &naiveSelector{text: "all"}
	ask := func(collection string, first, second *naiveSelector) {
		q := &naiveCall{naiveCaller: naiveCaller{operator: true}, method: "GET", collection: collection, selector: first, second: second}
		want, got := s.w.ask(q), s.send(q)
		s.permitted(q, &want, got)
	}
	switch c := after.collection; c {
	case "customer":
		ask("subaccounts", all, nil)
	case "links", "grantors":
		ask("links", all, all)
	case "login", "logout", "password", "realms/users":
		ask("realms/users", all, all)
		ask("tokens", all, nil)
		ask("subaccounts", all, nil)
	case "realms/roles":
		ask(c, all, all)
	case "realms":
		ask(c, all, nil)
		ask("tokens", all, nil)
		ask("subaccounts", all, nil)
	default:
		ask(c, all, nil)
	}
	if s.t.Failed() {
		s.t.Logf("after %v", after)
	}
}

// Every answer over HTTP is the one of the naive law, and every write does what it says: to random calls of
// random callers, the operator among them, and in full to every caller for every account by every
// selector (SPEC 10.1 to 10.5, 10.8, 12).
func TestNaiveLaw(t *testing.T) {
	t.Parallel()
	calls, wrote, did := 0, 0, map[string]int{}
	left := longRounds(600, 6000)
	for seed := range uint64(longRounds(1, 8)) {
		if left == 0 {
			break
		}
		s := newNaiveSite(t, seed)
		if *long && seed < 2 {
			s.every()
		}
		for ; left > 0 && len(s.w.tokens) >= 4 && len(s.w.accounts) >= 3; left-- { // else the callers have ended each other
			s.compare(s.randomCall())
		}
		s.nowhere()
		calls, wrote = calls+s.calls, wrote+s.wrote
		for what, n := range s.did {
			did[what] += n
		}
	}
	t.Logf("%v", did)
	t.Logf("%d requests, %d writes that were done", calls, wrote)
	for _, what := range []string{"by a guest", "by a user", "by roles", "accounts of users", "PATCH of home", "PATCH of token_params"} {
		if did[what] == 0 && (*long || what == "by a guest") {
			t.Errorf("%s: no call was permitted: that shows nothing", what)
		}
	}
	if wrote < longRounds(30, 200) {
		t.Errorf("only %d writes were done: that shows nothing", wrote)
	}
}

// nowhere looks for keys, their digests, passwords and verifiers where only answers to a POST may have
// some (SPEC 14, 2). Exports hold digests, and a backup of the database holds verifiers too.
func (s *naiveSite) nowhere() {
	s.t.Helper()
	_, changes := s.g.asOperator("GET", "/store/changes?after=0", "")
	backup := filepath.Join(s.g.folder, "backup.db")
	s.g.runs(exitOK, "store", "backup", backup)
	places := map[string]string{
		"metrics": s.g.scrape(), "changes": changes, "the audit log": readText(s.t, s.g.folder, "audit.jsonl"), "the log": s.g.stderr.String() + s.g.stdout.String(),
		"an export": s.g.runs(exitOK, "store", "export"), "a backup": readText(s.t, s.g.folder, "backup.db"),
	}
	for _, path := range []string{"tokens/all", "realms/all", "realms/all/users/all", "realms/all/roles/all", "grants/all", "subaccounts/all", "limits/all"} {
		_, places[path] = s.g.asOperator("GET", "/platform/"+path+"/logs", "")
	}
	for name, text := range places {
		said := []string{"key-of-naive", naivePassword}
		if name != "a backup" {
			said = append(said, "$aclgate1$", "$2b$")
		}
		for _, key := range s.keys {
			digest := store.DigestOf([]byte(key))
			if said = append(said, key); name != "an export" && name != "a backup" {
				said = append(said, hex.EncodeToString(digest[:]))
			}
		}
		for _, secret := range said {
			if strings.Contains(text, secret) {
				s.t.Errorf("%s: %s is there", name, secret)
			}
		}
		if len(text) == 0 && name != "the log" {
			s.t.Errorf("%s: nothing is there", name)
		}
	}
}

// every asks every route by every selector, in the name of every caller for every account.
func (s *naiveSite) every() {
	s.t.Helper()
	callers := []int64{-1, 0}
	for _, token := range append(callers, naiveIDs(s.w.tokens)...) {
		for _, cid := range append(naiveIDs(s.w.accounts), 0, 7777) {
			c := naiveCaller{token < 0, max(token, 0), cid}
			for collection := range naiveFields {
				for _, q := range s.reads(collection) {
					q.naiveCaller = c
					s.compare(q)
				}
			}
		}
	}
}
