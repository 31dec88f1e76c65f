package backend

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
)

const accountsURI = "platform/subaccounts"

// Account is a node of the account tree; Parent 0 makes it a root. It is the item of
// platform/subaccounts with the same id, whose cid is the parent.
type Account struct {
	ID, Parent int64
	Name       string
}

// Item is one object as tests define it.
type Item struct {
	ID, CID   int64
	Fields    Fields // besides id and cid
	Telemetry Fields // values by dotted parameter name; devices only
	Settings  Fields // by setting name
}

// World is what exists: items of collections, accounts, links between items and posted messages.
// All methods are safe for concurrent use, and what they change is seen by the next request.
type World struct {
	mu     sync.RWMutex
	colls  map[string]*collection // by uri, as "gw/devices"
	links  map[string]map[int64][]int64
	posted map[itemKey][]message
}

// itemKey is an item by its collection and id.
type itemKey struct {
	uri string
	id  int64
}

// collection is the items of one uri. Their ids are integers.
type collection struct {
	shape
	uri   string
	kind  string // last segment: "devices"
	key   string // what links and messages call an item's id: "device"
	items map[int64]*item
	ids   []int64 // ascending
	next  int64   // given to the next creation
}

var (
	errExists  = errors.New("backend: the item exists already")
	errMissing = errors.New("backend: no such item")
)

// NewWorld returns a world with the collections of the catalogue, the dictionaries filled and all
// others empty, and the given accounts.
func NewWorld(accounts ...Account) *World {
	w := &World{colls: map[string]*collection{}, links: map[string]map[int64][]int64{}, posted: map[itemKey][]message{}}
	for uri, sh := range shapes() {
		w.define(uri, sh)
	}
	// Neither can fail: the fields are plain, and a repeated id keeps the first.
	for uri, names := range dictionaries() {
		for i, name := range names {
			_ = w.Add(uri, Item{ID: int64(i + 1), Fields: Fields{"name": name, "title": strings.ToUpper(name)}})
		}
	}
	for _, a := range accounts {
		_ = w.Add(accountsURI, Item{ID: a.ID, CID: a.Parent, Fields: Fields{"name": a.Name}})
	}
	return w
}

func (w *World) define(uri string, sh shape) *collection {
	kind := uri[strings.LastIndexByte(uri, '/')+1:]
	key := strings.ReplaceAll(strings.TrimSuffix(kind, "s"), "-", "_")
	c := &collection{shape: sh, uri: uri, kind: kind, key: key, items: map[int64]*item{}, next: 1}
	w.colls[uri] = c
	return c
}

// coll returns the collection of uri, which it creates if need be.
func (w *World) coll(uri string) *collection {
	if c := w.colls[uri]; c != nil {
		return c
	}
	return w.define(uri, shape{})
}

// Add puts items into a collection, which may be one that the catalogue does not know. It fails if
// an id is taken or a field is not JSON.
func (w *World) Add(uri string, items ...Item) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.coll(uri)
	for _, def := range items {
		if c.items[def.ID] != nil {
			return fmt.Errorf("cannot add %s/%d: %w", uri, def.ID, errExists)
		}
		it, err := newItem(def, c.defaults)
		if err != nil {
			return fmt.Errorf("cannot add %s/%d: %w", uri, def.ID, err)
		}
		c.put(it)
	}
	return nil
}

// put stores it in place of what had its id.
func (c *collection) put(it *item) {
	if c.items[it.id] == nil {
		i, _ := slices.BinarySearch(c.ids, it.id)
		c.ids = slices.Insert(c.ids, i, it.id)
		if it.id >= c.next && it.id < math.MaxInt64 {
			c.next = it.id + 1
		}
	}
	c.items[it.id] = it
}

// Delete removes items with their links and messages; missing ones are skipped.
func (w *World) Delete(uri string, ids ...int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		w.remove(w.coll(uri), id)
	}
}

func (w *World) remove(c *collection, id int64) {
	if c.items[id] == nil {
		return
	}
	delete(c.items, id)
	i, _ := slices.BinarySearch(c.ids, id)
	c.ids = slices.Delete(c.ids, i, i+1)
	delete(w.posted, itemKey{c.uri, id})
	module := c.uri[:strings.IndexByte(c.uri, '/')+1]
	for link, byParent := range w.links {
		if strings.HasPrefix(link, c.uri+"/") {
			delete(byParent, id)
		}
		if strings.HasPrefix(link, module) && strings.HasSuffix(link, "/"+c.kind) {
			for parent, children := range byParent {
				byParent[parent] = without(children, id)
			}
		}
	}
}

// Move gives an item to another account.
func (w *World) Move(uri string, id, cid int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.coll(uri)
	it := c.items[id]
	if it == nil {
		return fmt.Errorf("cannot move %s/%d: %w", uri, id, errMissing)
	}
	return c.update(it, func(def *Item) { def.CID = cid })
}

// update replaces it by a changed copy.
func (c *collection) update(it *item, change func(*Item)) error {
	changed, err := it.with(change, c.defaults)
	if err != nil {
		return fmt.Errorf("cannot change %s/%d: %w", c.uri, it.id, err)
	}
	c.put(changed)
	return nil
}

// Link joins children to a parent: Link("gw/groups", 12, "devices", 101, 102). Whether they exist
// is not asked.
func (w *World) Link(uri string, parent int64, kind string, children ...int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, child := range children {
		w.link(uri+"/"+kind, parent, child)
	}
}

func (w *World) link(link string, parent, child int64) {
	byParent := w.links[link]
	if byParent == nil {
		byParent = map[int64][]int64{}
		w.links[link] = byParent
	}
	children := byParent[parent]
	if i, ok := slices.BinarySearch(children, child); !ok {
		byParent[parent] = slices.Insert(children, i, child)
	}
}

// Unlink undoes Link; links that are not there are skipped.
func (w *World) Unlink(uri string, parent int64, kind string, children ...int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, child := range children {
		w.unlink(uri+"/"+kind, parent, child)
	}
}

func (w *World) unlink(link string, parent, child int64) {
	if children := w.links[link][parent]; children != nil {
		w.links[link][parent] = without(children, child)
	}
}

// without removes id from an ascending list.
func without(ids []int64, id int64) []int64 {
	if i, ok := slices.BinarySearch(ids, id); ok {
		return slices.Delete(ids, i, i+1)
	}
	return ids
}

// IDs returns the ids of a collection, ascending, over all accounts.
func (w *World) IDs(uri string) []int64 {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if c := w.colls[uri]; c != nil {
		return slices.Clone(c.ids)
	}
	return nil
}

// Collections returns the uris that exist, ascending.
func (w *World) Collections() []string {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return slices.Sorted(maps.Keys(w.colls))
}

// Account returns the cid of an item, or 0 if there is no such item.
func (w *World) Account(uri string, id int64) int64 {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if c := w.colls[uri]; c != nil && c.items[id] != nil {
		return c.items[id].cid
	}
	return 0
}

// scope is the branch that a request sees. It remembers its answers, so a long list asks the tree
// once per account.
type scope struct {
	accounts *collection
	top      int64 // 0: everything
	known    map[int64]bool
}

// maxLevels ends the walk up a tree in which a test has made a cycle.
const maxLevels = 64

func (s *scope) has(cid int64) bool {
	if s.top == 0 || cid == s.top {
		return true
	}
	in, ok := s.known[cid]
	if !ok {
		in = s.walk(cid)
		if s.known == nil {
			s.known = map[int64]bool{}
		}
		s.known[cid] = in
	}
	return in
}

func (s *scope) walk(cid int64) bool {
	for range maxLevels {
		if cid == s.top {
			return true
		}
		account := s.accounts.items[cid]
		if account == nil {
			return false
		}
		cid = account.cid
	}
	return false
}
