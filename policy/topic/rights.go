package topic

import (
	"slices"

	"aclgate/policy"
)

// reach is how far a right goes: everything, or some ids.
type reach struct {
	all    bool
	ids    []int64 // ascending
	branch bool    // no entry limits it: ids are all that the scope holds
}

func (r *reach) has(id int64) bool { return r.all || has(r.ids, id) }

// right is what a permit says of one part: which items, and which linked ones.
type right struct {
	reason policy.Reason // NotJudged: an entry fits; else why none does
	items  reach
	linked reach
	entry  int // number of the entry that decides, 0: none is asked
}

// right returns what the token may see of a part, as the GET with "all" would be answered. It is
// asked once a part for one SUBSCRIBE.
func (n *narrowing) right(p *part) *right {
	if r := n.rights[p.number]; r != nil {
		return r
	}
	r := n.j.rightOn(p, n.alone)
	n.rights[p.number] = r
	return r
}

func (j *Judge) rightOn(p *part, alone int64) *right {
	j.ask(p.route)
	j.req.Selectors = append(j.req.Selectors, policy.Selector{Kind: policy.SelectAll, Collection: p.route.Collection})
	if p.linked != nil {
		j.req.Selectors = append(j.req.Selectors, policy.Selector{Kind: policy.SelectAll, Collection: p.linked})
	}
	e := j.permit.law.Engine
	e.Decide(&j.d, &j.Input)
	if len(j.d.Selectors) != len(j.req.Selectors) || j.d.Verdict == policy.Deny && j.d.Reason != policy.NothingLeft {
		return &right{reason: j.d.Reason}
	}
	r := &right{}
	if j.d.Entry != nil {
		r.entry = j.d.Entry.Number
	}
	for i, to := range []*reach{&r.items, &r.linked} {
		if i == len(j.d.Selectors) {
			to.all, to.branch = true, true
			break
		}
		s := &j.d.Selectors[i]
		to.all, to.branch = s.As == policy.AsAsked, s.As == policy.AsAsked || s.Whole
		if to.all {
			continue
		}
		to.ids = s.IDs
		// A message is of the account of its item; one that is linked may be of any in the scope.
		if col := j.req.Selectors[i].Collection; i == 0 && alone != 0 && e.Mode.Index() && col.Scoped {
			to.ids = slices.DeleteFunc(slices.Clone(to.ids), func(id int64) bool {
				cid, _ := j.Items.Account(col, id)
				return cid != alone
			})
		}
	}
	return r
}

// modules reports whether the token may see all of a module without ids, and if not, why. Below
// platform some of it stays closed at delivery, to everybody alike.
func (j *Judge) modules(name string) policy.Reason {
	e := j.permit.law.Engine
	switch {
	case name == mqttModule && (j.Token.Access == policy.ACLAccess || !e.Mode.Unindexed()):
		return policy.ClosedMQTT
	case name == platformModule && j.Token.Access != policy.Master:
		return policy.ClosedPlatform
	}
	return policy.NotJudged
}

// modulesWhole reports whether nothing but the module bounds what modules grants: where there is an
// index, each item is judged by it at delivery.
func (j *Judge) modulesWhole() bool { return !j.permit.law.Engine.Mode.Index() }
