package admin

import (
	"slices"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
)

// NewRole judges the role of a realm that a POST asks for, and returns its document with the realm.
func (l *Law) NewRole(of, asked record.Value) (record.Value, *record.Fault) {
	if !l.SeesRealm(of) {
		return record.Value{}, record.DeniedRecord("realms", record.NumberOf(of, "id"))
	}
	doc := asked.With("realm_id", record.NewInt(record.NumberOf(of, "id")))
	return doc, l.role(of, record.Value{}, doc)
}

// ChangeRole judges a change: the caller holds all that the role permits, and all that its bearers
// reach, before and after. Nobody changes a role of their own.
func (l *Law) ChangeRole(of, before, after record.Value) *record.Fault {
	id := record.NumberOf(before, "id")
	switch {
	case !l.SeesRealm(of):
		return record.DeniedRecord("roles", id)
	case before.Equal(after):
		return nil
	case slices.ContainsFunc(l.Caller.Roles, func(r realm.Role) bool { return r.ID == id }):
		return stronger("", "nobody changes a role of their own")
	case before.Get("name").Text != after.Get("name").Text && l.given(of, before.Get("name").Text):
		return inTheWay("the role is given to users, or by claims, by its name")
	}
	return l.role(of, before, after)
}

// DeleteRole judges a deletion. One that users have stays: another one of its name, of the operator or
// built in, would take its place.
func (l *Law) DeleteRole(of, doc record.Value) *record.Fault {
	name := doc.Get("name").Text
	switch {
	case !l.SeesRealm(of):
		return record.DeniedRecord("roles", record.NumberOf(doc, "id"))
	case name != realm.RoleMember && l.given(of, name):
		return inTheWay("the role is given to users, or by claims")
	}
	return l.bearers(of, realm.RoleOf(doc), realm.Role{})
}

// given reports whether users of a realm have a role, or its claims give it.
func (l *Law) given(of record.Value, name string) bool {
	r := realm.RealmOf(of)
	return slices.Contains(r.Mapped(), name) || slices.ContainsFunc(l.World.UsersOf(record.NumberOf(of, "id")), func(doc record.Value) bool {
		return slices.Contains(realm.UserOf(doc).Roles, name)
	})
}

// role judges what a role of a realm is to be.
func (l *Law) role(of, before, after record.Value) *record.Fault {
	is, r := realm.RoleOf(after), realm.RealmOf(of)
	if fault := realm.SoundRole(after); fault != nil {
		return fault
	}
	known := l.World.Roles(r.ID)
	for _, other := range known {
		if other.RealmID == r.ID && other.Name == is.Name && other.ID != is.ID {
			return inTheWay("a role of this realm has this name")
		}
	}
	for _, name := range is.AssignableBy {
		if _, found := realm.Find(known, r.ID, name); !found && name != is.Name {
			return &record.Fault{Class: record.BadField, Path: "assignable_by", Text: "there is no role called " + name}
		}
	}
	if is.Reach == policy.ReachTree {
		return &record.Fault{Class: record.BadField, Path: "reach", Text: "expected own, branch or clients: tree is the operator's"}
	}
	was := realm.Role{}
	if before.Shape != record.Absent {
		was = realm.RoleOf(before)
	}
	for _, role := range []*realm.Role{&was, &is} {
		if role.Name == "" {
			continue
		}
		if fault := l.holdsPowers([]power{anywhere(role, &r)}); fault != nil {
			fault.Path, fault.Text = "access", "the role would permit more than this token does"
			return fault
		}
	}
	if fault := l.lasts(); fault != nil {
		return fault
	}
	return l.bearers(of, was, is)
}

// anywhere returns what a role gives some user of a realm, wherever they live in its branch.
func anywhere(role *realm.Role, r *realm.Realm) power {
	p := power{reach: policy.ReachBranch, cid: r.CID, role: role, access: role.Access, entries: role.Entries}
	if role.Reach == policy.ReachClients {
		p.reach, p.within = policy.ReachClients, r.CID
	}
	return p
}

// bearers judges a role for the users who have its name before or after: the caller holds all that they
// reach, from where they come. Without a name there is no role.
func (l *Law) bearers(of record.Value, was, is realm.Role) *record.Fault {
	r := realm.RealmOf(of)
	before := l.World.Roles(r.ID)
	after := slices.DeleteFunc(slices.Clone(before), func(other realm.Role) bool { return other.ID == was.ID && was.Name != "" })
	if is.Name != "" {
		after = append(after, is)
	}
	for _, doc := range l.World.UsersOf(r.ID) {
		u := realm.UserOf(doc)
		names := slices.Concat([]string{realm.RoleMember}, u.Roles, r.Mapped())
		if !slices.Contains(names, was.Name) && !slices.Contains(names, is.Name) {
			continue
		}
		for _, known := range [][]realm.Role{before, after} {
			if fault := l.holdsAll(&u, &r, known); fault != nil {
				return fault
			}
		}
	}
	return nil
}
