package explain

import (
	"slices"

	"aclgate/policy"
)

// acl reports whether the engine asks the entries of the token at all.
func (x *explainer) acl() bool { return x.in.Token.Access == policy.ACLAccess && !x.engine.Unenforced }

// questions returns what the engine asked the ACL about this request, in order. A step that was not
// reached has asked nothing.
func (x *explainer) questions() (qs []question) {
	r := x.req.Route
	open := r != nil && r.Collection.OpenTo(x.req.Method)
	if x.in.Scope == 0 || r == nil || open || !x.acl() || x.in.Token.IsUser || x.endedAtRoute() { // each role has entries of its own
		return nil
	}
	qs = append(qs, x.ownQuestion())
	for i := range x.dec.Selectors {
		if x.linked(i) {
			qs = append(qs, x.linkQuestions(x.req.Selectors[i].Collection)...)
		}
		qs = append(qs, x.fieldQuestions(i)...)
	}
	if x.reason == policy.MoveNoEntry {
		qs = append(qs, question{collection: r.Collection, slot: policy.SlotCID, method: policy.PUT})
	}
	return distinct(qs)
}

func distinct(qs []question) (once []question) {
	for _, q := range qs {
		if !slices.Contains(once, q) {
			once = append(once, q)
		}
	}
	return once
}

// ownQuestion is about what the request addresses.
func (x *explainer) ownQuestion() question {
	r := x.req.Route
	return question{r.Collection, r.Slot, x.req.Method, r.Creates && x.req.Method == policy.POST}
}

// fieldQuestions are about the submodules that the request reaches into by fields of the items that
// selector i names (SPEC 2, A field is data).
func (x *explainer) fieldQuestions(i int) (qs []question) {
	fields := x.dec.Selectors[i].Fields
	if fields == 0 {
		return nil
	}
	c := x.req.Selectors[i].Collection
	for slot := range c.Submodules {
		if slot == policy.SlotItem || fields.Has(slot) {
			qs = append(qs, question{collection: c, slot: slot, method: policy.GET})
		}
	}
	return qs
}

// linkQuestions are about what a later selector names: its items, and their messages where the link
// carries those out (SPEC 4.3).
func (x *explainer) linkQuestions(c *policy.Collection) []question {
	qs := []question{{collection: c, slot: policy.SlotItem, method: policy.GET}}
	carries := x.req.Method.Write() && x.req.Method != policy.DELETE && x.req.Route.CarriesMessages()
	if !carries || x.reason == policy.LinkNoEntry {
		return qs
	}
	if c.Role != policy.RoleGroups {
		return append(qs, question{collection: c, slot: policy.SlotMessages, method: policy.GET})
	}
	// Nobody knows a group's members to come: every device has to be permitted.
	if devices := x.engine.Catalogue.WithRole(policy.RoleDevices); devices != nil {
		qs = append(qs, question{collection: devices, slot: policy.SlotItem, method: policy.GET},
			question{collection: devices, slot: policy.SlotMessages, method: policy.GET})
	}
	return qs
}

// linked reports whether selector i names items of another collection, by ids that are judged.
func (x *explainer) linked(i int) bool {
	s := &x.req.Selectors[i]
	own := i == 0 && x.req.Route.Item
	return s.ByID() && !own && !s.Collection.OpenTo(x.req.Method)
}

// endedAtRoute reports whether the request ended before any entry was asked.
func (x *explainer) endedAtRoute() bool {
	switch x.reason {
	case policy.UnknownRoute, policy.UnknownMethod, policy.MasterRoute, policy.PublicRoute, policy.OwnAnswer, policy.ManagedRecord, policy.TokenNoAPI,
		policy.ClosedCredential, policy.ClosedKeys, policy.ClosedPlatform, policy.ClosedMQTT,
		policy.ClosedTopic, policy.ClosedScope:
		return true
	}
	return false
}

func (x *explainer) choices() {
	for _, q := range x.questions() {
		x.Choices = append(x.Choices, x.choice(q))
		if c, asked := x.groupChoice(q); asked {
			x.Choices = append(x.Choices, c)
		}
	}
}

// nearest returns the entry that would come first if it permitted what q asks: what a hint speaks
// of. Nil when none covers the collection.
func (x *explainer) nearest(q question) *policy.Entry {
	covering, _ := q.ranked(x.in.Token.ACL.Entries())
	if len(covering) == 0 {
		return nil
	}
	return covering[0]
}
