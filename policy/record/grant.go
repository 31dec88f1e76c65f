package record

import (
	"slices"
	"strconv"

	"aclgate/policy"
)

// readGrantAccess reads what a grant gives: a list with one element for each uri (SPEC 10.7).
func readGrantAccess(v Value) (Value, *Fault) {
	access, fault := listOf(v, readGranted)
	if fault != nil {
		return Value{}, fault
	}
	if len(access.Items) == 0 {
		return Value{}, expected("a list of objects with uri, ids and levels")
	}
	for i, item := range access.Items {
		same := func(other Value) bool { return other.Get("uri").Text == item.Get("uri").Text }
		if slices.ContainsFunc(access.Items[:i], same) {
			return Value{}, expected("one element for " + item.Get("uri").Text).Below("[" + strconv.Itoa(i) + "]")
		}
	}
	return access, nil
}

// readGranted reads one element. Of an account there are no ids; of a collection there have to be
// some: absent ones would be a guess.
func readGranted(v Value) (Value, *Fault) {
	v, fault := objectOf(v, part{"uri", true, readURI}, part{"ids", false, readGrantedIDs}, part{"levels", true, readTexts})
	if fault != nil {
		return Value{}, fault
	}
	uri, ids, levels := v.Get("uri").Text, v.Get("ids"), v.Get("levels").Items
	switch {
	case uri == policy.AccountURI && ids.Shape != Absent:
		return Value{}, expected("no ids beside uri account").Below("ids")
	case uri != policy.AccountURI && ids.Shape == Absent:
		return Value{}, expected(`a list of ids or "all"`).Below("ids")
	case len(levels) == 0:
		return Value{}, expected("at least one level").Below("levels")
	}
	for i, level := range levels {
		if why := policy.LevelFault(uri, level.Text); why != "" {
			fault := &Fault{Class: BadField, Text: why}
			return Value{}, fault.Below("[" + strconv.Itoa(i) + "]").Below("levels")
		}
	}
	return v, nil
}

func readGrantedIDs(v Value) (Value, *Fault) {
	if v.Shape == Text && v.Text == "all" {
		return v, nil
	}
	if v.Shape != List {
		return Value{}, expected(`a list of ids or "all"`)
	}
	return listOf(v, readID)
}

// GrantOf returns the grant of a stored document, for the accounts that it is linked to.
func GrantOf(doc Value, grantees []int64) policy.Grant {
	g := policy.Grant{
		ID: NumberOf(doc, "id"), CID: NumberOf(doc, "cid"), Name: doc.Get("name").Text, Expire: NumberOf(doc, "expire"), Grantees: grantees,
		Enabled: doc.Get("enabled").Shape == Absent || doc.Get("enabled").True(),
	}
	for _, v := range doc.Get("access").Items {
		a := policy.GrantAccess{URI: v.Get("uri").Text, All: v.Get("ids").Text == "all"}
		var ids []int64
		for _, id := range v.Get("ids").Items {
			n, _ := id.ID()
			ids = append(ids, n)
		}
		a.IDs = policy.NewIDSet(ids)
		for _, word := range v.Get("levels").Items {
			level, creates := policy.ParseLevel(word.Text)
			a.Levels |= level
			if creates != "" {
				a.Creates = append(a.Creates, creates)
			}
		}
		g.Access = append(g.Access, a)
	}
	return g
}
