package policy_test

import (
	"slices"
	"strconv"
	"strings"
)

// world is everything that a decision depends on, as plain data: what the table cases and the
// fuzzer describe, and what both the oracle and the engine are given. Methods, access types and
// modes are the words of the SPEC.
type world struct {
	parent   map[int64]int64 // account → the one above it, 0 for a root
	order    []int64         // the accounts in the order they were named
	tokens   map[string]*worldToken
	settings worldSettings
	index    map[string]map[int64]int64   // collection → id → account: what the index knows
	unlisted map[string]map[int64]int64   // the same for items that only a look-up finds
	doubts   map[string][]int64           // of unlisted: those that a write has left in doubt
	members  map[string]map[int64][]int64 // collection → group → its members
	grants   []worldGrant
	blocked  map[int64]bool
	matches  map[string][]int64 // "collection selector" → what the backend resolves it to
	refused  map[string]bool    // likewise: the backend refuses it
}

type worldToken struct {
	access  string // master, standard, acl, noapi
	cid     int64
	entries []worldEntry
}

type worldEntry struct {
	uri     string
	methods []string
	rule    string // "", all, list, in-groups
	ids     []int64
	named   bool // submodules were given, even if none
	subs    []worldSub
}

type worldSub struct {
	name    string
	methods []string
}

type worldSettings struct {
	mode         string // header, ids, both
	query        []string
	maxIDs       int
	denyMatch    bool
	strictLinks  bool
	masterRoutes bool
	forwardKeys  bool
	callersKey   bool
	unenforced   bool
}

// ask is one request as it arrives: raw target text, not yet read by anybody.
type ask struct {
	token  string
	cid    int64 // of x-flespi-cid, 0: not sent
	method string
	target string
}

func (a ask) String() string {
	if a.cid != 0 {
		return a.token + " cid=" + strconv.FormatInt(a.cid, 10) + " " + a.method + " " + a.target
	}
	return a.token + " " + a.method + " " + a.target
}

func newWorld() *world {
	return &world{
		parent: map[int64]int64{}, tokens: map[string]*worldToken{}, settings: worldSettings{mode: "header"},
		index: map[string]map[int64]int64{}, unlisted: map[string]map[int64]int64{},
		members: map[string]map[int64][]int64{}, matches: map[string][]int64{}, refused: map[string]bool{}, doubts: map[string][]int64{},
		blocked: map[int64]bool{},
	}
}

func (w *world) addAccount(id, parent int64) {
	w.parent[id] = parent
	w.order = append(w.order, id)
}

// inBranch climbs from cid to its root and reports whether top stands on the way.
func (w *world) inBranch(top, cid int64) bool {
	for cid != 0 {
		above, known := w.parent[cid]
		if !known {
			return false
		}
		if cid == top {
			return true
		}
		cid = above
	}
	return false
}

func place(m map[string]map[int64]int64, collection string, id, cid int64) {
	if m[collection] == nil {
		m[collection] = map[int64]int64{}
	}
	m[collection][id] = cid
}

func sortedCopy(ids []int64) []int64 {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

func joinIDs(ids []int64) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(words, ",")
}
