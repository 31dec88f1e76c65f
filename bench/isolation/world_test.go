package isolation

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"aclgate/bench/backend"
)

// The collections of a world.
const (
	devices   = "gw/devices"
	groups    = "gw/groups"
	calcs     = "gw/calcs"
	channels  = "gw/channels"
	streams   = "gw/streams"
	geofences = "gw/geofences"
)

// Collections returns the uris of a world, in the order of its generation.
func Collections() []string { return []string{devices, groups, calcs, channels, streams, geofences} }

// shares says how many of 100 items are of each collection.
var shares = map[string]int{devices: 50, groups: 6, calcs: 6, channels: 14, streams: 6, geofences: 18}

// Size says how large a world is.
type Size struct{ Accounts, Items, Tokens int }

// Item is what the oracle knows of one item: its account, and a field to match.
type Item struct{ CID, Color int64 }

// Link names links by the collection of the parent and that of the child.
type Link struct{ Parent, Child string }

// Links returns every kind of link of a world.
func Links() []Link {
	return []Link{
		{groups, devices}, {groups, geofences}, {calcs, devices}, {calcs, groups}, {calcs, geofences},
		{streams, devices}, {streams, channels}, {streams, groups}, {devices, geofences},
	}
}

// World is everything there is. It is changed by one goroutine only.
type World struct {
	Parents map[int64]int64 // account → the one above it, 0 for roots
	Items   map[string]map[int64]*Item
	Links   map[Link]map[int64]map[int64]bool
	Tokens  []*Token
	Mode    string

	accounts []int64                   // ascending: parents come before their children
	gone     map[string]map[int64]bool // what was there once
	sorted   map[string][]int64
	memo     memo
	rng      *rand.Rand
}

const (
	firstID = 100_000 // all ids have six digits: answers differ in nothing but the digits
	colors  = 5
	// nobody is an account that the policy does not know; items of it are foreign to all.
	nobody = 999_999
)

// NewWorld makes a world of that size; the same seed makes the same world.
func NewWorld(size Size, seed uint64) *World {
	w := &World{
		Parents: map[int64]int64{}, Items: map[string]map[int64]*Item{}, Links: map[Link]map[int64]map[int64]bool{},
		gone: map[string]map[int64]bool{}, sorted: map[string][]int64{}, rng: rand.New(rand.NewPCG(seed, 1)),
	}
	w.Changed()
	w.makeAccounts(size.Accounts)
	for _, uri := range Collections() {
		w.makeItems(uri, size.Items*shares[uri]/100)
	}
	for _, l := range Links() {
		w.makeLinks(l)
	}
	for i := range size.Tokens {
		w.Tokens = append(w.Tokens, w.makeToken(int64(i+1)))
	}
	return w
}

// makeAccounts makes four levels: each is about five times as wide as the one above it.
func (w *World) makeAccounts(n int) {
	ends := []int{max(2, n/100), n / 20, n / 4, n}
	above, id := []int64{0}, int64(0)
	for _, end := range ends {
		var level []int64
		for int(id) < end {
			id++
			w.Parents[id] = above[w.rng.IntN(len(above))]
			level = append(level, id)
			w.accounts = append(w.accounts, id)
		}
		if len(level) > 0 {
			above = level
		}
	}
}

// makeItems leaves gaps between the ids: those in the gaps are missing.
func (w *World) makeItems(uri string, n int) {
	all := make(map[int64]*Item, n)
	id := int64(firstID)
	for range n {
		id += 1 + w.rng.Int64N(3)
		cid := w.accounts[w.rng.IntN(len(w.accounts))]
		if w.rng.IntN(200) == 0 {
			cid = nobody
		}
		all[id] = &Item{cid, w.rng.Int64N(colors)}
	}
	w.Items[uri] = all
	w.sorted[uri] = slices.Sorted(maps.Keys(all))
}

// makeLinks joins items, mostly within an account; some reach across, as an operator's mistake
// would.
func (w *World) makeLinks(l Link) {
	byParent := map[int64]map[int64]bool{}
	for _, p := range w.sorted[l.Parent] {
		for range w.rng.IntN(4) {
			if byParent[p] == nil {
				byParent[p] = map[int64]bool{}
			}
			byParent[p][w.pick(l.Child, w.Items[l.Parent][p].CID)] = true
		}
	}
	w.Links[l] = byParent
}

// pick returns an item of an account's branch nine times out of ten, if it has any; else any item.
func (w *World) pick(uri string, cid int64) int64 {
	all := w.sorted[uri]
	for range 40 {
		id := all[w.rng.IntN(len(all))]
		if w.rng.IntN(10) == 0 || w.Below(cid, w.Items[uri][id].CID) {
			return id
		}
	}
	return all[w.rng.IntN(len(all))]
}

// Below reports whether an account is in the branch of top.
func (w *World) Below(top, cid int64) bool {
	for cid != 0 {
		if cid == top {
			return true
		}
		cid = w.Parents[cid]
	}
	return false
}

// root returns the account at the top of one's tree; 0 for those that are in none.
func (w *World) root(cid int64) int64 {
	for w.Parents[cid] != 0 {
		cid = w.Parents[cid]
	}
	if _, known := w.Parents[cid]; !known {
		return 0
	}
	return cid
}

// IDs returns the ids of a collection, ascending. They are shared.
func (w *World) IDs(uri string) []int64 { return w.sorted[uri] }

// Add notes an item that was made.
func (w *World) Add(uri string, id int64, it Item) {
	w.Changed()
	w.Items[uri][id] = &it
	w.sorted[uri] = append(w.sorted[uri], id) // the backend counts upwards
}

// Remove notes an item that is gone, with its links.
func (w *World) Remove(uri string, id int64) {
	w.Changed()
	delete(w.Items[uri], id)
	if w.gone[uri] == nil {
		w.gone[uri] = map[int64]bool{}
	}
	w.gone[uri][id] = true
	i, _ := slices.BinarySearch(w.sorted[uri], id)
	w.sorted[uri] = slices.Delete(w.sorted[uri], i, i+1)
	for l, byParent := range w.Links {
		if l.Parent == uri {
			delete(byParent, id)
		}
		if l.Child == uri {
			for _, children := range byParent {
				delete(children, id)
			}
		}
	}
}

// Backend returns the same world for a fake backend.
func (w *World) Backend() (*backend.World, error) {
	var accounts []backend.Account
	for _, id := range w.accounts {
		accounts = append(accounts, backend.Account{ID: id, Parent: w.Parents[id], Name: fmt.Sprintf("account %d", id)})
	}
	b := backend.NewWorld(accounts...)
	for uri, ids := range w.sorted {
		for _, id := range ids {
			it := w.Items[uri][id]
			def := backend.Item{ID: id, CID: it.CID, Fields: backend.Fields{"color": it.Color}}
			if uri == devices {
				def.Telemetry = backend.Fields{"color": backend.Fields{"ts": 1, "value": it.Color}}
			}
			if err := b.Add(uri, def); err != nil {
				return nil, err
			}
		}
	}
	for l, byParent := range w.Links {
		for parent, children := range byParent {
			b.Link(l.Parent, parent, l.Child[len("gw/"):], slices.Collect(maps.Keys(children))...)
		}
	}
	return b, nil
}
