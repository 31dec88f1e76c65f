package admin

import (
	"strconv"

	"aclgate/policy/record"
)

// SeesLimit reports whether a limit is in scope: the account that made it is.
func (l *Law) SeesLimit(limit *Limit) bool { return l.InScope(limit.CID) }

// NewLimit judges the limit that a POST asks for, and returns its document with its account.
func (l *Law) NewLimit(asked record.Value) (record.Value, *record.Fault) {
	cid, fault := l.ChangeCustomer()
	if fault != nil {
		return record.Value{}, fault
	}
	return asked.With("cid", record.NewInt(cid)), l.room("limits", cid, 1)
}

// ChangeLimit judges a change. Whoever sees a limit lies at or above the account that made it, and
// so strictly above all that bear it: nobody raises their own.
func (l *Law) ChangeLimit(before, after record.Value) *record.Fault {
	was, is := LimitOf(before), LimitOf(after)
	switch {
	case !l.SeesLimit(&was):
		return record.DeniedRecord("limits", was.ID)
	case was.ID != is.ID || was.CID != is.CID:
		return &record.Fault{Class: record.BadField, Path: "cid", Text: "the account of a limit never changes"}
	}
	return nil
}

// DeleteLimit judges a deletion. One that an account bears stays: without it the account would be
// bounded by nothing of its own.
func (l *Law) DeleteLimit(before record.Value) *record.Fault {
	was := LimitOf(before)
	if !l.SeesLimit(&was) {
		return record.DeniedRecord("limits", was.ID)
	}
	if cid, found := l.World.Bearer(was.ID); found {
		bears := "an account"
		if l.InScope(cid) {
			bears = "account " + strconv.FormatInt(cid, 10)
		}
		return inTheWay("limit " + strconv.FormatInt(was.ID, 10) + " bounds " + bears)
	}
	return nil
}

// Warnings returns what a limit says and nobody here enforces, for the answer's warnings (SPEC 12).
func Warnings(doc record.Value) []string {
	var all []string
	for _, b := range record.Bounds() {
		if b.Counted == record.Stored && doc.Get(b.Name).Shape != record.Absent && record.NumberOf(doc, b.Name) >= 0 {
			all = append(all, b.Name+" is not enforced here")
		}
	}
	return all
}

// boundOf returns what the limit of one account says, -1 for no bound.
func (l *Law) boundOf(a *Account, bound int) int64 {
	if a.LimitID == 0 {
		return -1
	}
	limit, found := l.World.Limit(a.LimitID)
	if !found {
		return -1
	}
	return limit.Bounds[bound]
}

// Effective returns the bounds that hold for an account, in the order of record.Bounds: the smallest
// up the tree, -1 where there is none.
func (l *Law) Effective(cid int64) []int64 {
	bounds := make([]int64, len(record.Bounds()))
	for i := range bounds {
		bounds[i] = -1
	}
	l.ancestors(cid, func(a Account) bool {
		for i := range bounds {
			if n := l.boundOf(&a, i); n >= 0 && (bounds[i] < 0 || n < bounds[i]) {
				bounds[i] = n
			}
		}
		return true
	})
	return bounds
}

// room judges whether n more records of a kind fit below cid. Every account up to the root is asked:
// a child may have a larger number than its parent; together they fill the parent's.
func (l *Law) room(word string, cid, n int64) *record.Fault {
	name := word + "_count"
	bound, found := record.BoundNumber(name)
	if !found {
		return nil
	}
	return l.Room(bound, cid, n, func(cid int64) int64 { return l.World.InBranch(word, cid) })
}

// Room judges whether n more of what a bound counts fit below cid, where used says how many there
// are in the branch of an account. Of an account out of scope neither id nor number is said.
func (l *Law) Room(bound int, cid, n int64, used func(cid int64) int64) (fault *record.Fault) {
	l.ancestors(cid, func(a Account) bool {
		most := l.boundOf(&a, bound)
		if most < 0 || used(a.ID) <= most-n {
			return true
		}
		text := "limit " + record.Bounds()[bound].Name + " of account " + strconv.FormatInt(a.ID, 10) +
			" is reached (" + strconv.FormatInt(most, 10) + ")"
		if !l.InScope(a.ID) {
			text = "limit " + record.Bounds()[bound].Name + " of an account above is reached"
		}
		fault = &record.Fault{Class: record.LimitReached, Text: text}
		return false
	})
	return fault
}

// The states of an account (SPEC 12).
const (
	NotBlocked     = 0
	BlockedByLimit = 1
	BlockedByHand  = 2
)

// State returns whether an account is blocked without end, by itself or by one above it: by hand,
// enabled is false; by a limit of all zeros. By hand counts more. Blocks that end are the counters'.
func (l *Law) State(cid int64) int {
	state := NotBlocked
	found := false
	l.ancestors(cid, func(a Account) bool {
		found = true
		if a.Disabled {
			state = BlockedByHand
		} else if state == NotBlocked && l.zero(&a) {
			state = BlockedByLimit
		}
		return true
	})
	if !found {
		return BlockedByHand
	}
	return state
}

// zero reports whether the limit of an account is one of all zeros, the vendor's way to block it.
func (l *Law) zero(a *Account) bool {
	if a.LimitID == 0 {
		return false
	}
	limit, found := l.World.Limit(a.LimitID)
	if !found {
		return false
	}
	for _, n := range limit.Bounds {
		if n != 0 {
			return false
		}
	}
	return true
}

// NotBlocked judges whether the caller's own account is blocked. A master above is not blocked by a
// block of an account below, and may act in its branch. The answer names the caller's account, never
// the one above that is blocked in truth.
func (l *Law) NotBlocked() *record.Fault {
	if l.Caller.Operator || l.State(l.Caller.Token.CID) == NotBlocked {
		return nil
	}
	return &record.Fault{Class: record.Blocked, Text: "account " + strconv.FormatInt(l.Caller.Token.CID, 10) + " is blocked"}
}
