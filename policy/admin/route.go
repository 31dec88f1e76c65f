package admin

import (
	"aclgate/policy"
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
	{"platform/customer", record.Customer, policy.Methods(policy.GET, policy.PUT, policy.PATCH), 0, reads, true},
}

// Routes returns the routes that are served, in the order of the reference. It must not be changed.
func Routes() []Route { return routes }

// MayCall judges whether a caller may use a route at all. Which records is judged one by one.
func (l *Law) MayCall(r *Route, m policy.Method) *record.Fault {
	switch c := &l.Caller; {
	case c.Operator:
		return nil
	case c.Token.Access != policy.Master || c.Scope == 0:
		return record.NotForThis()
	case c.Guest && !r.Guest.Has(m):
		return record.NotForThis()
	}
	return nil
}
