package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// segments returns the whole path of the route without its leading slash.
func (r *Route) segments() string {
	if r.Path == "/" {
		return r.Collection.URI
	}
	return r.Collection.URI + r.Path
}

// String returns the route as a path with {} for each selector.
func (r *Route) String() string { return "/" + r.segments() }

// compile derives what follows from the path. r.Selectors holds the links as the catalogue gives
// them: the collection that each selector after the own one is about.
func (r *Route) compile() error {
	if !strings.HasPrefix(r.Path, "/") {
		return errors.New("a path begins with /")
	}
	r.Literals = strings.Split(r.String(), "{}")
	for segment := range strings.SplitSeq(r.segments(), "/") {
		r.pattern = append(r.pattern, segment == "{}")
	}
	own := r.Collection.IDs != IDNone && strings.HasPrefix(r.Path, "/{}")
	if own {
		r.Selectors = slices.Insert(slices.Clone(r.Selectors), 0, r.Collection)
	}
	if len(r.Selectors) != len(r.Literals)-1 {
		return errors.New("links must name a collection, or local, for each {} after the first")
	}
	r.Item = own && r.Collection.IDs == IDInt
	r.Creates = r.Path == "/" && r.Collection.IDs != IDNone && r.Methods.Has(POST)
	linked := func(c *Collection) bool { return c != nil && c != r.Collection }
	if n := len(r.Selectors); n > 0 && r.Literals[n] == "" {
		r.Link = linked(r.Selectors[n-1])
	}
	r.calculates = slices.ContainsFunc(r.Selectors, linked) &&
		(strings.HasSuffix(r.Path, "/calculate") || strings.HasSuffix(r.Path, "/recalculate"))
	r.Slot = r.slot(own)
	if len(r.Collection.Submodules) > maxSlots {
		return fmt.Errorf("a collection has at most %d submodules", maxSlots)
	}
	r.Rows, r.RowsAt = r.rows()
	r.Local = r.ownAnswer()
	r.close()
	r.levels = levelsOf(r)
	if r.Public && (r.Closed != NotClosed || r.Methods != Methods(GET) || len(r.Selectors) > 0) {
		return errors.New("a public route takes GET alone, has no selector and is not closed")
	}
	return nil
}

// rows returns whose items the answer has rows of, and the selector that names them, -1 for none
// that can be judged one by one.
func (r *Route) rows() (*Collection, int) {
	last := len(r.Selectors) - 1
	switch {
	case r.Link && r.Selectors[last].IDs == IDInt:
		return r.Selectors[last], last
	case r.Link:
		return r.Selectors[last], -1
	case r.Slot != SlotItem || r.Collection.IDs == IDNone:
		return nil, -1
	case r.Item:
		return r.Collection, 0
	}
	return r.Collection, -1
}

// slot finds or makes the slot of the first literal segment after the item.
func (r *Route) slot(own bool) int {
	parts := strings.Split(strings.TrimPrefix(r.Path, "/"), "/")
	if !own || len(parts) < 2 {
		return SlotItem
	}
	c := r.Collection
	if s := c.Slot(parts[1]); s > 0 {
		return s
	}
	c.Submodules = append(c.Submodules, parts[1])
	return len(c.Submodules) - 1
}

func (r *Route) ownAnswer() LocalReply {
	switch r.String() {
	case "/auth/info":
		return LocalInfo
	case "/auth/regions":
		return LocalRegions
	case "/realm/{}/info":
		return LocalRealmInfo
	case "/realm/{}/login":
		return LocalLogin
	case "/realm/{}/user":
		return LocalUser
	}
	return NoLocalReply
}

// credentialModules are the modules whose routes act on the holder of the credential.
var credentialModules = []string{"auth", "realm", "ai"}

// close closes what acts on the holder of the credential whatever a catalogue of the operator's own
// says: the holder is the gateway (SPEC 4).
func (r *Route) close() {
	if r.Local != NoLocalReply {
		r.Closed = NotClosed
		return
	}
	if slices.Contains(credentialModules, r.Collection.Module) || strings.HasSuffix(r.Path, "/assistance") {
		r.Closed = ByCredential
	}
}

// dataKeys collects the names that the data of a GET must not hold at its top level, because they
// would select past the path (SPEC 2): accounts, every scoped collection, and the ids of its items.
func dataKeys(cs []*Collection) map[string]bool {
	keys := map[string]bool{}
	for _, name := range []string{"id", "ids", "cid", "cids", "account"} {
		keys[name] = true
	}
	add := func(plural string) {
		one := strings.TrimSuffix(plural, "s")
		keys[plural], keys[one+"_id"], keys[one+"_ids"] = true, true, true
	}
	add("accounts")
	for _, c := range cs {
		if !c.Scoped || c.IDs != IDInt {
			continue
		}
		add(c.Type)
		add(strings.ReplaceAll(c.Type, "-", "_"))
		if !c.MasterOnly { // "limit" is a page's length there
			keys[strings.TrimSuffix(c.Type, "s")] = true
		}
	}
	return keys
}

// params collects the names that any route takes in its query.
func params(cs []*Collection) []string {
	all := []string{paramFields, paramData, paramLimit, paramOffset, paramCID}
	for _, c := range cs {
		for _, r := range c.Routes {
			all = append(all, r.Query...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// NamesItems reports whether a top-level key of a GET's data names accounts, a collection or the id
// of one. Case does not matter, since it does not matter to some backends; nor do letters that
// become others in another case, such as U+017F, a long s, since there are decoders that take them
// for the same.
func (c *Catalogue) NamesItems(key []byte) bool {
	return c.dataKeys[strings.ToLower(strings.ToUpper(string(key)))]
}
