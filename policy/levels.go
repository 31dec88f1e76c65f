package policy

import (
	"slices"
	"strings"
)

// LevelSet is a set of levels of a grant (SPEC 10.7). The zero value gives nothing.
type LevelSet uint8

// The levels. To create is no level of its own: it is one for each collection, see
// GrantAccess.Creates.
const (
	LevelView LevelSet = 1 << iota
	LevelEdit
	LevelDelete
	LevelCommand
	LevelOperateAs
)

// levelNames are the words of the levels, in their order.
var levelNames = [...]string{"view", "edit", "delete", "command", "operate-as"}

// AccountURI is the uri by which a grant names the grantor's whole branch.
const AccountURI = "account"

// creates begins the levels that permit to create, such as create-devices.
const createPrefix = "create-"

// levelRow says what one level gives: a method on some routes.
type levelRow struct {
	level       LevelSet
	methods     MethodSet
	collections []string // by type; nil: all
	slots       []string // submodules, "" for the item itself; nil: all
	but         []string // submodules that it does not give, on the collections of butOf
	butOf       []string // by type
	link        bool     // it gives links, and nothing else
}

// levelRows says which method on which route a level gives (SPEC 10.7). What a row does not say is
// not given: no level but operate-as gives to move an item, or to delete its data.
var levelRows = []levelRow{
	{level: LevelView, methods: Methods(GET), but: []string{"logs"}, butOf: []string{"calcs", "plugins", "streams", "groups"}},
	{level: LevelView, methods: Methods(POST, DELETE), collections: []string{"calcs", "plugins", "groups"}, link: true},
	{level: LevelEdit, methods: Methods(PUT, PATCH), slots: []string{""}},
	{level: LevelDelete, methods: Methods(DELETE), slots: []string{""}},
	{level: LevelCommand, methods: Methods(POST, DELETE), collections: []string{"devices"}, slots: []string{"commands-queue"}},
	{level: LevelCommand, methods: Methods(POST), collections: []string{"devices"}, slots: []string{"commands"}},
	{level: LevelCommand, methods: Methods(PUT, DELETE), collections: []string{"devices"}, slots: []string{"settings"}},
}

// gives reports whether the row gives m on a route.
func (w *levelRow) gives(r *Route, m Method) bool {
	if !w.methods.Has(m) || w.link && !r.Link || w.collections != nil && !slices.Contains(w.collections, r.Collection.Type) {
		return false
	}
	slot := r.Collection.Submodules[r.Slot]
	if slices.Contains(w.butOf, r.Collection.Type) && slices.Contains(w.but, slot) {
		return false
	}
	return w.slots == nil || slices.Contains(w.slots, slot)
}

// levelsOf returns, for each method, the levels that give it on the own items of a route.
func levelsOf(r *Route) (of [methodCount]LevelSet) {
	if !r.Item || !r.Collection.Grantable() {
		return of
	}
	for m := GET; m < methodCount; m++ {
		for i := range levelRows {
			if levelRows[i].gives(r, m) {
				of[m] |= levelRows[i].level
			}
		}
	}
	return of
}

// linkedLevels returns the levels that a linked item of a request has to be granted by. To link a
// granted item would outlive the grant, so writes take none but items of the caller's own [G]; a
// device is put into a geofence at a path that names the device first.
func linkedLevels(r *Route, m Method, col *Collection) LevelSet {
	switch {
	case m == GET:
		return LevelView
	case r.Link && (m == POST || m == DELETE) && r.Collection.Role == RoleDevices && col.Type == "geofences":
		return LevelView
	}
	return 0
}

// keepsLogs reports whether view of an item of the collection does not give its logs.
func (c *Collection) keepsLogs() bool { return slices.Contains(levelRows[0].butOf, c.Type) }

// ParseLevel reads a word of `levels`: a level, or the type of the collection that it permits to
// create. Neither: it is no level.
func ParseLevel(word string) (level LevelSet, creates string) {
	if i := slices.Index(levelNames[:], word); i >= 0 {
		return 1 << i, ""
	}
	if kind, found := strings.CutPrefix(word, createPrefix); found {
		return 0, kind
	}
	return 0, ""
}

// Words returns the words of the levels, in their order.
func (l LevelSet) Words() (words []string) {
	for i, word := range levelNames {
		if l>>i&1 != 0 {
			words = append(words, word)
		}
	}
	return words
}

// fitsAccount are the levels that name a whole account; the others are about items.
const fitsAccount = LevelView | LevelOperateAs

// LevelFault returns why a word cannot be a level of a grant on uri, or "".
func LevelFault(uri, word string) string {
	level, kind := ParseLevel(word)
	account := uri == AccountURI
	switch {
	case account && (level&fitsAccount != 0 || slices.Contains(creatable, kind)):
		return ""
	case account:
		return "expected view, operate-as or create-T, T one of " + strings.Join(creatable, ", ")
	case level == 0 || level == LevelOperateAs:
		return "expected view, edit, delete or command"
	case level == LevelCommand && uri != "gw/devices":
		return "command is a level of gw/devices"
	}
	return ""
}

// creatable are the collections that a grant may permit to create [V].
var creatable = []string{"devices", "channels", "plugins", "streams", "calcs", "groups"}
