package platform

import (
	"encoding/hex"

	"aclgate/policy/admin"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

var tokens = collection{
	table: store.Tokens,
	sees:  (*admin.Law).SeesToken,
	make: func(x *call, asked record.Value) (record.Value, error) {
		doc, fault := x.law.NewToken(asked)
		if fault != nil {
			return doc, fault
		}
		return doc, nil
	},
	judge: func(x *call, before, _, after record.Value) *record.Fault { return x.law.ChangeToken(before, after) },
	remove: func(x *call, doc record.Value) error {
		return faultOf(x.law.DeleteToken(doc))
	},
}

var limits = collection{
	table: store.Limits,
	sees: func(l *admin.Law, doc record.Value) bool {
		limit := admin.LimitOf(doc)
		return l.SeesLimit(&limit)
	},
	make: func(x *call, asked record.Value) (record.Value, error) {
		doc, fault := x.law.NewLimit(asked)
		return doc, faultOf(fault)
	},
	judge:  func(x *call, before, _, after record.Value) *record.Fault { return x.law.ChangeLimit(before, after) },
	remove: func(x *call, doc record.Value) error { return faultOf(x.law.DeleteLimit(doc)) },
}

var customer = collection{
	table: store.Accounts,
	sees:  func(l *admin.Law, doc record.Value) bool { return l.InScope(record.NumberOf(doc, "id")) },
	judge: func(x *call, _, _, _ record.Value) *record.Fault {
		_, fault := x.law.ChangeCustomer()
		return fault
	},
}

var subaccounts = collection{
	table: store.Accounts,
	sees:  func(l *admin.Law, doc record.Value) bool { return l.SeesAccount(record.NumberOf(doc, "id")) },
	make:  makeAccount,
	judge: func(x *call, before, asked, after record.Value) *record.Fault {
		return x.law.ChangeAccount(before, asked, after)
	},
	remove: removeAccount,
}

func makeAccount(x *call, asked record.Value) (record.Value, error) {
	if x.api.o.OneAccount {
		return record.Value{}, &record.Fault{Class: record.InTheWay, Text: "scope.mode is none: there is one account"}
	}
	doc, fault := x.law.NewAccount(asked)
	return doc, faultOf(fault)
}

// removeAccount takes along what belongs to the account alone: its tokens end at once, and so do its
// limits, which nobody can bear any more, and what names it as a consultancy. Its items stay at the
// backend and wait at the roots.
func removeAccount(x *call, doc record.Value) error {
	id := record.NumberOf(doc, "id")
	release := x.param("items") == "release"
	if fault := x.law.DeleteAccount(id, release); fault != nil {
		return fault
	}
	if err := x.endGrants(id); err != nil {
		return err
	}
	if err := x.endRealms(id); err != nil {
		return err
	}
	for _, t := range []store.Table{store.Tokens, store.Users, store.Limits, store.Grants} {
		if err := x.removeAll(t, id); err != nil {
			return err
		}
	}
	if err := x.releaseItems(id); err != nil {
		return err
	}
	return x.endConsultancies(id)
}

// removeAll deletes the rows of a table that belong to an account.
func (x *call) removeAll(t store.Table, account int64) error {
	var ids []int64
	x.view.inAccounts(t, []int64{account}, func(row store.Row) { ids = append(ids, row.ID) })
	for _, id := range ids {
		if err := x.delete(t, id); err != nil {
			return err
		}
	}
	return nil
}

func (x *call) releaseItems(account int64) error {
	if !x.api.o.Release {
		return nil
	}
	var items []record.Value
	x.view.inAccounts(store.Items, []int64{account}, func(row store.Row) { items = append(items, x.view.parse(row)) })
	for _, item := range items {
		if err := x.w.DeleteOwner(item.Get("collection").Text, record.NumberOf(item, "id")); err != nil {
			return err
		}
	}
	return nil
}

// endConsultancies takes an account that ends out of those that it consulted.
func (x *call) endConsultancies(id int64) error {
	var named []record.Value
	x.view.failed(x.view.r.Each(store.Accounts, func(row store.Row) error {
		if doc := x.view.parse(row); record.NumberOf(doc, "consultancy_account_id") == id {
			named = append(named, doc)
		}
		return nil
	}))
	for _, doc := range named {
		if err := x.put(store.Accounts, doc.Without("consultancy_account_id")); err != nil {
			return err
		}
	}
	return nil
}

// newKey gives the document of a new token a key, which is said once.
func newKey(doc record.Value) (with record.Value, key string) {
	key, digest := store.NewKey()
	return doc.With("key_sha256", record.NewText(hex.EncodeToString(digest[:]))), key
}

// delete takes a row away.
func (x *call) delete(t store.Table, id int64) error {
	defer x.view.forget()
	x.view.shrunk(t)
	if t == store.Users {
		x.view.keepUser(id, record.Value{})
	}
	return x.w.Delete(t, id)
}

// put writes a document, without what is only there while it is judged.
func (x *call) put(t store.Table, doc record.Value) error {
	defer x.view.forget()
	if t == store.Users {
		x.view.keepUser(record.NumberOf(doc, "id"), doc)
	}
	return x.w.PutDoc(t, record.NumberOf(doc, "id"), doc.Without("accessed").Append(nil))
}
