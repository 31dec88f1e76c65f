package realm

import (
	"slices"

	"aclgate/policy"
	"aclgate/policy/record"
)

// Role is a role as the records say it, or a built-in one.
type Role struct {
	ID      int64 // 0: built in
	RealmID int64 // 0: the operator's, or built in
	Name    string
	Reach   policy.Reach
	Access  policy.Access
	Entries []policy.Entry
	When    []string // account roles that the user's account must all have
}

// RoleOf returns a role of a stored document.
func RoleOf(doc record.Value) Role {
	r := Role{ID: record.NumberOf(doc, "id"), RealmID: record.NumberOf(doc, "realm_id"), Name: doc.Get("name").Text}
	if access, fault := record.Access.Read(doc.Get("access")); fault == nil {
		r.Access, r.Entries = record.AccessOf(access), record.EntriesOf(access)
	}
	for reach := policy.ReachOwn; reach <= policy.ReachTree; reach++ {
		if doc.Get("reach").Text == reach.String() {
			r.Reach = reach
		}
	}
	for _, m := range doc.Get("when").Members {
		if m.Name != "account_roles" {
			r.Access, r.Entries = policy.NoAccess, nil // a condition that nobody here understands
		}
	}
	for _, name := range doc.Get("when").Get("account_roles").Items {
		r.When = append(r.When, name.Text)
	}
	return r
}

// Names of the built-in roles (SPEC 13).
const (
	RoleMember       = "member"
	RoleAccountAdmin = "account-admin"
	RoleConsultant   = "consultant"
	RoleAdminReader  = "admin-reader"
	RoleAdmin        = "admin"
)

// BuiltIn are the roles that every realm has, by the entries that SPEC 13 gives them.
func BuiltIn() []Role {
	on := func(rule policy.IDRule, methods ...policy.Method) (entries []policy.Entry) {
		for _, uri := range []string{"gw", "storage"} {
			entries = append(entries, policy.Entry{URI: uri, Methods: policy.Methods(methods...), Rule: rule})
		}
		return entries
	}
	return []Role{
		{Name: RoleMember, Access: policy.ACLAccess, Entries: on(policy.IDsAll, policy.GET, policy.PUT, policy.PATCH, policy.POST)},
		{Name: RoleAccountAdmin, Access: policy.ACLAccess, Entries: on(policy.IDsAbsent, policy.GET, policy.POST, policy.PUT, policy.PATCH, policy.DELETE)},
		{Name: RoleConsultant, Reach: policy.ReachClients, Access: policy.ACLAccess, Entries: on(policy.IDsAbsent, policy.GET)},
		{Name: RoleAdminReader, Reach: policy.ReachTree, Access: policy.ACLAccess, Entries: on(policy.IDsAbsent, policy.GET)},
		{Name: RoleAdmin, Reach: policy.ReachTree, Access: policy.Standard},
	}
}

// Find returns the role that a user of a realm means by a name: the realm's, else the operator's, else
// the built-in one.
func Find(roles []Role, realm int64, name string) (Role, bool) {
	for _, of := range []int64{realm, 0} {
		for _, r := range roles {
			if r.Name == name && r.RealmID == of {
				return r, true
			}
		}
	}
	for _, r := range BuiltIn() {
		if r.Name == name {
			return r, true
		}
	}
	return Role{}, false
}

// RolesOf returns the roles of a user, a member's among them. A role that is not there, whose condition
// is not met, or that reaches further than its realm may, gives nothing.
func (r *Realm) RolesOf(u *User, roles []Role, accountRoles []string, tree *policy.Tree) (all []Role) {
	names := append([]string{RoleMember}, u.Roles...)
	for i, name := range names {
		role, found := Find(roles, r.ID, name)
		met := !slices.ContainsFunc(role.When, func(need string) bool { return !slices.Contains(accountRoles, need) })
		may := role.Reach != policy.ReachTree || role.RealmID == 0 && tree.Root(r.CID)
		if found && met && may && !slices.Contains(names[:i], name) {
			all = append(all, role)
		}
	}
	return all
}
