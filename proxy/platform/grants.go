package platform

import (
	"slices"
	"strconv"
	"strings"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

var grants = collection{
	table: store.Grants,
	sees:  (*admin.Law).SeesGrant,
	make: func(x *call, asked record.Value) (record.Value, error) {
		doc, fault := x.law.NewGrant(asked)
		return doc, faultOf(fault)
	},
	judge:  func(x *call, before, _, after record.Value) *record.Fault { return x.law.ChangeGrant(before, after) },
	remove: func(x *call, doc record.Value) error { return faultOf(x.law.DeleteGrant(doc)) },
}

// linksOf returns the accounts that a grant is for, ascending.
func (w *world) linksOf(grant int64) (cids []int64) {
	doc, err := w.r.Doc(store.GrantLinks, grant)
	if err != nil {
		w.failed(err)
		return nil
	}
	return readLinks(doc)
}

// readLinks reads a row of links; what does not read is no link.
func readLinks(doc []byte) (cids []int64) {
	list, _ := record.Parse(doc)
	for _, v := range list.Items {
		if cid, ok := v.ID(); ok {
			cids = append(cids, cid)
		}
	}
	return cids
}

// pickGrants returns the grants that the first selector names, of those that sees says yes to.
func (x *call) pickGrants(sees func(id int64, doc record.Value) bool, word string) (found []document, fault *record.Fault) {
	s := &x.Request.Selectors[0]
	ids, all := s.IDs, s.Kind == policy.SelectAll
	if s.Kind == policy.SelectLocal { // of grantors: the catalogue knows no ids there
		ids, all = readIDs(string(s.Text))
	}
	if s.Match() || len(ids) == 0 && !all {
		return nil, &record.Fault{Class: record.BadField, Text: "name grants by id or all"}
	}
	if !all {
		for _, id := range ids {
			doc := x.view.read(store.Grants, id)
			if doc.Shape == record.Absent || !sees(id, doc) {
				x.denied = append(x.denied, record.DeniedRecord(word, id))
				continue
			}
			found = append(found, document{id, doc})
		}
		return found, nil
	}
	x.view.failed(x.view.r.Each(store.Grants, func(row store.Row) error {
		found = append(found, document{id: row.ID, doc: x.view.parse(row)})
		return nil
	}))
	return slices.DeleteFunc(found, func(d document) bool { return d.doc.Shape == record.Absent || !sees(d.id, d.doc) }), nil
}

// readIDs reads "all", or a list of ids; neither is none.
func readIDs(text string) (ids []int64, all bool) {
	if text == "all" {
		return nil, true
	}
	for part := range strings.SplitSeq(text, ",") {
		id, ok := policy.ParseID([]byte(part))
		if !ok {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, false
}

// links serves whom grants are for: grants and accounts are named by the path (SPEC 10.7).
func (x *call) links() error {
	found, fault := x.pickGrants(func(_ int64, doc record.Value) bool { return x.law.SeesGrant(doc) }, "grants")
	if fault != nil {
		return fault
	}
	s := &x.Request.Selectors[1]
	if s.Match() || s.Kind == policy.SelectAll && x.Request.Method == policy.POST {
		return &record.Fault{Class: record.BadField, Text: "name the accounts by id"}
	}
	for _, d := range found {
		linked := x.view.linksOf(d.id)
		cids := linked
		if s.Kind == policy.SelectIDs {
			cids = s.IDs
		}
		if len(x.rows)+len(x.denied)+len(cids) > maxRows {
			return &record.Fault{Class: record.BadField, Text: "this is about more than " + strconv.Itoa(maxRows) + " links: name fewer grants or accounts"}
		}
		for _, cid := range cids {
			if err := x.linkOne(d, cid, slices.Contains(linked, cid)); err != nil {
				return err
			}
		}
	}
	return nil
}

// linkOne shows, makes or ends one link. One that is not there is answered as an account that is not
// seen is.
func (x *call) linkOne(d document, cid int64, linked bool) (err error) {
	switch x.Request.Method {
	case policy.POST:
		if fault := x.law.Link(d.doc, cid); fault != nil {
			return x.refuse(fault)
		}
		err = x.w.Link(d.id, cid)
	case policy.DELETE:
		if fault := x.law.Unlink(d.doc); fault != nil || !linked {
			return x.refuse(record.DeniedRecord("subaccounts", cid))
		}
		err = x.w.Unlink(d.id, cid)
	default:
		if !linked {
			return x.refuse(record.DeniedRecord("subaccounts", cid))
		}
	}
	row := record.NewObject(record.Member{Name: "grant_id", Value: record.NewInt(d.id)}, record.Member{Name: "subaccount_id", Value: record.NewInt(cid)})
	x.rows = append(x.rows, record.GrantLinks.Choose(row, x.fields))
	return err
}

// refuse makes an error beside the rows of a denial; any other fault ends the call.
func (x *call) refuse(fault *record.Fault) error {
	if fault.Class != record.Denied {
		return fault
	}
	x.denied = append(x.denied, fault)
	return nil
}

// grantors serves the grants that the acting account has got, without whom else they are for; DELETE
// gives one up.
func (x *call) grantors() error {
	if x.law.Caller.Scope == 0 {
		return &record.Fault{Class: record.BadField, Path: "x-flespi-cid", Text: "expected the account to act for"}
	}
	if !x.law.InScope(x.law.Caller.Scope) { // of a user whose roles reach it for something else
		return record.DeniedRecord("accounts", x.law.Caller.Scope)
	}
	received := func(id int64, _ record.Value) bool { return x.law.Receives(x.view.linksOf(id)) }
	found, fault := x.pickGrants(received, "grantors")
	if fault != nil {
		return fault
	}
	if found, fault = page(x, found); fault != nil {
		return fault
	}
	for _, d := range found {
		if x.Request.Method == policy.DELETE {
			if err := x.w.Unlink(d.id, x.law.Caller.Scope); err != nil {
				return err
			}
		}
		x.rows = append(x.rows, record.Grantors.Choose(x.law.Row(record.Grantors, d.doc), x.fields))
	}
	return nil
}

// endGrants takes an account that ends out of the grants that it has got.
func (x *call) endGrants(account int64) error {
	var linked []int64
	x.view.failed(x.view.r.Each(store.GrantLinks, func(row store.Row) error {
		if slices.Contains(readLinks(row.Doc), account) {
			linked = append(linked, row.ID)
		}
		return nil
	}))
	for _, grant := range linked {
		if err := x.w.Unlink(grant, account); err != nil {
			return err
		}
	}
	return nil
}
