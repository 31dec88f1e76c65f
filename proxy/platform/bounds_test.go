package platform_test

import "testing"

// No user loosens what bounds their own account, or makes it another's, whatever their realm and roles
// let them administer; nor is there a fifth level (SPEC 14, 6).
func TestUsersLoosenNoBounds(t *testing.T) {
	s := realmSite(t)
	s.want(rows{
		{"17", "POST", "/platform/realms/1/roles", `{"name":"keeper","reach":"branch","access":{"type":2,"acl":[]},"platform":[{"uri":"all","methods":["GET","POST","PUT","PATCH","DELETE"]}]}`, 200, `…"id"`},
		{"17", "PUT", "/platform/realms/1/users/6", `{"roles":["keeper"]}`, 200, `…"id":6`},
		{"17", "PUT", "/platform/subaccounts/1111", `{"enabled":false}`, 200, `…"id":1111`},
	})
	s.login("17", "2", "7", "nora") // a master of 111
	s.login("17", "1", "5", "anna") // an account-admin of 11
	s.login("17", "1", "6", "ben")  // who administers everything in the branch of 11
	s.want(rows{
		{"nora", "PUT", "/platform/subaccounts/111", `{"limit_id":null}`, 403, `…"code":6,"id":111`},
		{"nora", "PUT", "/platform/subaccounts/111", `{"enabled":true}`, 403, `…"code":6,"id":111`},
		{"nora", "PUT", "/platform/customer", `{"limit_id":null}`, 400, `…limit_id: there is no such field`},
		{"nora", "PUT", "/platform/customer", `{"enabled":true}`, 400, `…enabled: there is no such field`},
		{"nora", "PUT", "/platform/customer", `{"blocked":0}`, 400, `…blocked: is read-only`},
		{"nora", "PUT", "/platform/customer", `{"account_roles":["agent"]}`, 400, `…account_roles: there is no such field`},
		{"nora", "PUT", "/platform/customer", `{"cid":1111}`, 400, `…cid: is read-only`},
		{"nora", "PUT", "/platform/subaccounts/1111", `{"cid":1}`, 400, `…cid: is read-only`},
		{"nora for 1111", "POST", "/platform/subaccounts", `{"name":"fifth"}`, 400, `…levels`},
		{"nora", "PUT", "/platform/limits/5", `{"tokens_count":-1}`, 403, `…"code":6,"id":5`},
		{"anna", "PUT", "/platform/customer", `{"limit_id":null}`, 400, `…limit_id: there is no such field`},
		{"anna", "PUT", "/platform/subaccounts/111", `{"limit_id":null}`, 403, `…"code":8`},
		{"anna", "POST", "/platform/limits", `{"name":"x"}`, 403, `…"code":8`},
		{"ben", "PUT", "/platform/subaccounts/11", `{"limit_id":null}`, 403, `…"code":6,"id":11`},
		{"ben", "PUT", "/platform/limits/5", `{"tokens_count":-1}`, 403, `…"code":6,"id":5`},
		{"ben", "DELETE", "/platform/limits/5", "", 403, `…"code":6,"id":5`},
		{"ben", "PUT", "/platform/customer", `{"limit_id":null}`, 400, `…limit_id: there is no such field`},
		{"ben for 111", "PUT", "/platform/subaccounts/111", `{"enabled":true}`, 403, `…"code":6,"id":111`},
		{"ben for 1111", "POST", "/platform/subaccounts", `{"name":"fifth"}`, 400, `…levels`},
		{"ben", "PUT", "/platform/subaccounts/111?fields=id", `{"metadata":{"seen":1}}`, 200, `{"result":[{"id":111}]}`}, // so its role is there
		{"operator", "GET", "/platform/subaccounts/11,111,1111?fields=id,cid,enabled,limit_id", "", 200, `{"result":[{"cid":1,"enabled":true,"id":11,"limit_id":5},{"cid":11,"enabled":true,"id":111,"limit_id":null},{"cid":111,"enabled":false,"id":1111,"limit_id":null}]}`},
	})
}
