package isolation

import (
	"encoding/json"
	"slices"
	"strings"
)

// A field is data, by whatever door it is asked for (SPEC 2): the oracle's part of it. The devices of
// a world have telemetry, whose color is their own.

// unheard stands for a submodule that no entry of a world names; every collection has one.
const unheard = "unheard"

// submodules are those of each collection that entries of a world may name.
var submodules = map[string][]string{
	devices:   {"messages", "telemetry", "logs", geofenceKind, unheard},
	groups:    {"messages", "logs", "devices", geofenceKind, unheard},
	calcs:     {"messages", "logs", "devices", "groups", geofenceKind, unheard},
	channels:  {"messages", "logs", unheard},
	streams:   {"messages", "logs", "devices", "channels", "groups", geofenceKind, unheard},
	geofences: {"messages", "logs", unheard},
}

const geofenceKind = "geofences"

// fieldLists are what requests ask to see, beside the ids.
var fieldLists = []string{"telemetry", "Telemetry.color", "logs.x", "color,messages", "tele*", "*", "color,*"}

// named returns the submodules that a list of fields reaches into, and whether it is one.
func namedBy(uri, list string) (subs []string, ok bool) {
	ok = true
	for _, field := range strings.Split(list, ",") {
		first, _, _ := strings.Cut(strings.ToLower(field), ".")
		switch {
		case slices.Contains(submodules[uri], first):
			subs = append(subs, first)
		case field != "*" && strings.Contains(field, "*"):
			ok = false
		}
	}
	return subs, ok
}

// rowsOf is the collection whose items, or links to them, a request has rows of.
func (a *Ask) rowsOf() string {
	switch {
	case a.Linked != "":
		return a.Linked
	case a.Sub == "":
		return a.Coll
	}
	return ""
}

// looks reports whether the fields of a token's requests are looked at.
func (j *judge) looks(uri string) bool {
	about := uri
	if !j.t.hasEntry(uri) {
		if _, ok := j.grant(uri, "GET", ""); !ok {
			return true
		}
		about = groups
	}
	n, named := 0, false
	for i := range j.t.Entries {
		if e := &j.t.Entries[i]; e.covers(about) {
			n++
			named = named || e.Named
		}
	}
	return n > 1 || named
}

// splits reports whether a token may read items of whose submodules it may not read each.
func (j *judge) splits(uri string) bool {
	item := j.t.choose(uri, "GET", "")
	return slices.ContainsFunc(submodules[uri], func(sub string) bool { return j.t.choose(uri, "GET", sub) != item })
}

// reach narrows a right to what the fields at one place may reach: those that a match tests, and
// those of a list where the rows are. It reports false where the token has no right to them at all.
func (j *judge) reach(g grant, p place, list string) (grant, bool) {
	var subs []string
	if list != "" {
		subs, _ = namedBy(p.uri, list)
	}
	if p.sel.Form == selHidden && p.uri == devices {
		subs = append(subs, "telemetry")
	}
	if len(subs) == 0 || !j.looks(p.uri) {
		return g, true
	}
	for _, sub := range append(subs, "") {
		more, ok := j.grant(p.uri, "GET", sub)
		if !ok {
			return g, false
		}
		g = both(g, more)
	}
	return g, true
}

// listFault reports whether a request's list of fields is none that the token may send.
func (j *judge) listFault(a *Ask) bool {
	if a.Fields == "" || !j.looks(a.rowsOf()) {
		return false
	}
	_, ok := namedBy(a.rowsOf(), a.Fields)
	return !ok
}

// hides reports whether no row may show telemetry: it was not asked for by its name, and what could
// mean it is looked at.
func (j *judge) hides(a *Ask) bool {
	if j.t.Access != aclType || a.rowsOf() == "" || !j.looks(a.rowsOf()) {
		return false
	}
	subs, _ := namedBy(a.rowsOf(), a.Fields)
	return !slices.Contains(subs, "telemetry")
}

// checkFields judges what rows show of submodules.
func checkFields(f *Findings, rows []map[string]json.RawMessage, want *Want) {
	for _, row := range rows {
		if _, shown := row["telemetry"]; shown && want.Hides {
			f.add("LEAK: the answer shows telemetry")
			return
		}
	}
}
