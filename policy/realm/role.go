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

	Platform     []PlatformRight // what it may administer
	AssignableBy []string        // names of roles whose bearers may give it, beside masters
}

// PlatformRight is what a role may do with one kind of managed record.
type PlatformRight struct {
	Word    string // one of PlatformWords
	Methods policy.MethodSet
}

// Words of platform rights that are no kind of record.
const (
	PlatformAll  = "all"  // every kind, and the change records
	PlatformLogs = "logs" // the change records of the kinds whose GET the role has
)

// PlatformWords are the kinds that a right may name, ascending.
func PlatformWords() []string {
	return []string{PlatformAll, "customer", "grantors", "grants", "limits", PlatformLogs, "realms", "roles", "subaccounts", "tokens", "users"}
}

// Administers reports whether the role may use a method on records of a kind.
func (r *Role) Administers(word string, m policy.Method) bool {
	return slices.ContainsFunc(r.Platform, func(p PlatformRight) bool { return (p.Word == word || p.Word == PlatformAll) && p.Methods.Has(m) })
}

// Tree is where accounts lie: a policy.Tree, or what a transaction sees.
type Tree interface {
	Contains(top, cid int64) bool // whether cid is top or lies below it
	Root(cid int64) bool
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
	for _, v := range doc.Get("platform").Items {
		r.Platform = append(r.Platform, PlatformRight{v.Get("uri").Text, methodsOf(v.Get("methods"))})
	}
	for _, name := range doc.Get("assignable_by").Items {
		r.AssignableBy = append(r.AssignableBy, name.Text)
	}
	return r
}

func methodsOf(v record.Value) (set policy.MethodSet) {
	for _, m := range v.Items {
		set |= policy.Methods(policy.ParseMethod([]byte(m.Text)))
	}
	return set
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
	can := func(word string, methods ...policy.Method) PlatformRight {
		return PlatformRight{word, policy.Methods(methods...)}
	}
	read, logs := can("customer", policy.GET), can(PlatformLogs, policy.GET)
	return []Role{
		{Name: RoleMember, Access: policy.ACLAccess, Entries: on(policy.IDsAll, policy.GET, policy.PUT, policy.PATCH, policy.POST), Platform: []PlatformRight{read}},
		{
			Name: RoleAccountAdmin, Access: policy.ACLAccess, Entries: on(policy.IDsAbsent, policy.GET, policy.POST, policy.PUT, policy.PATCH, policy.DELETE),
			Platform: []PlatformRight{can("customer", policy.GET, policy.PUT), can("users", policy.GET, policy.POST, policy.PUT, policy.PATCH), logs},
		},
		{
			Name: RoleConsultant, Reach: policy.ReachClients, Access: policy.ACLAccess, Entries: on(policy.IDsAbsent, policy.GET),
			Platform: []PlatformRight{read, can("users", policy.GET), logs}, AssignableBy: []string{RoleAccountAdmin},
		},
		{Name: RoleAdminReader, Reach: policy.ReachTree, Access: policy.ACLAccess, Entries: on(policy.IDsAbsent, policy.GET), Platform: []PlatformRight{can(PlatformAll, policy.GET)}},
		{
			Name: RoleAdmin, Reach: policy.ReachTree, Access: policy.Standard,
			Platform: []PlatformRight{can(PlatformAll, policy.GET, policy.POST, policy.PUT, policy.PATCH, policy.DELETE)},
		},
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

// RolesOf returns the roles of a user, a member's among them, and those that claims of the token give; nil
// claims are none. A role that is not there, whose condition is not met, or that reaches further than its
// realm may, gives nothing.
func (r *Realm) RolesOf(u *User, claims Claims, roles []Role, accountRoles []string, tree Tree) (all []Role) {
	names := r.given(append([]string{RoleMember}, u.Roles...), claims)
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
