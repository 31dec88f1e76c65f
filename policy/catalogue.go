package policy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// IDKind says what the ids of a collection look like.
type IDKind uint8

// The kinds of ids. Only integer ids are ever judged one by one.
const (
	IDNone   IDKind = iota // the collection has no items of its own
	IDInt                  // [1-9][0-9]*
	IDString               // opaque to the gateway
)

// Closed says why a route is closed to everyone (SPEC 4).
type Closed uint8

// The kinds of closed routes.
const (
	NotClosed    Closed = iota
	ByCredential        // acts on whoever holds the credential: the gateway
	ByKeys              // lists or issues keys of the backend
)

// BodyKind says how the body of a route is read.
type BodyKind uint8

// The kinds of bodies.
const (
	BodyJSON   BodyKind = iota // strict JSON, judged keys
	BodyData                   // strict JSON; the keys of a POST are the customer's
	BodyUpload                 // JSON, or multipart/form-data that streams through
)

// LocalReply names the routes that the gateway answers itself.
type LocalReply uint8

// The gateway's own routes.
const (
	NoLocalReply   LocalReply = iota
	LocalInfo                 // GET /auth/info
	LocalRegions              // GET /auth/regions
	LocalRealmInfo            // GET /realm/{}/info
	LocalLogin                // POST /realm/{}/login
	LocalUser                 // /realm/{}/user
)

// Slots of a collection: what of an item a request addresses. Slot 0 is the item itself, or the
// collection; the others are submodules. Two of them have the same number everywhere, because
// rights on them are asked for at routes that do not name them: the right to move, and the right to
// read messages.
const (
	SlotItem     = 0
	SlotCID      = 1
	SlotMessages = 2
	slotFirst    = 3
)

// Role says what the gateway itself has to know about the items of a collection. At most one
// collection has each.
type Role uint8

// The roles.
const (
	RoleNone     Role = iota
	RoleGroups        // items are members of them, and an entry may speak of members (SPEC 4.4)
	RoleAccounts      // its items are the accounts of the tree
	RoleDevices       // where messages come from: what a linked group hands on
)

// Collection is a kind of item, or a group of routes without items. It is immutable once the
// Catalogue is built.
type Collection struct {
	Index      int    // position in Catalogue.Collections
	URI        string // gw/devices
	Module     string // gw
	Type       string // devices: what a code-6 reason names
	EntryURI   string // the uri that an entry has to cover
	IDs        IDKind
	Scoped     bool // its items carry a cid
	Dictionary bool // GET for every valid token
	Submodules []string

	Role            Role
	Grouped         bool // its items can be members of groups
	MasterOnly      bool // for master tokens; no entry opens it
	Topics          bool // its items and bodies name MQTT topics
	CarriesMessages bool // what is linked to its items hands its messages on to them

	Routes []*Route
}

// OpenTo reports whether every valid token may use a method on the collection: a dictionary may be
// read by all.
func (c *Collection) OpenTo(m Method) bool { return c.Dictionary && m == GET }

// Slot returns the slot of the submodule called name, or -1.
func (c *Collection) Slot(name string) int {
	if name == "" {
		return -1
	}
	return slices.Index(c.Submodules, name)
}

// Route is one known shape of path with the methods that it takes.
type Route struct {
	Collection *Collection
	Path       string // below the collection's uri, as the catalogue spells it
	Methods    MethodSet
	Slot       int           // what of the item it addresses
	Selectors  []*Collection // what each {} is about, in path order; nil: local to its parent
	Literals   []string      // printed text between the selectors; one more than Selectors
	Item       bool          // the first selector names the collection's own items
	Creates    bool          // POST makes an item of the collection
	Link       bool          // the last segment is a linked selector
	Rows       *Collection   // whose items, or links to them, the answer has rows of; nil: of none
	RowsAt     int           // the selector that names those; -1: none does
	Closed     Closed
	Public     bool // for everyone: forwarded without credential or account (SPEC 3)
	Body       BodyKind
	Slash      bool // selectors may hold encoded "/ # +"
	PerItem    bool // the answer has one element per item
	Query      []string
	Local      LocalReply

	levels     [methodCount]LevelSet // of a grant that give a method on its items
	pattern    []bool                // which segments of the whole path are selectors
	calculates bool                  // it has something computed from the messages of linked items
}

// ForAnyone reports whether the route is served without a token. No route is not.
func (r *Route) ForAnyone() bool {
	return r != nil && (r.Public || r.Local == LocalRegions || r.Local == LocalRealmInfo || r.Local == LocalLogin)
}

// CarriesMessages reports whether a write here hands on messages of the linked items (SPEC 4.3): by
// a link that carries them out, by a group, which somebody else may read or link, or by a
// calculation over them.
func (r *Route) CarriesMessages() bool {
	return r.calculates || r.Link && (r.Collection.CarriesMessages || r.Collection.Role == RoleGroups)
}

// Catalogue is every route that the gateway knows, compiled for look-up. It is immutable, but for
// what it remembers of compiled ACLs, and shared by all requests.
type Catalogue struct {
	Collections []*Collection
	root        *node
	dataKeys    map[string]bool
	params      []string                     // the names that any route takes in its query
	roles       [RoleDevices + 1]*Collection // nil: no collection has the role
	selections  selectionCache
}

// node is one segment in the tree of paths. Among siblings a literal wins over a selector.
type node struct {
	names    []string
	children []*node
	selector *node
	routes   []*Route
	allow    MethodSet
	closed   bool // a route here is closed, or all that is below
}

func (n *node) child(segment []byte) *node {
	for i, name := range n.names {
		if string(segment) == name {
			return n.children[i]
		}
	}
	return n.selector
}

func (n *node) ensureChild(segment string) *node {
	if segment == "{}" {
		if n.selector == nil {
			n.selector = &node{}
		}
		return n.selector
	}
	if i := slices.Index(n.names, segment); i >= 0 {
		return n.children[i]
	}
	n.names = append(n.names, segment)
	n.children = append(n.children, &node{})
	return n.children[len(n.children)-1]
}

// markClosed marks the places at and below which an unknown path stays closed, and reports whether
// anything here is open. A place above both kinds is not marked: one closed route must not close
// the whole module.
func (n *node) markClosed() (open bool) {
	closed := false
	for _, r := range n.routes {
		open = open || r.Closed == NotClosed
		closed = closed || r.Closed != NotClosed
	}
	for _, child := range n.children {
		open = child.markClosed() || open
	}
	if n.selector != nil {
		open = n.selector.markClosed() || open
	}
	n.closed = closed || !open
	return open
}

// route returns the route at n that takes m, or nil.
func (n *node) route(m Method) *Route {
	for _, r := range n.routes {
		if r.Methods.Has(m) {
			return r
		}
	}
	return nil
}

// NewCatalogue compiles collections and their routes. It fills in what follows from the rest
// (Index, Module, Type, slots, literals), closes what has to be closed whatever the data says, and
// adds the gateway's own two routes where they are missing. An error names the route that cannot
// be.
func NewCatalogue(cs []*Collection) (*Catalogue, error) {
	c := &Catalogue{root: &node{}}
	for _, col := range withOwn(cs) {
		if err := c.add(col); err != nil {
			return nil, err
		}
	}
	if err := c.compileRoutes(); err != nil {
		return nil, err
	}
	c.root.markClosed()
	c.dataKeys = dataKeys(c.Collections)
	c.params = params(c.Collections)
	return c, nil
}

// withOwn adds /auth/info and /auth/regions to a catalogue that lacks them: the gateway answers
// them itself, so they exist in front of any backend.
func withOwn(cs []*Collection) []*Collection {
	for _, c := range cs {
		if c.URI == "auth" {
			return cs
		}
	}
	return append(slices.Clip(cs), &Collection{URI: "auth", Routes: []*Route{
		{Path: "/info", Methods: Methods(GET)}, {Path: "/regions", Methods: Methods(GET)},
	}})
}

func (c *Catalogue) add(col *Collection) error {
	if c.Collection(col.URI) != nil {
		return fmt.Errorf("collection %q appears twice", col.URI)
	}
	col.Index = len(c.Collections)
	col.Module, _, _ = strings.Cut(col.URI, "/")
	col.Type = col.URI[strings.LastIndexByte(col.URI, '/')+1:]
	if col.EntryURI == "" {
		col.EntryURI = col.URI
	}
	if col.Role != RoleNone {
		if other := c.roles[col.Role]; other != nil {
			return fmt.Errorf("collections %q and %q have the same role", other.URI, col.URI)
		}
		c.roles[col.Role] = col
	}
	col.Submodules = []string{"", "cid", "messages"}
	c.Collections = append(c.Collections, col)
	return nil
}

// compileRoutes resolves what routes say about other collections and inserts them into the tree,
// once all collections are known.
func (c *Catalogue) compileRoutes() error {
	for _, col := range c.Collections {
		for _, r := range col.Routes {
			r.Collection = col
			if err := r.compile(); err != nil {
				return fmt.Errorf("route %s of %s: %w", r.Path, col.URI, err)
			}
			if err := c.insert(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Catalogue) insert(r *Route) error {
	n := c.root
	for _, segment := range strings.Split(r.segments(), "/") {
		n = n.ensureChild(segment)
	}
	if n.allow&r.Methods != 0 {
		return fmt.Errorf("route %s of %s appears twice with the same method", r.Path, r.Collection.URI)
	}
	n.allow |= r.Methods
	n.routes = append(n.routes, r)
	return nil
}

// WithRole returns the collection that has a role, or nil.
func (c *Catalogue) WithRole(r Role) *Collection { return c.roles[r] }

// Collection returns the collection with this uri, or nil.
func (c *Catalogue) Collection(uri string) *Collection {
	for _, col := range c.Collections {
		if col.URI == uri {
			return col
		}
	}
	return nil
}

// find returns the place of the tree that the segments lead to, or nil.
func (c *Catalogue) find(segments [][]byte) *node {
	n := c.root
	for _, s := range segments {
		if n = n.child(s); n == nil {
			return nil
		}
	}
	return n
}

// closedBelow reports whether there is a closed route on a way that the segments lead from n: what
// is unknown below one stays closed. Case does not matter, since it does not matter to some
// backends.
func (n *node) closedBelow(segments [][]byte) bool {
	if n.closed || len(segments) == 0 {
		return n.closed
	}
	for i, name := range n.names {
		if bytes.EqualFold(segments[0], []byte(name)) && n.children[i].closedBelow(segments[1:]) {
			return true
		}
	}
	return n.selector != nil && n.selector.closedBelow(segments[1:])
}
