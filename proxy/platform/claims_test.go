package platform_test

import (
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/store"
	"aclgate/proxy/platform"
)

// inGroup is a token from elsewhere with one group.
type inGroup string

func (g inGroup) Has(claim []string, value string) bool {
	return slices.Equal(claim, []string{"groups"}) && value == string(g)
}

// claimSite is realmSite with an issuer.
func claimSite(t *testing.T) *site {
	text := strings.Replace(realmFile, "tokens_count: 6, subaccounts_count: 3", "tokens_count: 20, subaccounts_count: 5", 1)
	s := newSite(t, text, func(o *platform.Options) {
		o.Settings.Audiences = map[string]string{"corp": ""}
		o.Claims = func(d policy.Digest) realm.Claims {
			for _, group := range []string{"boss", "advisers", "clerks", "kings", "nobody"} {
				if store.DigestOf([]byte(group)) == d {
					return inGroup(group)
				}
			}
			return nil
		}
	})
	s.sessions = map[string]string{}
	return s
}

// rule is a mapping of one value of groups.
func rule(value, role string) string {
	return `{"claim":"groups","value":"` + value + `","gives":["` + role + `"]}`
}

func claims(rules ...string) string {
	return `{"audience":"a","claims":{"issuer":"corp","roles":[` + strings.Join(rules, ",") + `]}}`
}

// A mapping is written by who may give its roles and holds them, and means what it says at once to who
// comes with a claim.
func TestClaimsGiveRoles(t *testing.T) {
	s := claimSite(t)
	s.want(rows{
		{"17", "POST", "/platform/realms/1/roles?fields=id", `{"name":"hr","reach":"own","access":{"type":2,"acl":[]},"platform":[{"uri":"users","methods":["GET"]}]}`, 200, `{"result":[{"id":1}]}`},
		{"17", "PUT", "/platform/realms/1?fields=claims", claims(rule("boss", "account-admin"), rule("clerks", "hr")), 200,
			`{"result":[{"claims":{"issuer":"corp","roles":[{"claim":"groups","gives":["account-admin"],"value":"boss"},{"claim":"groups","gives":["hr"],"value":"clerks"}]}}]}`},
		{"6 in boss", "GET", "/platform/realms/1/users/all?fields=id", "", 200, `…{"id":6}`},
		{"6 in boss", "PUT", "/platform/realms/1/users/6", `{"email":"x@example.com"}`, 200, `…"id":6`},
		{"6 in clerks", "GET", "/platform/realms/1/users/all?fields=id", "", 200, `…{"id":6}`},
		{"6 in clerks", "PUT", "/platform/realms/1/users/6", `{"email":"x@example.com"}`, 403, `…"code":8`},
		{"6 in nobody", "GET", "/platform/realms/1/users/all", "", 403, `…"code":8`},
		{"6 in account-admin", "GET", "/platform/realms/1/users/all", "", 403, `…"code":8`},
		{"5 in nobody", "GET", "/platform/realms/1/users/all?fields=id", "", 200, `…{"id":5}`}, // by the record
		{"17", "PATCH", "/platform/realms/1?fields=claims", `{"claims":{"roles":[` + rule("clerks", "account-admin") + `]}}`, 200, `{"result":[{"claims":{"issuer":"corp","roles":[{"claim":"groups","gives":["account-admin"],"value":"clerks"}]}}]}`},
		{"6 in boss", "GET", "/platform/realms/1/users/all", "", 403, `…"code":8`},
		{"6 in clerks", "PUT", "/platform/realms/1/users/6", `{"email":"y@example.com"}`, 200, `…"id":6`},
		{"17", "PATCH", "/platform/realms/1?fields=claims", `{"claims":{"roles":null}}`, 200, `{"result":[{"claims":{"issuer":"corp"}}]}`},
		{"6 in clerks", "GET", "/platform/realms/1/users/all", "", 403, `…"code":8`},
		{"17", "GET", "/platform/realms/1/logs?fields=fields&offset=1", "", 200, `…["audience","claims"]`},
	})
}

// Nobody gets or gives more by a mapping than by roles of users (SPEC 10.10; 14, 1).
func TestNobodyHandsOutMoreByClaims(t *testing.T) {
	s := claimSite(t)
	s.want(rows{
		// Faults, by their places.
		{"17", "PUT", "/platform/realms/1", claims(rule("boss", "account-admin"), rule("x", "nothing")), 400, `…"code":2,"reason":"claims.roles[1].gives[0]: there is no role called nothing"`},
		{"17", "PUT", "/platform/realms/1", claims(`{"claim":"a..b","value":"x","gives":["member"]}`), 400, `…claims.roles[0].claim: expected names`},
		{"17", "PUT", "/platform/realms/1", `{"claims":{"roles":[` + rule("x", "member") + `]}}`, 400, `…claims.issuer: is missing`},
		{"17", "POST", "/platform/realms", `{"name":"x","audience":"b","token_params":{"access":{"type":0}},"claims":{"issuer":"corp","roles":[` + rule("x", "member") + `]}}`, 400, `…token_params.access: expected none beside claims.roles`},
		{"17", "PUT", "/platform/realms/2", claims(rule("x", "member")), 400, `…token_params.access: expected none beside claims.roles`},
		// Another's realm, and one above.
		{"19", "PUT", "/platform/realms/1", claims(rule("kings", "account-admin")), 403, `…access denied to '\/realms\/1'`},
		{"30", "PUT", "/platform/realms/1", claims(rule("kings", "account-admin")), 403, `…access denied to '\/realms\/1'`},
		// What only the command line gives, and masters that end or are bound.
		{"17", "PUT", "/platform/realms/1", claims(rule("kings", "admin")), 403, `…"code":8,"reason":"a token may not create what is stronger than itself: claims.roles[0].gives[0]: this token may not give the role admin"`},
		{"1", "PUT", "/platform/realms/3", claims(rule("kings", "admin-reader")), 403, `…this token may not give the role admin-reader`},
		{"31", "PUT", "/platform/realms/1", claims(rule("boss", "account-admin")), 403, `…"code":8`},
		{"32", "PUT", "/platform/realms/1", claims(rule("boss", "account-admin")), 403, `…"code":8`},
		// A role of the realm that has the name of one built in stays as long as the mapping names it.
		{"17", "POST", "/platform/realms/1/roles?fields=id", `{"name":"admin","access":{"type":2,"acl":[]}}`, 200, `{"result":[{"id":1}]}`},
		{"17", "PUT", "/platform/realms/1?fields=id", claims(rule("kings", "admin")), 200, `{"result":[{"id":1}]}`},
		{"17", "DELETE", "/platform/realms/1/roles/1", "", 409, `…the role is given to users, or by claims`},
		{"17", "PUT", "/platform/realms/1/roles/1", `{"name":"other"}`, 409, `…the role is given to users, or by claims`},
		{"6 in kings", "GET", "/platform/realms/1/users/all", "", 403, `…"code":8`},
	})
	// A realm whose claims give a role with more than an account-admin holds: its users are not theirs to
	// make, rename or open, since whoever comes as one may have the claim.
	s.want(rows{
		{"17", "POST", "/platform/realms/1/roles?fields=id", `{"name":"wide","access":{"type":1},"reach":"branch","platform":[{"uri":"realms","methods":["GET","PUT"]},{"uri":"users","methods":["GET","PUT"]}]}`, 200, `{"result":[{"id":2}]}`},
		{"17", "PUT", "/platform/realms/1?fields=id", claims(rule("boss", "wide")), 200, `{"result":[{"id":1}]}`},
		{"5 in nobody", "POST", "/platform/realms/1/users", `{"name":"sub-of-a-friend"}`, 403, `…a user would reach more`},
		{"5 in nobody", "PUT", "/platform/realms/1/users/6", `{"name":"sub-of-a-friend"}`, 403, `…a user would reach more`},
		{"5 in nobody", "PUT", "/platform/realms/1/users/6?fields=id", `{"enabled":false}`, 200, `{"result":[{"id":6}]}`},
		{"5 in nobody", "PUT", "/platform/realms/1/users/6", `{"enabled":true}`, 403, `…a user would reach more`},
		{"17", "PUT", "/platform/realms/1/users/6?fields=id", `{"enabled":true}`, 200, `{"result":[{"id":6}]}`},
		// Who has a role by a claim holds it, and changes neither it nor the mapping that gives it.
		{"6 in boss", "GET", "/platform/realms/1?fields=id", "", 200, `{"result":[{"id":1}]}`},
		{"6 in boss", "PUT", "/platform/realms/1", claims(rule("boss", "wide"), rule("clerks", "wide")), 403, `…nobody changes what they may do themselves`},
		{"6 in boss", "PUT", "/platform/realms/1", `{"audience":"mine"}`, 403, `…nobody changes what they may do themselves`},
		{"6 in nobody", "GET", "/platform/realms/1", "", 403, `…"code":8`},
		// A role that a mapping gives is judged as one that users have: it is not made wider by who holds less.
		{"17", "PUT", "/platform/realms/1/roles/2", `{"reach":"tree"}`, 400, `…reach: expected own, branch or clients`},
	})
	// Tokens of another issuer or audience: all that the mapping gives is given anew.
	s.want(rows{
		{"operator", "PUT", "/platform/realms/3?fields=id", `{"audience":"c","claims":{"issuer":"corp","roles":[` + rule("kings", "admin-reader") + `]}}`, 200, `{"result":[{"id":3}]}`},
		{"1", "PUT", "/platform/realms/3", `{"audience":"d"}`, 403, `…"code":8`},
		{"1", "PUT", "/platform/realms/3?fields=id", `{"enabled":false}`, 200, `{"result":[{"id":3}]}`},
	})
}
