package policy

import "net/netip"

// Input is one request with everything that a decision may depend on. Whoever evaluates it fills in
// all but Scope.
type Input struct {
	Request  *Request
	Token    *Token     // nil: no token has the key
	At       int64      // unix seconds
	Source   netip.Addr // of the client
	Origin   []byte     // of the page that asks; nil: none
	AskedCID int64      // of x-flespi-cid or ?cid=; 0: neither
	Tree     *Tree
	Grants   *Grants   // nil: nobody has granted anything
	Blocks   Blocks    // nil: no account is blocked
	Items    Items     // nil in header mode, unless groups have to be known
	Resolved *Resolved // nil: the backend was not asked yet
	Body     []Keys    // of each element of the body; nil: none, or not read

	DataFields DataFields // what Request.Data says of fields; of acl tokens alone

	Scope int64 // the account whose branch the request may touch; Engine.Scope finds it

	paths accessPaths // beside the branch of Scope, or instead of it; Engine.Scope finds them
}

// Items knows the account of each item: one snapshot for one request. Implementations are in
// upstream.
type Items interface {
	// Account returns the account of an item of c, and whether it is known.
	Account(c *Collection, id int64) (cid int64, known bool)
	// Of returns the ids of the items of c in the branch of cid, ascending. It must not be changed.
	Of(c *Collection, cid int64) []int64
	// Doubtful returns the ids of the items of c that the branch of cid may have, ascending, and that
	// have to be looked up before it is known: a write has left open what became of them. There
	// seldom are any. Account and Of do not know them.
	Doubtful(c *Collection, cid int64) []int64
	// Members returns the ids of the items of c that belong to a group of groups, ascending. It
	// must not be changed.
	Members(c *Collection, groups []int64) []int64
}

// inScope reports whether an item is known to be in the scope.
func (in *Input) inScope(col *Collection, id int64) bool {
	cid, known := in.Items.Account(col, id)
	return known && in.Tree.Contains(in.Scope, cid)
}

// Resolved is what had to be asked of the backend before a request could be judged. The zero value
// knows nothing.
type Resolved struct {
	Matches  []ResolvedMatch // by position of the selector
	LookedUp bool            // unknown ids were looked up: what Items does not know is not there
}

// ResolvedMatch holds the ids that a match named, ascending.
type ResolvedMatch struct {
	Selector int
	IDs      []int64
	Refused  bool // the backend refused the match; there are no ids
	Partial  bool // it was asked about what was permitted then, and nothing else
}

// match returns what was found out about the match of a selector, or nil.
func (r *Resolved) match(selector int) *ResolvedMatch {
	if r == nil {
		return nil
	}
	for i := range r.Matches {
		if m := &r.Matches[i]; m.Selector == selector {
			return m
		}
	}
	return nil
}

// Keys are the judged keys of one element of a body, read by proxy/body. 0 means that the key is
// not there: no id is 0.
type Keys struct {
	ID  int64
	CID int64
}

// NoteUse notes a use of the token by a request for which Authenticate gave this reason, or none: a
// token that is not valid is not used.
func (in *Input) NoteUse(reason Reason) {
	if reason.Answer().Class != ClassUnauthorized {
		in.Token.Touch(in.At)
	}
}
