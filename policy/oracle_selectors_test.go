package policy_test

import (
	"slices"
	"strconv"
	"strings"
)

// bound is what limits a token on the collection of one selector: the items that all of lists name;
// without lists the scope alone.
type bound struct {
	lists [][]int64
	entry *worldEntry
}

func (b bound) permits(id int64) bool {
	for _, list := range b.lists {
		if !slices.Contains(list, id) {
			return false
		}
	}
	return true
}

func (b *bound) add(r right) {
	if r.limited() {
		b.lists = append(b.lists, r.ids)
	}
}

// outcome is what became of one selector.
type outcome struct {
	ids     []int64
	asked   bool // printed as it was asked
	denied  []int64
	refused bool // the backend was asked for a match, and refused it
}

// selectors judges them one by one (SPEC 4.3): first what is no matter of ids. In ids mode the
// scope limits every token, so that a match at a linked place is nobody's to forward there.
func (t *trial) selectors(method string) opinion {
	bounds := make([]bound, len(t.r.sels))
	var eights []string
	bad := false
	for i, s := range t.r.sels {
		var reasons []string
		bounds[i], reasons = t.bound(i, s, method)
		reasons = append(reasons, t.reach(i, s, &bounds[i], t.listed)...)
		reasons = append(reasons, t.unreadable(i, s, bounds[i])...)
		t.boundByGrants(i, s, &bounds[i])
		eights = append(eights, reasons...)
		bad = bad || !t.isOwn(i) && isMatch(s) && t.unlinkable(s, bounds[i])
	}
	switch {
	case len(eights) > 0:
		return deny(eights...)
	case t.tooMany() && bad:
		return deny("too-many-ids", "linked-match")
	case t.tooMany():
		return deny("too-many-ids")
	case bad:
		return deny("linked-match")
	}
	return t.conclude(bounds)
}

func isMatch(s selection) bool {
	return s.kind == "fields" || s.kind == "expression" || s.kind == "conditions"
}

// unlinkable tells matches at a linked place that cannot be forwarded: of a token that is limited
// there or has no entry to read by, and where the gateway itself has to know the accounts.
func (t *trial) unlinkable(s selection, b bound) bool {
	indexed := t.mode == "ids" || t.mode == "both" && s.kind == "conditions"
	return len(b.lists) > 0 || t.cross && t.mode != "header" || t.as == "acl" && b.entry == nil || indexed && collectionOf(s.collection).Scoped
}

// account is what all the conditions ask for, if they ask for nothing but accounts.
func (s selection) account() (cid int64, only bool) {
	if s.kind != "fields" && s.kind != "conditions" {
		return 0, false
	}
	asked := map[int64]bool{}
	for _, test := range strings.Split(s.text, ",") {
		field, value, _ := strings.Cut(test, "=")
		value = strings.TrimPrefix(value, "=")
		if field != "cid" || !oneID(value) {
			return 0, false
		}
		cid, _ = strconv.ParseInt(value, 10, 64)
		asked[cid] = true
	}
	if len(asked) > 1 {
		return 0, true
	}
	return cid, true
}

func (t *trial) isOwn(i int) bool { return i == 0 && t.r.route.own }

// conclude puts the selectors together: nothing left of one, nothing forwarded.
func (t *trial) conclude(bounds []bound) opinion {
	var denied []string
	empty, narrowed, refused := false, false, false
	printed := slices.Clone(t.r.segments)
	for i, s := range t.r.sels {
		o := t.outcome(i, s, bounds[i])
		for _, id := range o.denied {
			parts := strings.Split(s.collection, "/")
			denied = append(denied, parts[len(parts)-1]+"/"+strconv.FormatInt(id, 10))
		}
		if o.asked {
			printed[s.at] = s.printed()
			continue
		}
		printed[s.at] = joinIDs(o.ids)
		empty = empty || len(o.ids) == 0
		refused = refused || o.refused
		narrowed = narrowed || s.kind != "ids" || len(o.denied) > 0
	}
	under, parts, fault := t.under(bounds)
	switch {
	case empty && len(denied) > 0:
		return opinion{verdicts: []string{"deny"}, reasons: []string{"denied-items"}, denied: denied}
	case empty && refused:
		return deny("match-refused")
	case empty:
		return deny("nothing-left")
	case fault != "":
		return deny(fault)
	case narrowed:
		return opinion{verdicts: []string{"narrow"}, reasons: []string{"narrowed"}, segments: printed, query: t.query, denied: denied, under: under, parts: parts}
	}
	return opinion{verdicts: []string{"allow"}, reasons: []string{"permitted"}, segments: printed, query: t.query, under: under, parts: parts}
}

// bound finds what limits the token at selector i.
func (t *trial) bound(i int, s selection, method string) (b bound, reasons []string) {
	if t.as != "acl" || !isInt(s.collection) {
		return b, nil
	}
	if t.isOwn(i) {
		b.entry = t.right.entry
		b.add(t.right)
		return b, nil
	}
	read := t.rightOn(s.collection, "", "GET")
	if read.entry == nil && !t.tok.covers(s.collection) {
		if method != "GET" || t.w.settings.strictLinks {
			reasons = append(reasons, "link-no-entry")
		}
		return b, reasons
	}
	b.entry = read.entry
	b.add(read)
	if read.entry == nil {
		b.lists = append(b.lists, nil) // an entry without GET permits no id
	}
	if t.carries(i, method) {
		reasons = t.messages(&b, s.collection)
	}
	return b, reasons
}

// carries tells what takes messages out of the linked items: links to streams, plugins, calcs and
// groups, and calculations over linked items. PATCH counts as the PUT that it is a part of.
func (t *trial) carries(i int, method string) bool {
	if method != "POST" && method != "PUT" && method != "PATCH" {
		return false
	}
	path := strings.Join(t.r.route.pattern, "/")
	if strings.HasSuffix(path, "/calculate") || strings.HasSuffix(path, "/recalculate") {
		return true
	}
	owner := []string{"gw/streams", "gw/plugins", "gw/calcs", "gw/groups"}
	return i == len(t.r.sels)-1 && t.r.route.linkLast && slices.Contains(owner, t.r.route.of.URI)
}

func (t *trial) messages(b *bound, collection string) []string {
	if collection == "gw/groups" {
		item, read := t.rightOn("gw/devices", "", "GET"), t.rightOn("gw/devices", "messages", "GET")
		if item.entry == nil || read.entry == nil || item.limited() || read.limited() {
			return []string{"link-messages"}
		}
		return nil
	}
	read := t.rightOn(collection, "messages", "GET")
	if read.entry == nil {
		return []string{"link-messages"}
	}
	b.add(read)
	return nil
}

// unreadable tells matches that read what the entry does not permit.
func (t *trial) unreadable(i int, s selection, b bound) (reasons []string) {
	if !isMatch(s) || b.entry == nil {
		return nil
	}
	if !b.entry.permits("", "GET") || s.kind == "expression" && (b.entry.named || t.splits(s.collection)) {
		reasons = append(reasons, "match-unreadable")
	}
	if t.isOwn(i) && t.w.settings.denyMatch && len(b.lists) > 0 {
		reasons = append(reasons, "match-denied")
	}
	return reasons
}

// outcome is the table of SPEC 4.3 for one selector.
func (t *trial) outcome(i int, s selection, b bound) (o outcome) {
	indexed := t.mode != "header" && s.collection != "" && collectionOf(s.collection).Scoped
	named := s.kind == "ids" || s.kind == "conditions"
	switch {
	case s.kind == "local":
		o.asked = true
		return o
	case s.kind == "ids":
	case len(b.lists) == 0 && !indexed, isMatch(s) && !t.isOwn(i):
		o.asked = true
		return o
	}
	satisfies := func(int64) bool { return true }
	if isMatch(s) {
		satisfies, o.refused = t.matching(s, indexed)
	}
	for _, id := range t.candidates(s, b) {
		permitted := b.permits(id) && (!indexed || t.permit(i, s, id))
		switch {
		case named && !permitted:
			o.denied = append(o.denied, id)
		case permitted && satisfies(id):
			o.ids = append(o.ids, id)
		}
	}
	return o
}

// matching says which items satisfy a match, and whether the backend refuses to say it. Whose an
// item is the index knows, where there is one.
func (t *trial) matching(s selection, indexed bool) (satisfies func(int64) bool, refused bool) {
	if cid, only := s.account(); only && indexed {
		return func(id int64) bool { return cid != 0 && t.account(s, id) == cid }, false
	}
	asked := s.collection + " " + s.text
	refused = t.w.refused[asked]
	return func(id int64) bool { return !refused && slices.Contains(t.w.matches[asked], id) }, refused
}

// candidates are the ids that a selector can mean: in the order asked, or ascending.
func (t *trial) candidates(s selection, b bound) (ids []int64) {
	switch {
	case len(s.ids) > 0:
		return s.ids
	case isMatch(s):
		ids = slices.Clone(t.w.matches[s.collection+" "+s.text])
		ids = append(ids, t.knownItems(s.collection)...)
	case len(b.lists) > 0:
		ids = b.lists[0]
	default:
		ids = t.knownItems(s.collection)
	}
	return sortedCopy(ids)
}

// knownItems are the items that the index has, or that are looked up because a write has left them open.
func (t *trial) knownItems(collection string) (ids []int64) {
	for id := range t.w.index[collection] {
		ids = append(ids, id)
	}
	return append(ids, t.w.doubts[collection]...)
}

// account is that of an item as far as the gateway comes to know it: by the index, or by a look-up
// where the item was asked for by number or is in doubt. 0: not at all.
func (t *trial) account(s selection, id int64) int64 {
	cid, known := t.w.index[s.collection][id]
	if !known && (len(s.ids) > 0 || slices.Contains(t.w.doubts[s.collection], id)) {
		return t.w.unlisted[s.collection][id]
	}
	return cid
}
