package topic

import (
	"slices"
	"strings"

	"aclgate/policy"
)

// The first level of platform topics, and the levels that follow it.
const (
	platformLevel = "flespi"
	restCategory  = "rest"

	platformModule = "platform"
	mqttModule     = "mqtt"
)

// family is one row of the table of platform topics (SPEC 16.4.1): which topics there are, and
// which GET shows the same data.
type family struct {
	category string
	only     string // uri of the one collection that it is about; "": any other
	form     form
	slot     string // submodule whose GET it is, of formTree and formLinked; "": the item
}

// form says what stands behind flespi/{category}/{module}/{type}/{id}.
type form uint8

const (
	formState  form = iota // nothing, a property, or a submodule with what is below it
	formTree               // nothing or anything: all of it is one submodule's, or the item's
	formLinked             // the submodule, the id of a linked item, and one level more
)

// families is the table of platform topics with items. The set is closed: what is not in it, or in
// the two modules below, is closed to everybody. The state of linked items follows from the routes.
var families = []family{
	{category: "state", form: formState},
	{category: "message", only: "gw/modems", form: formTree}, // has no such submodule
	{category: "message", form: formTree, slot: "messages"},
	{category: "log", form: formTree, slot: "logs"},
	{category: "interval", only: "gw/calcs", form: formLinked, slot: "devices"},
	{category: "interval", form: formLinked}, // there is none of other collections
}

// moduleFamily is a row about a whole module, which is judged without ids.
type moduleFamily struct {
	category, module string
	branch           Filter
}

var moduleFamilies = []moduleFamily{
	newModuleFamily("state", platformModule), newModuleFamily("log", platformModule), newModuleFamily("message", platformModule),
	newModuleFamily("state", mqttModule), newModuleFamily("log", mqttModule),
}

func newModuleFamily(category, module string) moduleFamily {
	return moduleFamily{category, module, Filter{word(platformLevel), word(category), word(module), allLevels}}
}

// part is a set of topics of an item that one GET decides about.
type part struct {
	route  *policy.Route      // the GET
	linked *policy.Collection // of the second id; nil: there is none
	number int                // among the parts of the catalogue
	below  Filter             // of a submodule: its name and everything below it
}

// place is what the table says of one category and collection.
type place struct {
	path       Filter // flespi, category, module, type
	collection *policy.Collection
	form       form
	item       *part            // of the item and its properties, or of the tree; nil: closed
	subs       map[string]*part // by name; nil: closed
	names      []string         // of subs, sorted
}

// table is the families, compiled for a catalogue. It is immutable.
type table struct {
	places map[string]*place // by "category/module/type"
	order  []*place
	module []moduleGET
	parts  int
}

// moduleGET is a GET of a module that is judged without ids, as the levels of its path.
type moduleGET struct {
	pattern []string // {} is a selector
	route   *policy.Route
}

func newTable(c *policy.Catalogue) *table {
	t := &table{places: map[string]*place{}}
	for _, col := range c.Collections {
		if col.Module == platformModule {
			t.addModule(col)
			continue
		}
		// Dictionaries have no topics: a filter over everything would only gain empty ones by them.
		if col.IDs != policy.IDInt || col.Topics || col.Dictionary || strings.Count(col.URI, "/") != 1 {
			continue
		}
		for i := range families {
			f := &families[i]
			key := f.category + "/" + col.URI
			if f.only != "" && f.only != col.URI || t.places[key] != nil {
				continue
			}
			if p := t.newPlace(f, col); p != nil {
				t.places[key] = p
				t.order = append(t.order, p)
			}
		}
	}
	// Of the GETs that begin a topic the longest shows its data.
	slices.SortStableFunc(t.module, func(a, b moduleGET) int { return len(b.pattern) - len(a.pattern) })
	return t
}

func (t *table) addModule(col *policy.Collection) {
	for _, r := range col.Routes {
		if r.Methods.Has(policy.GET) {
			t.module = append(t.module, moduleGET{strings.Split(r.String()[1:], "/"), r})
		}
	}
}

// newPlace returns what a family says of a collection, nil if there is nothing of it.
func (t *table) newPlace(f *family, col *policy.Collection) *place {
	p := &place{collection: col, form: f.form, path: Filter{word(platformLevel), word(f.category), word(col.Module), word(col.Type)}}
	switch f.form {
	case formTree:
		p.item = t.newPart(col, f.slot)
		if p.item == nil {
			return nil
		}
		p.item.linked = nil
	case formLinked:
		sub := t.newPart(col, f.slot)
		if f.slot == "" || sub == nil || sub.linked == nil {
			return nil
		}
		p.subs = map[string]*part{f.slot: sub}
		p.names = []string{f.slot}
	default:
		p.item = t.newPart(col, "")
		p.subs = map[string]*part{}
		for _, name := range col.Submodules[1:] {
			if name == col.Submodules[policy.SlotCID] {
				continue // a field of the item: there is no GET of its own
			}
			p.subs[name] = t.newPart(col, name)
			p.names = append(p.names, name)
		}
		slices.Sort(p.names)
	}
	return p
}

// newPart returns the part that the GET of a slot decides about, nil if there is no such GET. Of
// several the one that is closed counts: it says that something below is not for everyone.
func (t *table) newPart(col *policy.Collection, slot string) *part {
	var best *policy.Route
	var linked *policy.Collection
	for _, r := range col.Routes {
		if !r.Item || !r.Methods.Has(policy.GET) || col.Submodules[r.Slot] != slot {
			continue
		}
		if len(r.Selectors) > 1 && r.Selectors[1] != nil && r.Selectors[1].IDs == policy.IDInt && slot != "" &&
			strings.HasPrefix(r.Path, "/{}/"+slot+"/{}") {
			linked = r.Selectors[1]
		}
		if best == nil || r.Closed != policy.NotClosed {
			best = r
		}
	}
	if best == nil {
		return nil
	}
	t.parts++
	return &part{route: best, linked: linked, number: t.parts - 1, below: Filter{word(slot), allLevels}}
}

// find returns the part of an item that the levels behind its id are about, and the level that has
// to be the id of a linked item, if there is one. A linked place named without an id is all of it.
func (p *place) find(tail [][]byte) (found *part, linked []byte) {
	switch {
	case p.form == formTree:
		return p.item, nil
	case len(tail) == 0:
		return p.item, nil // nil where the family knows linked items only
	}
	sub, named := p.subs[string(tail[0])]
	switch {
	case !named && len(tail) == 1 && p.isField(string(tail[0])):
		return p.item, nil
	case sub == nil:
		return nil, nil
	case p.form == formLinked && len(tail) != 3:
		return nil, nil
	case sub.linked == nil || len(tail) == 1:
		return sub, nil
	}
	return sub, tail[1]
}

// isField reports whether a level is a property of the item. By whatever spelling a submodule is
// named, it is none: a field is data, and its first part says whose.
func (p *place) isField(text string) bool {
	first, _, _ := strings.Cut(text, ".")
	for _, name := range p.names {
		if len(name) == len(first) && strings.EqualFold(name, first) {
			return false
		}
	}
	return text != ""
}

// closedReason says why a platform topic that the table does not know is closed.
func closedReason(levels [][]byte) policy.Reason {
	if len(levels) > 1 && string(levels[1]) == restCategory {
		return policy.TopicRest
	}
	return policy.TopicClosed
}
