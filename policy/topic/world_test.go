package topic

import (
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/policy/routes"
)

// world is what decisions depend on, for tests.
type world struct {
	cat    *policy.Catalogue
	engine *policy.Engine
	tree   *policy.Tree
	items  policy.Items
	law    *Law
}

// newWorld has the accounts 1, 11 and 12 below it, and 111 below 11.
func newWorld(t testing.TB, mode policy.Mode) *world {
	t.Helper()
	cat, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	tree, faults := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 12, Parent: 1}, {ID: 111, Parent: 11}}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	w := &world{cat: cat, tree: tree, engine: &policy.Engine{Catalogue: cat, Mode: mode, MaxIDs: 10000}}
	w.law = New(Options{Engine: w.engine})
	return w
}

func (w *world) judge(tok *policy.Token) *Judge {
	j := NewJudge(w.law.Permit(tok))
	j.At, j.Tree, j.Items = 1700000000, w.tree, w.items
	return j
}

// token makes a token of account 11 from lines such as "gw/devices GET 7,9 telemetry=GET" and "mqtt
// publish,subscribe a/#". "-" is no ids, "none" no methods, and "[]" no submodules.
func (w *world) token(t testing.TB, lines ...string) *policy.Token {
	t.Helper()
	var entries []policy.Entry
	for _, line := range lines {
		f := strings.Fields(line)
		e := policy.Entry{URI: f[0]}
		if f[0] == EntryURI {
			for _, a := range strings.Split(f[1], ",") {
				e.Actions |= map[string]policy.Actions{"publish": policy.Publish, "subscribe": policy.Subscribe}[a]
			}
			e.Topic = f[2]
			entries = append(entries, e)
			continue
		}
		e.Methods = methodsOf(f[1])
		switch f[2] {
		case "-":
		case "all":
			e.Rule = policy.IDsAll
		case "in-groups":
			e.Rule = policy.IDsInGroups
		default:
			e.Rule, e.IDs = policy.IDsList, policy.NewIDSet(idsOf(f[2]))
		}
		for _, sub := range f[3:] {
			e.HasSubmodules = true
			if name, methods, found := strings.Cut(sub, "="); found {
				e.Submodules = append(e.Submodules, policy.Submodule{Name: name, Methods: methodsOf(methods)})
			}
		}
		entries = append(entries, e)
	}
	return &policy.Token{ID: 17, CID: 11, Access: policy.ACLAccess, Enabled: true, Expire: 1 << 40, ACL: policy.NewACL(entries, w.cat)}
}

func methodsOf(text string) (set policy.MethodSet) {
	for _, m := range strings.Split(text, ",") {
		set |= policy.Methods(policy.ParseMethod([]byte(m)))
	}
	return set
}

func idsOf(text string) (ids []int64) {
	for _, w := range strings.Split(text, ",") {
		if id, ok := policy.ParseID([]byte(w)); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

func (w *world) plain(access policy.Access, cid int64) *policy.Token {
	return &policy.Token{ID: 2, CID: cid, Access: access, Enabled: true, Expire: 1 << 40}
}

// printedOf returns the filters of a subscription as one text.
func printedOf(s *Subscription) string {
	var all []string
	for _, p := range s.Printed {
		text := p.Filter
		if p.CID != 0 {
			text += " cid=" + string(appendInt(nil, p.CID))
		}
		if p.Overlaps {
			text += " overlaps"
		}
		all = append(all, text)
	}
	return strings.Join(all, " | ")
}

// placed is an index of items as plain maps.
type placed struct {
	of      map[string]map[int64]int64   // collection → id → account
	members map[string]map[int64][]int64 // collection → group → members
	tree    *policy.Tree
}

func (p *placed) Account(c *policy.Collection, id int64) (int64, bool) {
	cid, known := p.of[c.URI][id]
	return cid, known
}

func (p *placed) Of(c *policy.Collection, top int64) (ids []int64) {
	for id, cid := range p.of[c.URI] {
		if p.tree.Contains(top, cid) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (p *placed) Doubtful(*policy.Collection, int64) []int64 { return nil }

func (p *placed) Members(c *policy.Collection, groups []int64) (ids []int64) {
	for _, g := range groups {
		ids = append(ids, p.members[c.URI][g]...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// fields splits at |.
func fields(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "|")
}
