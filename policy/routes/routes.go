// Package routes is the catalogue of routes: the data that says which paths the API has, what each
// segment of them is, and who may reach them.
//
// The built-in catalogue is flespi-routes.yaml, embedded here. An operator can replace it by a file
// of the same form (policy.routes_file). Both are read strictly: a misspelt key in a catalogue
// would open or close a route without anybody seeing it, so every fault is named with its place and
// nothing of a faulty file is used.
package routes

import (
	_ "embed"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"aclgate/config/strict"
	"aclgate/policy"
)

//go:embed flespi-routes.yaml
var builtin []byte

// Default returns the built-in catalogue, compiled once per process. The error is for a build whose
// data is broken; a test keeps it from happening.
var Default = sync.OnceValues(func() (*policy.Catalogue, error) {
	c, faults := parse("flespi-routes.yaml", builtin, nil)
	return c, faults.Err()
})

// Builtin returns the text of the built-in catalogue. It must not be changed.
func Builtin() []byte { return builtin }

// Load reads the catalogue in a file, or the built-in one for "".
func Load(path string) (*policy.Catalogue, error) {
	if path == "" {
		return Default()
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, faults := Parse(path, text)
	return c, faults.Err()
}

// Parse reads the catalogue of an operator. With a fault there is none. What it does not say about
// collections that are in the built-in catalogue is as it is there: what was closed does not open
// because a file is older than the key.
func Parse(file string, text []byte) (*policy.Catalogue, strict.Faults) {
	known, err := Default()
	if err != nil {
		return nil, strict.Faults{{File: file, Message: err.Error()}}
	}
	return parse(file, text, known.Collections)
}

func parse(file string, text []byte, known []*policy.Collection) (*policy.Catalogue, strict.Faults) {
	root, report := strict.ParseWithAliases(file, text)
	list := root.Map("collections").Need("collections")
	b := builder{known: known, byURI: map[string]*policy.Collection{}}
	for _, n := range list.List() {
		b.collection(n)
	}
	for _, l := range b.links {
		b.resolve(l)
	}
	if faults := report.Faults(); faults.Err() != nil {
		return nil, faults
	}
	c, err := policy.NewCatalogue(b.collections)
	if err != nil {
		list.Fault("%s", err)
		return nil, report.Faults()
	}
	return c, report.Faults()
}

// builder collects collections first and looks up what routes link to last: a link may name a
// collection that stands further down.
type builder struct {
	known       []*policy.Collection // of the built-in catalogue
	collections []*policy.Collection
	byURI       map[string]*policy.Collection
	links       []linkSpec
}

// linkSpec is what a route says about its further selectors.
type linkSpec struct {
	route *policy.Route
	nodes []*strict.Node
}

var (
	uriForm  = regexp.MustCompile(`^[a-z0-9_-]+(/[a-z0-9_-]+)*$`)
	pathForm = regexp.MustCompile(`^/$|^(/(\{\}|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*))+$`)
)

// The keys of a catalogue; docs/routes.md says what each means.
var (
	collectionKeys = []string{
		"uri", "id", "scoped", "open", "entry_uri", "routes", "legacy",
		"role", "grouped", "master_only", "topics", "carries_messages",
	}
	routeKeys = []string{"path", "methods", "links", "per_item", "body", "closed", "public", "slash", "query", "legacy"}
)

func (b *builder) collection(n *strict.Node) {
	m := n.Map(collectionKeys...)
	c := &policy.Collection{}
	strict.Into(&c.URI, m.Need("uri"), formed(uriForm, "a uri such as gw/devices"))
	b.inherit(c)
	if r := m.Get("role"); r != nil {
		c.Role = choice(r, map[word]policy.Role{
			"none": policy.RoleNone, "groups": policy.RoleGroups, "accounts": policy.RoleAccounts, "devices": policy.RoleDevices,
		})
	}
	strict.Into(&c.Grouped, m.Get("grouped"), strict.Bool)
	strict.Into(&c.MasterOnly, m.Get("master_only"), strict.Bool)
	strict.Into(&c.Topics, m.Get("topics"), strict.Bool)
	strict.Into(&c.CarriesMessages, m.Get("carries_messages"), strict.Bool)
	strict.Into(&c.EntryURI, m.Get("entry_uri"), formed(uriForm, "a uri such as mqtt"))
	strict.Into(&c.Scoped, m.Get("scoped"), strict.Bool)
	strict.Into(&c.Dictionary, m.Get("open"), strict.Bool)
	var legacy bool // known, and the same to the engine
	strict.Into(&legacy, m.Get("legacy"), strict.Bool)
	c.IDs = choice(m.Need("id"), map[word]policy.IDKind{
		"none": policy.IDNone, "int": policy.IDInt, "string": policy.IDString,
	})
	if b.byURI[c.URI] != nil && c.URI != "" {
		m.Get("uri").Fault("a collection with this uri appears above")
		return
	}
	b.byURI[c.URI] = c
	b.collections = append(b.collections, c)
	for _, r := range m.Need("routes").List() {
		c.Routes = append(c.Routes, b.routes(c.URI, r)...)
	}
}

// inherit gives a collection what the built-in catalogue says of it or, if it is not there, of who
// may reach its module.
func (b *builder) inherit(c *policy.Collection) {
	module, _, _ := strings.Cut(c.URI, "/")
	for _, k := range b.known {
		switch {
		case k.URI == c.URI:
			c.Role, c.Grouped, c.CarriesMessages = k.Role, k.Grouped, k.CarriesMessages
			c.MasterOnly, c.Topics = k.MasterOnly, k.Topics
			return
		case k.Module == module:
			c.MasterOnly, c.Topics = c.MasterOnly || k.MasterOnly, c.Topics || k.Topics
		}
	}
}

// routes reads one route. It becomes two where the built-in catalogue closes some of its methods.
func (b *builder) routes(uri string, n *strict.Node) []*policy.Route {
	m := n.Map(routeKeys...)
	r := &policy.Route{}
	strict.Into(&r.Path, m.Need("path"), formed(pathForm, `a path such as /{}/settings/{}`))
	for _, name := range m.Need("methods").List() {
		r.Methods |= policy.Methods(choice(name, methods))
	}
	r.Body = choice(m.Get("body"), map[word]policy.BodyKind{
		"json": policy.BodyJSON, "data": policy.BodyData, "upload": policy.BodyUpload,
	})
	r.Closed = choice(m.Get("closed"), map[word]policy.Closed{
		"none": policy.NotClosed, "credential": policy.ByCredential, "keys": policy.ByKeys,
	})
	strict.Into(&r.Public, m.Get("public"), strict.Bool)
	strict.Into(&r.PerItem, m.Get("per_item"), strict.Bool)
	strict.Into(&r.Slash, m.Get("slash"), strict.Bool)
	strict.Into(&r.Query, m.Get("query"), strict.ListOf(strict.Word))
	var legacy bool
	strict.Into(&legacy, m.Get("legacy"), strict.Bool)
	routes := []*policy.Route{r}
	if m.Get("closed") == nil {
		routes = b.inheritClosed(uri, r)
	}
	if l := m.Get("links"); l != nil {
		nodes := l.List()
		for _, r := range routes {
			b.links = append(b.links, linkSpec{r, nodes})
		}
	}
	return routes
}

// inheritClosed closes those methods of a route that are closed in the built-in catalogue: a file
// that was exported before they were must not keep them open.
func (b *builder) inheritClosed(uri string, r *policy.Route) []*policy.Route {
	routes := []*policy.Route{r}
	for _, c := range b.known {
		if c.URI != uri {
			continue
		}
		for _, k := range c.Routes {
			shared := k.Methods & r.Methods
			switch {
			case k.Closed == policy.NotClosed || k.Path != r.Path || shared == 0:
			case shared == r.Methods:
				r.Closed = k.Closed
				return routes
			default:
				part := *r
				part.Methods, part.Closed = shared, k.Closed
				r.Methods &^= shared
				routes = append(routes, &part)
			}
		}
	}
	return routes
}

// resolve turns the names of l into collections; local stays nil.
func (b *builder) resolve(l linkSpec) {
	for _, n := range l.nodes {
		var uri string
		strict.Into(&uri, n, formed(uriForm, "local, or the uri of a collection"))
		c := b.byURI[uri]
		if c == nil && uri != "local" && uri != "" {
			near, _ := strict.Nearest(uri, append(b.uris(), "local"))
			n.Fault("no collection has the uri %q: did you mean %q?", uri, near)
		}
		l.route.Selectors = append(l.route.Selectors, c)
	}
}

func (b *builder) uris() []string {
	var uris []string
	for _, c := range b.collections {
		uris = append(uris, c.URI)
	}
	return uris
}

type word string

var methods = map[word]policy.Method{
	"GET": policy.GET, "POST": policy.POST, "PUT": policy.PUT, "PATCH": policy.PATCH, "DELETE": policy.DELETE,
}

// choice reads one of the words; an absent node is the zero value.
func choice[T any](n *strict.Node, words map[word]T) T {
	var w word
	known := make([]word, 0, len(words))
	for k := range words {
		known = append(known, k)
	}
	slices.Sort(known)
	strict.Into(&w, n, strict.Enum(known...))
	return words[w]
}

// formed returns the reader of a text of a certain form.
func formed(form *regexp.Regexp, what string) func(*strict.Node) (string, bool) {
	return func(n *strict.Node) (string, bool) {
		text, ok := strict.Str(n)
		if ok && !form.MatchString(text) {
			n.Expected(what)
			return "", false
		}
		return text, ok
	}
}
