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
)

// naiveSite is a gateway that is compared with the naive law, call by call.
type naiveSite struct {
	t     *testing.T
	g     *gate
	w     *naiveWorld
	r     *rand.Rand
	calls int
	wrote int
	keys  []string // that were made
}

const naiveSettings = "log: {level: debug}\naudit: {path: audit.jsonl, allow_sample: 1}\nscope: {mode: ids, owners: store}\nplatform: {max_ttl: 1h}\n"

func newNaiveSite(t *testing.T, seed uint64) *naiveSite {
	t.Helper()
	r := rand.New(rand.NewPCG(14, seed))
	w := newNaiveWorld(r)
	s := newSite(t, siteOptions{store: "kind: sqlite, path: gate.db", settings: naiveSettings, policy: w.yaml()})
	s.runs(exitOK, "store", "migrate")
	s.runs(exitOK, "store", "import", filepath.Join(s.folder, "policy.yaml"))
	g := &gate{start(t, "serve", "-c", s.file()), s}
	g.await(g.admin+"/readyz", 200)
	return &naiveSite{t: t, g: g, w: w, r: r}
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
	if q.selector != nil {
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
	case q.method == "GET" || q.method == "DELETE":
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
	base, key := s.g.api, "FlespiToken "+s.w.tokens[q.token].key
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

var naiveSecrets = regexp.MustCompile(`[A-Za-z0-9]{64}|key-of-naive`)

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
		s.permitted(q, &want, got)
	}
	if key := naiveSecrets.FindString(got.text); key != "" && q.method != "POST" {
		s.t.Fatalf("%v: shows %s", q, key)
	}
	if want.after != nil || q.method != "GET" && s.r.IntN(4) == 0 {
		s.same(q)
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
	before := s.w
	if want.after != nil {
		s.w = want.after
		s.wrote++
	}
	var rows []string
	for i, id := range want.rows {
		if q.method == "POST" && i < len(got.rows) {
			id = s.adopt(q, id, got.rows[i])
		}
		world := s.w
		if q.method == "DELETE" {
			world = before
		}
		rows = append(rows, world.row(q, id))
	}
	var is []string
	for _, row := range got.rows {
		is = append(is, regexp.MustCompile(`,"key":"[A-Za-z0-9]{64}"`).ReplaceAllString(string(row), ""))
	}
	if !slices.Equal(is, rows) {
		s.t.Fatalf("%v\ngot  %v\nwant %v", q, is, rows)
	}
}

// adopt gives a record that was made the id and the key that the answer says.
func (s *naiveSite) adopt(q *naiveCall, id int64, row json.RawMessage) int64 {
	s.t.Helper()
	var made struct {
		ID  int64
		Key string
	}
	if err := json.Unmarshal(row, &made); err != nil {
		s.t.Fatal(err)
	}
	switch q.collection {
	case "subaccounts":
		s.w.accounts[made.ID] = s.w.accounts[id]
		delete(s.w.accounts, id)
	case "limits":
		s.w.limits[made.ID] = s.w.limits[id]
		delete(s.w.limits, id)
	default:
		token := s.w.tokens[id]
		token.key = made.Key
		s.keys = append(s.keys, made.Key)
		s.w.tokens[made.ID] = token
		delete(s.w.tokens, id)
	}
	return made.ID
}

// same compares all records of a collection with the world, as the operator sees them.
func (s *naiveSite) same(after *naiveCall) {
	s.t.Helper()
	collection := after.collection
	if collection == "customer" {
		collection = "subaccounts"
	}
	all := &naiveCall{naiveCaller: naiveCaller{operator: true}, method: "GET", collection: collection, selector: &naiveSelector{text: "all"}}
	want, got := s.w.ask(all), s.send(all)
	s.permitted(all, &want, got)
	if s.t.Failed() {
		s.t.Logf("after %v", after)
	}
}

// Every answer over HTTP is the one of the naive law, and every write does what it says: to random calls of
// random callers, the operator among them, and in full to every caller for every account by every
// selector (SPEC 10.1 to 10.5, 10.8, 12).
func TestNaiveLaw(t *testing.T) {
	calls, wrote := 0, 0
	for seed := range uint64(longRounds(1, 12)) {
		s := newNaiveSite(t, seed)
		if *long {
			s.every()
		}
		for range 600 {
			if len(s.w.tokens) < 4 {
				break // the callers have ended each other
			}
			s.compare(s.randomCall())
		}
		if *long {
			s.every()
		}
		s.nowhere()
		calls, wrote = calls+s.calls, wrote+s.wrote
	}
	t.Logf("%d requests, %d writes that were done", calls, wrote)
	if wrote < longRounds(30, 500) {
		t.Errorf("only %d writes were done: that shows nothing", wrote)
	}
}

// nowhere looks for keys and their digests where only answers to a POST may have some (SPEC 14, 2).
func (s *naiveSite) nowhere() {
	s.t.Helper()
	for id := range int64(18) {
		s.keys = append(s.keys, fmt.Sprint("key-of-naive-", id+1))
	}
	_, changes := s.g.asOperator("GET", "/store/changes?after=0", "")
	_, logs := s.g.asOperator("GET", "/platform/tokens/all/logs", "")
	for name, text := range map[string]string{
		"metrics": s.g.scrape(), "changes": changes, "logs": logs, "the audit log": readText(s.t, s.g.folder, "audit.jsonl"), "the log": s.g.stderr.String() + s.g.stdout.String(),
	} {
		for _, key := range s.keys {
			digest := store.DigestOf([]byte(key))
			if strings.Contains(text, key+`"`) || strings.Contains(text, hex.EncodeToString(digest[:])) {
				s.t.Errorf("%s: a key or its digest is there", name)
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
				for _, selector := range s.selectors(collection) {
					s.compare(&naiveCall{naiveCaller: c, method: "GET", collection: collection, selector: selector})
				}
			}
		}
	}
}
