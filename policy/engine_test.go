package policy_test

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"aclgate/policy"
	"aclgate/policy/routes"
)

// engine runs the real thing on a world.
type engine struct {
	engine policy.Engine
	tree   *policy.Tree
	tokens map[string]*policy.Token
	items  *fakeItems // in header mode only groups may be asked for
	w      *world
	r      policy.Request
	d      policy.Decision
	c      policy.Input
}

// answer is what the engine said, in the words of the cases.
type answer struct {
	verdict, reason string
	target          string // "" when nothing is forwarded
	under           int64  // the account that it is forwarded under
	parts           []string
	denied          []string
	unresolved      bool // an answer of the backend was needed
}

func catalogue(t testing.TB) *policy.Catalogue {
	t.Helper()
	c, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newEngine(t testing.TB, w *world) *engine {
	t.Helper()
	mode := map[string]policy.Mode{"header": policy.ModeHeader, "ids": policy.ModeIDs, "both": policy.ModeBoth}[w.settings.mode]
	e := &engine{w: w, tokens: map[string]*policy.Token{}, engine: policy.Engine{
		Catalogue: catalogue(t), Query: w.settings.query, MaxIDs: w.settings.maxIDs, Mode: mode, DenyMatch: w.settings.denyMatch,
		StrictLinks: w.settings.strictLinks, MasterRoutes: w.settings.masterRoutes, ForwardKeys: w.settings.forwardKeys,
		CallersKey: w.settings.callersKey, Unenforced: w.settings.unenforced,
	}}
	var accounts []policy.Account
	for _, id := range w.order {
		accounts = append(accounts, policy.Account{ID: id, Parent: w.parent[id]})
	}
	tree, faults := policy.NewTree(accounts, 10)
	if len(faults) > 0 {
		t.Fatalf("the world's accounts: %v", faults)
	}
	e.tree = tree
	e.items = &fakeItems{w: w, known: map[string]map[int64]int64{}}
	for name, tok := range w.tokens {
		e.tokens[name] = tok.compile(e.engine.Catalogue)
	}
	return e
}

func (tok *worldToken) compile(c *policy.Catalogue) *policy.Token {
	access := map[string]policy.Access{
		"master": policy.Master, "standard": policy.Standard, "acl": policy.ACLAccess, "noapi": policy.NoAPI,
	}[tok.access]
	t := &policy.Token{CID: tok.cid, Access: access, Enabled: true, Expire: 100}
	if access != policy.ACLAccess {
		return t
	}
	var entries []policy.Entry
	for _, e := range tok.entries {
		rule := map[string]policy.IDRule{"": policy.IDsAbsent, "all": policy.IDsAll, "list": policy.IDsList, "in-groups": policy.IDsInGroups}[e.rule]
		entry := policy.Entry{URI: e.uri, Methods: methodSet(e.methods), Rule: rule, IDs: policy.NewIDSet(e.ids), HasSubmodules: e.named}
		for _, s := range e.subs {
			entry.Submodules = append(entry.Submodules, policy.Submodule{Name: s.name, Methods: methodSet(s.methods)})
		}
		entries = append(entries, entry)
	}
	t.ACL = policy.NewACL(entries, c)
	return t
}

func methodSet(words []string) (s policy.MethodSet) {
	for _, word := range words {
		s |= policy.Methods(policy.ParseMethod([]byte(word)))
	}
	return s
}

// ask plays one request, with a backend that answers what the world says.
func (e *engine) ask(a ask) answer {
	if reason := e.r.Parse(&e.engine, policy.ParseMethod([]byte(a.method)), []byte(a.target)); reason != policy.NotJudged {
		return answer{verdict: "deny", reason: reason.String()}
	}
	if a.cid != 0 && e.r.CID != 0 { // the proxy's to refuse: it knows both places
		return answer{verdict: "deny", reason: "bad-query"}
	}
	tok := e.tokens[a.token]
	clear(e.items.known)
	e.c = policy.Input{Request: &e.r, Token: tok, AskedCID: max(a.cid, e.r.CID), Tree: e.tree, Items: e.items,
		At: worldTime, Grants: e.w.compileGrants(), Blocks: e.w}
	if (tok.Access == policy.ACLAccess || e.w.grants != nil) && e.r.Data != nil {
		e.c.DataFields = policy.DataFields(readDataFields(string(e.r.Data)))
	}
	e.engine.Evaluate(&e.d, &e.c)
	unresolved := e.d.Verdict == policy.Unresolved
	if unresolved {
		e.c.Resolved = e.resolved()
		e.engine.Evaluate(&e.d, &e.c)
	}
	got := e.answer()
	got.unresolved = unresolved
	return got
}

// resolved asks the backend for what the decision needs.
func (e *engine) resolved() *policy.Resolved {
	resolved := &policy.Resolved{LookedUp: true}
	for i, part := range e.d.Selectors {
		s := &e.r.Selectors[i]
		for _, id := range part.Unknown {
			if cid, found := e.w.unlisted[s.Collection.URI][id]; found {
				place(e.items.known, s.Collection.URI, id, cid)
			}
		}
		if part.Match {
			asked := s.Collection.URI + " " + string(s.Text)
			m := policy.ResolvedMatch{Selector: i, Refused: e.w.refused[asked]}
			if !m.Refused {
				m.IDs = sortedCopy(e.w.matches[asked])
			}
			resolved.Matches = append(resolved.Matches, m)
		}
	}
	return resolved
}

func (e *engine) answer() answer {
	got := answer{verdict: e.d.Verdict.String(), reason: e.d.Reason.String()}
	for i, part := range e.d.Selectors {
		if e.d.Verdict == policy.Deny && e.d.Reason != policy.DeniedItems {
			break // refused as a whole: no item is named
		}
		for _, id := range part.Denied {
			got.denied = append(got.denied, e.r.Selectors[i].Collection.Type+"/"+strconv.FormatInt(id, 10))
		}
	}
	forwarded := e.d.Verdict == policy.Narrow || e.d.Verdict == policy.Allow
	if forwarded && e.d.Reason != policy.OwnAnswer {
		got.target, got.under = string(policy.AppendTarget(nil, &e.r, &e.d)), e.d.Account(&e.c)
		got.parts = e.parts()
	}
	return got
}

// parts are the parts that a request goes out in whose items no account is above: account:ids each.
func (e *engine) parts() (parts []string) {
	if !e.d.Apart() {
		return nil
	}
	ids := e.d.ByRoot(&e.c, e.d.FanOutIDs(&e.r))
	for len(ids) > 0 {
		n, cid := e.d.Under(&e.c, ids)
		parts = append(parts, strconv.FormatInt(cid, 10)+":"+joinIDs(ids[:n]))
		ids = ids[n:]
	}
	return parts
}

// fakeItems is an index made of maps; known is what look-ups of this request have added.
type fakeItems struct {
	w     *world
	known map[string]map[int64]int64
}

func (f *fakeItems) Account(c *policy.Collection, id int64) (int64, bool) {
	if cid, found := f.w.index[c.URI][id]; found {
		return cid, true
	}
	cid, found := f.known[c.URI][id]
	return cid, found
}

func (f *fakeItems) Of(c *policy.Collection, cid int64) (ids []int64) {
	for _, owners := range []map[int64]int64{f.w.index[c.URI], f.known[c.URI]} {
		for id, owner := range owners {
			if f.w.inBranch(cid, owner) {
				ids = append(ids, id)
			}
		}
	}
	return sortedCopy(ids)
}

func (f *fakeItems) Doubtful(c *policy.Collection, cid int64) []int64 {
	return sortedCopy(f.w.doubts[c.URI]) // more than it need be
}

func (f *fakeItems) Members(c *policy.Collection, groups []int64) (ids []int64) {
	for _, group := range groups {
		ids = append(ids, f.w.members[c.URI][group]...)
	}
	return sortedCopy(ids)
}

// differs explains in what the engine's answer is not what the oracle expects, or returns "".
func differs(got answer, want opinion) string {
	switch {
	case !slices.Contains(want.verdicts, got.verdict):
		return "verdict " + got.verdict + ", want " + strings.Join(want.verdicts, " or ")
	case !slices.Contains(want.reasons, got.reason):
		return "reason " + got.reason + ", want " + strings.Join(want.reasons, " or ")
	case !slices.Equal(got.denied, want.denied):
		return "denied " + strings.Join(got.denied, " ") + ", want " + strings.Join(want.denied, " ")
	case (got.target == "") != (want.segments == nil):
		return "target " + got.target + ", want " + strings.Join(want.segments, "/")
	case got.target == "":
		return ""
	case want.under != 0 && got.under != 0 && got.under != want.under:
		return fmt.Sprintf("goes out under account %d, want %d", got.under, want.under)
	case !slices.Equal(got.parts, want.parts):
		return fmt.Sprintf("goes out in parts %v, want %v", got.parts, want.parts)
	}
	return targetDiffers(got.target, want)
}

// targetDiffers reads the printed target by the letter of RFC 3986.
func targetDiffers(target string, want opinion) string {
	path, query, hasQuery := strings.Cut(target, "?")
	var segments []string
	for _, raw := range strings.Split(path, "/")[1:] {
		text, err := url.PathUnescape(raw)
		if err != nil || !uriChars(raw, "") {
			return "printed a segment that is no segment: " + raw
		}
		segments = append(segments, text)
	}
	if !slices.Equal(segments, want.segments) {
		return "target " + target + ", want " + strings.Join(want.segments, "/")
	}
	var pairs [][2]string
	for _, pair := range strings.Split(query, "&") {
		name, raw, _ := strings.Cut(pair, "=")
		value, err := url.QueryUnescape(raw)
		if err != nil || !uriChars(raw, "/?") {
			return "printed a value that is no value: " + raw
		}
		pairs = append(pairs, [2]string{name, value})
	}
	if !hasQuery {
		pairs = nil
	}
	if !slices.Equal(pairs, want.query) {
		return "query " + query + ", want other pairs"
	}
	return ""
}

// uriChars reports whether s has nothing but pchar of RFC 3986 3.3, and more.
func uriChars(s, more string) bool {
	const pchar = "%-._~!$&'()*+,;=:@"
	for _, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune(pchar+more, c) {
			return false
		}
	}
	return true
}

// A use counts for a token that may be used, and for no other.
func TestNoteUse(t *testing.T) {
	for reason, want := range map[policy.Reason]int64{policy.NotJudged: 9, policy.TokenNoAPI: 9, policy.TokenExpired: 0, policy.TokenAddress: 0} {
		in := policy.Input{Token: &policy.Token{TTL: 5}, At: 9}
		in.Token.Used = new(atomic.Int64)
		in.NoteUse(reason)
		if got := in.Token.LastUsed(); got != want {
			t.Errorf("%v: got %d, want %d", reason, got, want)
		}
	}
}
