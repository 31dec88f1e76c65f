package admin

import (
	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
)

// Route is one collection of the administration API (SPEC 10.1).
type Route struct {
	Path   string           // without the leading slash
	Kind   *record.Kind     // of its rows
	Whole  policy.MethodSet // of the path alone
	One    policy.MethodSet // of the path with a selector behind it
	Guest  policy.MethodSet // of both, for who came by operate-as
	Logged bool             // GET of the path, the selector and logs answers the change records
}

var (
	reads   = policy.Methods(policy.GET)
	records = policy.Methods(policy.GET, policy.PUT, policy.PATCH, policy.DELETE)
	makes   = policy.Methods(policy.POST)
)

var routes = []Route{
	{"platform/tokens", record.Tokens, makes, records, 0, true},
	{"platform/customer/tokens", record.LegacyTokens, makes, records, 0, true},
	{"platform/subaccounts", record.Subaccounts, makes, records, reads, true},
	{"platform/limits", record.Limits, makes, records, reads, true},
	{"platform/grants", record.Grants, makes, records, 0, true},
	{"platform/grants/{}/subaccounts", record.GrantLinks, 0, policy.Methods(policy.GET, policy.POST, policy.DELETE), 0, false},
	{"platform/grantors", record.Grantors, 0, policy.Methods(policy.GET, policy.DELETE), 0, false},
	{"platform/realms", record.Realms, makes, records, 0, true},
	{"platform/realms/{}/users", record.Users, makes, records, 0, true},
	{"platform/realms/{}/users/{}/login", record.Logins, makes, 0, 0, false},
	{"platform/realms/{}/users/{}/logout", record.Logouts, makes, 0, 0, false},
	{"platform/realms/{}/users/{}/password", record.Passwords, policy.Methods(policy.DELETE), 0, 0, false},
	{"platform/realms/{}/roles", record.Roles, makes, records, 0, true},
	{"platform/customer", record.Customer, policy.Methods(policy.GET, policy.PUT, policy.PATCH), 0, reads, true},
}

// Routes returns the routes that are served, in the order of the reference. It must not be changed.
func Routes() []Route { return routes }

// word is the kind as rights of roles name it.
func (r *Route) word() string {
	if r.Kind == record.GrantLinks {
		return record.Grants.Word
	}
	return r.Kind.Word
}

// MayCall judges whether a caller may use a route at all, or, with logs, read the change records of what
// it names. Which records is judged one by one; of a caller with roles by those that permit the call.
func (l *Law) MayCall(r *Route, m policy.Method, logs bool) *record.Fault {
	c := &l.Caller
	switch {
	case c.Operator:
		return nil
	case c.Roles != nil && c.Scope != 0 && !c.Guest:
		return l.permitRoles(r.word(), m, logs)
	case c.Token.Access != policy.Master || c.Scope == 0:
		return record.NotForThis()
	case c.Guest && !r.Guest.Has(m):
		return record.NotForThis()
	}
	return nil
}

func (l *Law) permitRoles(word string, m policy.Method, logs bool) *record.Fault {
	c := &l.Caller
	c.permits = nil
	for _, role := range c.Roles {
		if role.Administers(word, m) && (!logs || role.Administers(realm.PlatformLogs, m)) {
			c.permits = append(c.permits, role)
		}
	}
	if c.permits == nil {
		return record.NotForThis()
	}
	return nil
}
