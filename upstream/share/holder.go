package share

import "aclgate/policy"

// Kind is what kind of request holds something.
type Kind uint8

// The kinds. The zero Kind is that of requests that nobody outside has caused.
const (
	Own      Kind = iota // the gateway's own readings: no bound
	Caller               // of a caller with a token
	LookUp               // asked for a caller before there is a verdict; may use a half of what is kept for Own
	Stranger             // of a caller without a token
)

// Holder is who holds something. The zero Holder is the gateway itself.
type Holder struct {
	Kind  Kind
	Token int64        // the id of the token, of Caller and LookUp
	CID   int64        // its account
	Tree  *policy.Tree // in which the account is
}

// HolderOf returns the holder for a caller with this token, or without one for nil.
func HolderOf(tok *policy.Token, tree *policy.Tree) Holder {
	if tok == nil {
		return Holder{Kind: Stranger}
	}
	return Holder{Kind: Caller, Token: tok.ID, CID: tok.CID, Tree: tree}
}

// ForLookUp returns the holder of a look-up that is made for h.
func (h Holder) ForLookUp() Holder {
	if h.Kind == Caller {
		h.Kind = LookUp
	}
	return h
}

// Hold is what one request holds. The zero Hold holds nothing and belongs to the gateway; set Holder
// before the first Take. A Hold may be moved, but then its owner has to name it at the new place.
type Hold struct {
	Holder
	amount int64
	node   *node // nil while nobody is counted
}

// Amount returns how much is held.
func (h *Hold) Amount() int64 { return h.amount }

// bound is a bound that a request has met.
type bound uint8

// The bounds. noBound says that there was room, or that there was none for anybody.
const (
	noBound bound = iota
	ofTokens
	ofAccounts
	ofAllStrangers
	ofCallers // what is kept for the gateway's own readings
	boundCount
)

// bounds are the shares of one resource.
type bounds struct {
	all, lookUps, callers     int64 // what may be held in all if the one who takes is the gateway, a look-up, a caller
	token, account, strangers int64
	kept                      int64 // of account: for children below an equal part
}

// smallest is the size from which on something is kept for the gateway's own readings: of less, what
// an account leaves to others would be nothing.
const smallest = 8

// newBounds returns the shares of size. Each is at least least, or all there is: what one request
// alone may need.
func newBounds(size, least int64) bounds {
	atLeast := func(n int64) int64 { return min(size, max(n, least)) }
	reserve := int64(0)
	if size >= smallest {
		reserve = max(1, size/16)
	}
	b := bounds{
		all: size, lookUps: size - (reserve+1)/2, callers: atLeast(size - reserve),
		token: atLeast(size / 2), account: atLeast(size * 3 / 4), strangers: atLeast(size / 8),
	}
	b.kept = b.account / 4
	return b
}
