package cases

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"aclgate/policy"
)

// World is the policy under test.
type World struct {
	Engine *policy.Engine
	Tree   *policy.Tree
	Grants *policy.Grants // nil: there are none
	// Token returns a token by its id, and a session of a user by the negative of the user's; nil: there is
	// none.
	Token func(id int64) *policy.Token
	File  string // name of the policy file, for places
}

// Suite is one test file.
type Suite struct {
	File     string
	Name     string
	Now      int64 // unix seconds
	Items    []Item
	Cases    []Case
	Matrices []Matrix
}

// Item is one that exists at the backend.
type Item struct {
	Collection string
	ID, CID    int64
	Groups     []int64 // that it is a member of
}

// Case is one request with what is expected of it.
type Case struct {
	Line    int // in the test file
	Name    string
	As      string // what the file calls the token
	Token   int64
	Request string // "GET /gw/devices/7"; of an action on a topic, "subscribe a/#"
	Action  string // "": it is a request; else what is done with Topic
	Topic   string // or filter
	CID     int64  // of x-flespi-cid, or of the user property; 0: none
	Source  netip.Addr
	Origin  string
	Body    []policy.Keys
	Match   []int64 // ids that the match at the first selector names; nil: no match
	Want    Want
}

// Want is what is expected. What is not said is not compared.
type Want struct {
	Verdict string
	Reason  string
	Status  int    // 0: not said; the backend's own answer counts as 200
	Backend string // method and target that the backend gets
	Entry   int    // number of the entry that decides
	Denied  []int64
	Printed []string // of a subscribe: what the broker is asked for
}

// Matrix expects of every token, request and id that it passes exactly if some Allow names it.
type Matrix struct {
	Line     int
	Requests []string // with {id} in the place of the id
	IDs      []int64
	Allow    []Allow
}

// Allow names what one token may do.
type Allow struct {
	As       string
	Token    int64
	Requests []string // nil: each of the matrix
	All      bool
	IDs      []int64
}

// hole is the place of the ids of a matrix in its requests.
const hole = "{id}"

// cases returns the matrix as single cases.
func (m *Matrix) cases() (all []Case) {
	var tokens []Allow
	for _, a := range m.Allow {
		if !slices.ContainsFunc(tokens, func(b Allow) bool { return b.Token == a.Token }) {
			tokens = append(tokens, a)
		}
	}
	for _, tok := range tokens {
		for _, request := range m.Requests {
			for _, id := range m.IDs {
				verdict := policy.Deny.String()
				if m.allows(tok.Token, request, id) {
					verdict = policy.Allow.String()
				}
				all = append(all, Case{
					Line: m.Line, Name: "matrix", As: tok.As, Token: tok.Token,
					Request: strings.ReplaceAll(request, hole, fmt.Sprint(id)), Want: Want{Verdict: verdict},
				})
			}
		}
	}
	return all
}

func (m *Matrix) allows(token int64, request string, id int64) bool {
	return slices.ContainsFunc(m.Allow, func(a Allow) bool {
		return a.Token == token && (a.Requests == nil || slices.Contains(a.Requests, request)) &&
			(a.All || slices.Contains(a.IDs, id))
	})
}

// index is the items of a suite in the place of the gateway's index.
type index struct {
	tree  *policy.Tree
	items []Item
}

// Account implements policy.Items.
func (x *index) Account(c *policy.Collection, id int64) (int64, bool) {
	for _, i := range x.items {
		if i.ID == id && i.Collection == c.URI {
			return i.CID, true
		}
	}
	return 0, false
}

// Of implements policy.Items.
func (x *index) Of(c *policy.Collection, cid int64) (ids []int64) {
	for _, i := range x.items {
		if i.Collection == c.URI && x.tree.Contains(cid, i.CID) {
			ids = append(ids, i.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// Doubtful implements policy.Items: no write has left anything open.
func (x *index) Doubtful(*policy.Collection, int64) []int64 { return nil }

// Members implements policy.Items.
func (x *index) Members(c *policy.Collection, groups []int64) (ids []int64) {
	for _, i := range x.items {
		if i.Collection == c.URI && slices.ContainsFunc(i.Groups, func(g int64) bool { return slices.Contains(groups, g) }) {
			ids = append(ids, i.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
