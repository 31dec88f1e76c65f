package isolation

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
)

// The access types.
const (
	master   = "master"
	standard = "standard"
	aclType  = "acl"
	noapi    = "noapi"
)

// The kinds of ids of an entry.
const (
	idsAbsent = ""
	idsAll    = "all"
	idsGroups = "in-groups"
	idsList   = "list"
)

// Token is one caller.
type Token struct {
	ID, CID int64
	Access  string
	Entries []Entry
}

// Key returns the token's credential.
func (t *Token) Key() string { return fmt.Sprintf("isolation-test-credential-%06d", t.ID) }

// Entry is one entry of an ACL. Named says that submodules were given, even if none.
type Entry struct {
	URI     string
	Methods []string
	IDs     string
	List    []int64
	Named   bool
	Subs    map[string][]string
}

// makeToken makes a token of some account. Two of three have an ACL: there is most to get wrong.
func (w *World) makeToken(id int64) *Token {
	t := &Token{ID: id, CID: w.accounts[w.rng.IntN(len(w.accounts))], Access: aclType}
	if w.rng.IntN(3) == 0 { // the upper levels are few, and see most
		t.CID = w.accounts[w.rng.IntN(max(1, len(w.accounts)/8))]
	}
	switch n := w.rng.IntN(12); {
	case n == 0:
		t.Access = master
	case n <= 3:
		t.Access = standard
	case n == 4 && id%3 == 0:
		t.Access = noapi
	}
	if t.Access == aclType {
		for range 2 + w.rng.IntN(6) {
			t.Entries = append(t.Entries, w.makeEntry(t.CID))
		}
	}
	return t
}

func (w *World) makeEntry(cid int64) Entry {
	about := Collections()[w.rng.IntN(len(shares))]
	if w.rng.IntN(4) == 0 { // groups confer rights, so there should be some
		about = groups
	}
	e := Entry{URI: about, Methods: w.methods(9)}
	if w.rng.IntN(5) == 0 {
		e.URI = "gw"
	}
	switch n := w.rng.IntN(12); {
	case n < 4:
		e.IDs = idsList
		for range 1 + w.rng.IntN(8) {
			e.List = append(e.List, w.pick(about, cid))
		}
		e.List = append(e.List, w.missing(about, w.rng))
		slices.Sort(e.List)
		e.List = slices.Compact(e.List)
	case n < 6:
		e.IDs = idsAll
	case n < 8:
		e.IDs = idsGroups
	}
	if w.rng.IntN(3) == 0 {
		e.Named, e.Subs = true, map[string][]string{}
		for _, name := range []string{"messages", "telemetry", "logs", "cid", "devices", "channels", "groups", "geofences"} {
			if w.rng.IntN(3) > 0 {
				e.Subs[name] = w.methods(8)
			}
		}
	}
	return e
}

// methods returns some methods; GET is there that many times of ten.
func (w *World) methods(reads int) []string {
	var m []string
	if w.rng.IntN(10) < reads {
		m = append(m, "GET")
	}
	for _, name := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		if w.rng.IntN(2) == 0 {
			m = append(m, name)
		}
	}
	return m
}

// missing returns an id that no item of a collection has.
func (w *World) missing(uri string, rng *rand.Rand) int64 {
	all := w.sorted[uri]
	for {
		id := firstID + 1 + rng.Int64N(all[len(all)-1]-firstID)
		if w.Items[uri][id] == nil {
			return id
		}
	}
}

// WritePolicy writes the accounts and tokens as a policy file.
func (w *World) WritePolicy(out io.Writer) error {
	var b strings.Builder
	b.WriteString("accounts:\n")
	for _, id := range w.accounts {
		fmt.Fprintf(&b, "  - {id: %d", id)
		if p := w.Parents[id]; p != 0 {
			fmt.Fprintf(&b, ", parent: %d", p)
		}
		b.WriteString("}\n")
	}
	b.WriteString("tokens:\n")
	for _, t := range w.Tokens {
		fmt.Fprintf(&b, "  - {id: %d, cid: %d, key: %s, expire: 4102444800, access: {type: %s", t.ID, t.CID, t.Key(), t.Access)
		if t.Access == aclType {
			b.WriteString(", acl: [")
			for i := range t.Entries {
				t.Entries[i].write(&b, i)
			}
			b.WriteString("]")
		}
		b.WriteString("}}\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (e *Entry) write(b *strings.Builder, i int) {
	if i > 0 {
		b.WriteString(", ")
	}
	fmt.Fprintf(b, "{uri: %s, methods: [%s]", e.URI, strings.Join(e.Methods, ", "))
	switch e.IDs {
	case idsList:
		fmt.Fprintf(b, ", ids: [%s]", joinIDs(e.List, ", "))
	case idsAll, idsGroups:
		fmt.Fprintf(b, ", ids: %s", e.IDs)
	}
	if e.Named {
		b.WriteString(", submodules: [")
		sep := ""
		for _, name := range sortedKeys(e.Subs) {
			fmt.Fprintf(b, "%s{name: %s, methods: [%s]}", sep, name, strings.Join(e.Subs[name], ", "))
			sep = ", "
		}
		b.WriteString("]")
	}
	b.WriteString("}")
}

func sortedKeys(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// joinIDs prints ids with sep between them.
func joinIDs(ids []int64, sep string) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteString(sep)
		}
		fmt.Fprint(&b, id)
	}
	return b.String()
}
