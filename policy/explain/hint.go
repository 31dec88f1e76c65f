package explain

import (
	"fmt"
	"slices"

	"aclgate/policy"
)

// hint returns one sentence of advice: about the very entry or id where there is one, else the
// general one of the reason.
func (x *explainer) hint() string {
	if x.verdict == policy.Unresolved {
		return x.hintOpen()
	}
	text := ""
	switch x.reason {
	case policy.NoEntry:
		if text = x.hintRoles(); text == "" {
			text = x.hintEntry(x.ownQuestion())
		}
	case policy.LinkNoEntry, policy.LinkMessages:
		text = x.hintLink()
	case policy.FieldHidden:
		text = x.hintFields()
	case policy.MoveNoEntry:
		text = x.hintMove()
	case policy.CreateLimited:
		text = fmt.Sprintf("Add an entry for %s with POST and without ids, or take the ids out of entry %d%s: to create takes an entry without ids.",
			x.dec.Entry.URI, x.dec.Entry.Number, x.at(x.dec.Entry))
	case policy.DeniedItems, policy.Narrowed:
		text = x.hintDenied()
	case policy.UnknownMethod:
		text = fmt.Sprintf("Use one of the methods that the path takes: %s.", x.req.Allow)
	case policy.TokenExpired:
		text = fmt.Sprintf("Set a later expire, or a longer ttl, for token %d%s, or give the caller a new token.", x.in.Token.ID, at(x.place(x.in.Token.Line)))
	case policy.TokenDisabled:
		if u := x.in.Token.User; u != nil {
			return fmt.Sprintf("User %d or realm %d is disabled, or the account is outside the realm's: open it again, if the user should get in.", u.ID, u.RealmID)
		}
		text = fmt.Sprintf("Set enabled: true for token %d%s, if it should work again.", x.in.Token.ID, at(x.place(x.in.Token.Line)))
	}
	if text == "" {
		text = x.reason.Hint()
	}
	return text
}

// hintOpen says how to come to know what is open here.
func (x *explainer) hintOpen() string {
	for i := range x.dec.Selectors {
		if x.dec.Selectors[i].Match {
			return "Explain the request with the items named by id, or add --live: the running gateway is asked then."
		}
	}
	return hintLive
}

const hintLive = "Add --live: the running gateway is asked then, which has the index."

// at returns a place in brackets.
func at(place string) string {
	if place == "" {
		return ""
	}
	return " (" + place + ")"
}

func (x *explainer) at(e *policy.Entry) string { return at(x.place(e.Line)) }

// hintEntry says what to add so that q has an answer. It speaks of the entry of the highest rank:
// once that one permits the method, it decides.
func (x *explainer) hintEntry(q question) string {
	const ifRight = ", if the token is meant to do this."
	nearest := x.nearest(q)
	chosen := x.grant(q).entry
	switch {
	case chosen != nil:
		return fmt.Sprintf("Add an entry for %s with %s and without ids%s Entry %d is about some items, and this path names none.",
			q.collection.EntryURI, q.method, ifRight, chosen.Number)
	case nearest == nil:
		return fmt.Sprintf("No entry is about %s: add one with this uri and methods: [%s]%s%s",
			q.collection.EntryURI, q.method, q.submoduleToo(), ifRight)
	case q.slot == policy.SlotItem || !nearest.HasSubmodules && q.slot != policy.SlotCID:
		return fmt.Sprintf("Add %s to the methods of entry %d%s%s", q.method, nearest.Number, x.at(nearest), ifRight)
	}
	text := fmt.Sprintf("Add {name: %s, methods: [%s]} to the submodules of entry %d%s%s",
		q.submodule(), q.method, nearest.Number, x.at(nearest), ifRight)
	if !nearest.HasSubmodules {
		text += " Then its other submodules have to be named, too."
	}
	return text
}

// hintRoles says what opens a request to a user with roles, who has no entries; "" of anybody else.
// Where the backend keeps accounts apart, a role that reaches less than the branch counts for nothing.
func (x *explainer) hintRoles() string {
	tok := x.in.Token
	if tok == nil || !tok.IsUser || len(tok.Roles) == 0 {
		return ""
	}
	text := "None of the user's roles permits it: give another one (aclgate user edit ID --role), if the user is meant to do this."
	if u := tok.User; u != nil && u.Issuer != "" {
		text += fmt.Sprintf(" Or have claims give it: claims.roles of realm %d.", u.RealmID)
	}
	own := func(r policy.UserRole) bool { return r.Reach == policy.ReachOwn }
	if x.engine.Mode == policy.ModeHeader && slices.ContainsFunc(tok.Roles, own) && x.in.Scope != 0 && x.scope().Accounts > 1 {
		text += fmt.Sprintf(" With scope.mode: header a role of reach own opens nothing in account %s, for accounts lie below it: it takes one of reach branch.", x.accountName(x.in.Scope))
	}
	return text
}

// hintMove says what a move takes: an entry that names the submodule cid, and that is about every
// item which the request goes to.
func (x *explainer) hintMove() string {
	q := question{collection: x.req.Route.Collection, slot: policy.SlotCID, method: policy.PUT}
	if e := x.grant(q).entry; e != nil {
		return fmt.Sprintf("Add the items to the ids of entry %d%s, if the token is meant to move them, and name them by id.",
			e.Number, x.at(e))
	}
	return x.hintEntry(q)
}

// submoduleToo adds what an entry has to name to permit a move.
func (q question) submoduleToo() string {
	if q.slot != policy.SlotCID {
		return ""
	}
	return fmt.Sprintf(" and submodules: [{name: cid, methods: [%s]}]", q.method)
}

// hintLink speaks of the first question about a link that has no answer.
func (x *explainer) hintLink() string {
	for _, q := range x.questions()[1:] {
		switch chosen := x.grant(q).entry; {
		case chosen == nil:
			return x.hintEntry(q)
		case q.collection.Role == policy.RoleDevices && chosen.Limited() && x.linksGroups():
			return fmt.Sprintf("Entry %d%s is about some devices only, and to link a group takes all of them: link the devices instead.",
				chosen.Number, x.at(chosen))
		}
	}
	return ""
}

// hintFields speaks of the first question about fields that has no answer.
func (x *explainer) hintFields() string {
	for i := range x.dec.Selectors {
		for _, q := range x.fieldQuestions(i) {
			if x.grant(q).entry == nil {
				return x.hintEntry(q)
			}
		}
	}
	return ""
}

// linksGroups reports whether a linked selector names groups.
func (x *explainer) linksGroups() bool {
	for i := range x.req.Selectors {
		if x.linked(i) && x.req.Selectors[i].Collection.Role == policy.RoleGroups {
			return true
		}
	}
	return false
}

// hintDenied says for the first denied ids what would let them in.
func (x *explainer) hintDenied() string {
	for i := range x.dec.Selectors {
		denied := x.dec.Selectors[i].Denied
		if len(denied) == 0 {
			continue
		}
		b := x.limitsOf(i)
		if b.nothing != "" {
			return x.hintEntry(question{collection: b.collection, slot: policy.SlotItem, method: policy.GET})
		}
		for _, r := range b.grants {
			missing := without(denied, r.entry)
			switch {
			case r.viaGroup != nil:
				return fmt.Sprintf("Make %s a member of one of the groups of entry %d%s, if the token may touch %s.",
					shortIDs(denied), r.viaGroup.Number, x.at(r.viaGroup), themOrIt(len(denied)))
			case r.entry.Rule == policy.IDsList && len(missing) > 0:
				return fmt.Sprintf("Add %s to the ids of entry %d%s, if the token may touch %s; otherwise the denial is right.",
					shortIDs(missing), r.entry.Number, x.at(r.entry), themOrIt(len(missing)))
			}
		}
	}
	return ""
}

// without returns the ids that an entry does not name.
func without(ids []int64, e *policy.Entry) (missing []int64) {
	for _, id := range ids {
		if !e.IDs.Has(id) {
			missing = append(missing, id)
		}
	}
	return missing
}

func themOrIt(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}
