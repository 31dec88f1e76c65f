package policy_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The cases in testdata are written for people: see testdata/README.md. Every expectation is
// checked twice, against the engine and against the oracle.

// policyCase is one request with what is expected of it.
type policyCase struct {
	ask  ask
	want answer
	line int
	w    *world // as described above the case
}

func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	total := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			for _, c := range readCases(t, file) {
				total++
				runCase(t, c)
			}
		})
	}
	if total < 120 {
		t.Errorf("got %d cases, want at least 120", total)
	}
}

func runCase(t *testing.T, c policyCase) {
	t.Run(fmt.Sprintf("%d", c.line), func(t *testing.T) {
		got, want := newEngine(t, c.w).ask(c.ask), c.want
		if got.verdict != want.verdict || got.reason != want.reason || got.target != want.target || !slices.Equal(got.denied, want.denied) ||
			want.under != 0 && got.under != want.under || !slices.Equal(got.parts, want.parts) {
			t.Errorf("%v\n got %v %v %v under %d %v %v\nwant %v %v %v under %d %v %v", c.ask, got.verdict, got.reason, got.target, got.under, got.parts, got.denied,
				want.verdict, want.reason, want.target, want.under, want.parts, want.denied)
		}
		if fault := differs(want, judge(c.w, c.ask)); fault != "" {
			t.Errorf("%v\nthe oracle disagrees with the case: %v", c.ask, fault)
		}
	})
}

// caseReader holds the world while the lines of a file add to it.
type caseReader struct {
	t     *testing.T
	file  string
	line  int
	w     *world
	token *worldToken // whose entries follow
	grant bool        // the elements of the last grant follow
	cases []policyCase
}

func readCases(t *testing.T, file string) []policyCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	r := &caseReader{t: t, file: file, w: newWorld()}
	for i, line := range strings.Split(string(text), "\n") {
		r.line = i + 1
		if words := strings.Fields(line); len(words) > 0 && words[0] != "#" {
			r.read(words, strings.HasPrefix(line, " "))
		}
	}
	return r.cases
}

func (r *caseReader) fail(what string) { r.t.Fatalf("%s:%d: %s", r.file, r.line, what) }

// read reads one line.
func (r *caseReader) read(words []string, indented bool) {
	words = append(words, "", "", "", "")
	switch {
	case words[0] == "=>":
		r.expect(words[1:])
	case indented && r.grant:
		g := &r.w.grants[len(r.w.grants)-1]
		g.access = append(slices.Clip(g.access), r.access(words))
	case words[0] == "grant":
		r.w = r.w.fork()
		r.w.grants = append(slices.Clip(r.w.grants), r.readGrant(words))
	case words[0] == "blocked":
		r.w = r.w.fork()
		r.w.blocked[r.id(words[1])] = true
	case words[0] == "unblocked":
		r.w = r.w.fork()
		delete(r.w.blocked, r.id(words[1]))
	case indented && r.token != nil:
		r.token.entries = append(r.token.entries, r.entry(words))
	case words[0] == "account":
		r.w = r.w.fork()
		r.w.addAccount(r.id(words[1]), r.idOrNone(words[3]))
	case words[0] == "token":
		r.w = r.w.fork()
		r.token = &worldToken{access: words[2], cid: r.id(words[4])}
		r.w.tokens[strings.TrimSuffix(words[1], ":")] = r.token
	case words[0] == "set":
		r.w = r.w.fork()
		r.set(words[1], words[2])
	case words[0] == "item":
		place(r.w.index, words[1], r.id(words[2]), r.id(words[4]))
	case words[0] == "doubt":
		r.w.doubts[words[1]] = append(r.w.doubts[words[1]], r.id(words[2]))
		place(r.w.unlisted, words[1], r.id(words[2]), r.id(words[4]))
	case words[0] == "unlisted":
		place(r.w.unlisted, words[1], r.id(words[2]), r.id(words[4]))
	case words[0] == "group":
		if r.w.members[words[3]] == nil {
			r.w.members[words[3]] = map[int64][]int64{}
		}
		r.w.members[words[3]][r.id(words[1])] = r.ids(words[4])
	case words[0] == "match" && words[3] == "refused":
		r.w.refused[words[1]+" "+words[2]] = true
	case words[0] == "match":
		r.w.matches[words[1]+" "+words[2]] = r.ids(words[4])
	default:
		r.request(words)
	}
	if words[0] != "token" && !indented {
		r.token = nil
	}
	if !indented {
		r.grant = words[0] == "grant"
	}
}

// readGrant reads: grant id of account to account,… [disabled|expired]
func (r *caseReader) readGrant(words []string) worldGrant {
	g := worldGrant{id: r.id(words[1]), cid: r.id(words[3]), to: r.ids(words[5]), disabled: words[6] == "disabled"}
	if words[6] == "expired" {
		g.expire = worldTime
	}
	return g
}

// access reads: uri [all|ids 1,2] level…
func (r *caseReader) access(words []string) worldAccess {
	a := worldAccess{uri: words[0], all: words[1] == "all"}
	words = words[1:]
	switch words[0] {
	case "ids":
		a.ids, words = r.ids(words[1]), words[2:]
	case "all":
		words = words[1:]
	}
	for _, word := range words {
		if word != "" {
			a.levels = append(a.levels, word)
		}
	}
	return a
}

// fork lets later lines change the world without changing it for the cases above them.
func (w *world) fork() *world {
	f := *w
	f.parent, f.tokens, f.blocked = map[int64]int64{}, map[string]*worldToken{}, map[int64]bool{}
	for id := range w.blocked {
		f.blocked[id] = true
	}
	for id, parent := range w.parent {
		f.parent[id] = parent
	}
	for name, token := range w.tokens {
		f.tokens[name] = token
	}
	return &f
}

func (r *caseReader) request(words []string) {
	c := policyCase{w: r.w, line: r.line, ask: ask{token: words[0]}}
	if r.w.tokens[words[0]] == nil {
		r.fail("there is no token " + words[0])
	}
	if cid, given := strings.CutPrefix(words[1], "cid="); given {
		c.ask.cid, words = r.id(cid), words[1:]
	}
	c.ask.method, c.ask.target = words[1], words[2]
	r.cases = append(r.cases, c)
}

// expect reads: => verdict reason [/target] [under account] [account:ids …] [denied type/id …]
func (r *caseReader) expect(words []string) {
	c := &r.cases[len(r.cases)-1]
	c.want.verdict, c.want.reason = words[0], words[1]
	for i, word := range words[2:] {
		switch {
		case word == "under":
			c.want.under = r.id(words[3+i])
		case i > 0 && words[1+i] == "under":
		case word == "" || word == "denied":
		case strings.HasPrefix(word, "/"):
			c.want.target = word
		case strings.Contains(word, ":"):
			c.want.parts = append(c.want.parts, word)
		default:
			c.want.denied = append(c.want.denied, word)
		}
	}
}

// entry reads: uri METHOD… [ids all|in-groups|1,2] [submodule name METHOD…]… [no submodules]
func (r *caseReader) entry(words []string) worldEntry {
	e := worldEntry{uri: words[0]}
	methods := &e.methods
	for i := 1; i < len(words); i++ {
		switch word := words[i]; word {
		case "", "submodules":
		case "no":
			e.named = true
		case "ids":
			i++
			e.rule = words[i]
			if words[i] != "all" && words[i] != "in-groups" {
				e.rule, e.ids = "list", r.ids(words[i])
			}
		case "submodule":
			i++
			e.named = true
			e.subs = append(e.subs, worldSub{name: words[i]})
			methods = &e.subs[len(e.subs)-1].methods
		default:
			*methods = append(*methods, word)
		}
	}
	return e
}

func (r *caseReader) set(name, value string) {
	engine := &r.w.settings
	switch name {
	case "scope.mode":
		engine.mode = value
	case "scope.match":
		engine.denyMatch = value == "deny"
	case "scope.linked":
		engine.strictLinks = value == "strict"
	case "policy.max_ids":
		engine.maxIDs = int(r.id(value))
	case "policy.query":
		engine.query = strings.Split(value, ",")
	case "policy.unknown_routes":
		engine.masterRoutes = value == "master"
	case "policy.backend_keys":
		engine.forwardKeys = value == "forward"
	case "policy.enforce":
		engine.unenforced = value == "false"
	case "upstream.token_file":
		engine.callersKey = value == "none"
	default:
		r.fail("there is no setting " + name)
	}
}

func (r *caseReader) id(word string) int64 {
	id, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		r.fail(err.Error())
	}
	return id
}

func (r *caseReader) idOrNone(word string) int64 {
	if word == "" {
		return 0
	}
	return r.id(word)
}

func (r *caseReader) ids(word string) (ids []int64) {
	if word == "none" || word == "" {
		return nil
	}
	for _, w := range strings.Split(word, ",") {
		ids = append(ids, r.id(w))
	}
	return ids
}
