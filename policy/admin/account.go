package admin

import (
	"strconv"

	"aclgate/policy/record"
)

// SeesAccount reports whether a subaccount is in scope: it lies strictly below the acting account.
func (l *Law) SeesAccount(id int64) bool { return l.Below(id) }

// NewAccount judges the account that a POST asks for, and returns its document with its parent. The
// operator who acts for no account makes a root. The id is the caller's.
func (l *Law) NewAccount(asked record.Value) (record.Value, *record.Fault) {
	parent := l.Caller.Scope
	doc := asked.With("created", record.NewInt(l.Now))
	if parent != 0 {
		if !l.InScope(parent) {
			return record.Value{}, record.DeniedRecord("accounts", parent)
		}
		doc = doc.With("parent", record.NewInt(parent))
	}
	if l.Settings.MaxDepth > 0 && l.depth(parent) >= l.Settings.MaxDepth {
		return record.Value{}, &record.Fault{Class: record.BadField, Text: "accounts have at most " +
			strconv.Itoa(l.Settings.MaxDepth) + " levels"}
	}
	is := AccountOf(doc)
	if fault := l.names(&is); fault != nil {
		return record.Value{}, fault
	}
	if parent == 0 {
		return doc, nil
	}
	return doc, l.room("subaccounts", parent, 1)
}

// ChangeAccount judges a change of a subaccount. asked is what the request names of it: an account
// may bear a limit that the caller does not see, and a guess of it must be told from no other.
func (l *Law) ChangeAccount(before, asked, after record.Value) *record.Fault {
	was, is := AccountOf(before), AccountOf(after)
	switch {
	case !l.SeesAccount(was.ID):
		return record.DeniedRecord("subaccounts", was.ID)
	case was.ID != is.ID || was.Parent != is.Parent:
		return &record.Fault{Class: record.BadField, Path: "cid", Text: "the account above never changes"}
	}
	named := Account{ID: is.ID, Parent: is.Parent, LimitID: record.NumberOf(asked, "limit_id"), Consultancy: record.NumberOf(asked, "consultancy_account_id")}
	return l.names(&named)
}

// names judges the records that a request names for an account.
func (l *Law) names(is *Account) *record.Fault {
	if is.LimitID != 0 {
		limit, found := l.World.Limit(is.LimitID)
		switch {
		case !found || !l.SeesLimit(&limit):
			return record.DeniedRecord("limits", is.LimitID)
		case is.Parent == 0 || !l.Within(limit.CID, is.Parent):
			// Of the account itself, of one below or beside it: its bearer could write it.
			return &record.Fault{Class: record.BadField, Path: "limit_id", Text: "expected a limit that an account above made"}
		}
	}
	if is.Consultancy != 0 {
		switch {
		case l.Caller.Roles != nil && !l.everywhere():
			// Its consultants would read there what no role of the caller may read.
			return stronger("consultancy_account_id", "only a master lets another account consult")
		case !l.InScope(is.Consultancy):
			return record.DeniedRecord("accounts", is.Consultancy)
		case is.Consultancy == is.ID:
			return &record.Fault{Class: record.BadField, Path: "consultancy_account_id", Text: "expected another account than itself"}
		}
		return l.lasts()
	}
	return nil
}

// DeleteAccount judges a deletion. release says that items may be left to the roots.
func (l *Law) DeleteAccount(id int64, release bool) *record.Fault {
	switch {
	case !l.SeesAccount(id):
		return record.DeniedRecord("subaccounts", id)
	case l.World.HasChildren(id):
		return inTheWay("account " + strconv.FormatInt(id, 10) + " has accounts below it: delete them first")
	case !release && l.World.ItemsOf(id) > 0:
		return inTheWay("account " + strconv.FormatInt(id, 10) + " has items: move them, or delete it with items=release")
	}
	return nil
}

// ChangeCustomer judges a change of the acting account by itself: what the field table lets pass
// bounds nothing. It returns which account that is.
func (l *Law) ChangeCustomer() (int64, *record.Fault) {
	cid, fault := l.acting()
	if fault == nil && !l.InScope(cid) {
		fault = record.DeniedRecord("accounts", cid)
	}
	return cid, fault
}

func inTheWay(text string) *record.Fault { return &record.Fault{Class: record.InTheWay, Text: text} }
