package platform_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/policy/store"
	"aclgate/proxy/platform"
)

// realmFile is siteFile with realms of account 11: 1, whose users have roles, and 2, whose users live in
// 111 as masters. Token 30 is a master of 111, 31 one of 11 that ends soon, 32 one that is bound to
// addresses.
const realmFile = siteFile + `  - {id: 30, key: key-of-token-30, cid: 111, ttl: 3600, created: 1800000000, access: {type: master}}
  - {id: 31, key: key-of-token-31, cid: 11, expire: 1800009999, access: {type: master}}
  - {id: 32, key: key-of-token-32, cid: 11, ttl: 3600, created: 1800000000, ips: 10.0.0.0/8, access: {type: master}}
realms:
  - {id: 1, cid: 11, public_id: acme, name: ACME}
  - {id: 2, cid: 11, public_id: north, name: North, home: {type: 1, subaccount_id: 111}, token_params: {access: {type: master}}}
  - {id: 3, cid: 1, public_id: ours, name: Ours}
users:
  - {id: 5, realm_id: 1, name: anna, roles: [account-admin]}
  - {id: 6, realm_id: 1, name: ben}
  - {id: 7, realm_id: 2, name: nora}
  - {id: 8, realm_id: 3, name: root, roles: [admin]}
  - {id: 9, realm_id: 1, cid: 111, name: cleo, roles: [account-admin]}
`

func realmSite(t testing.TB) *site {
	text := strings.Replace(realmFile, "tokens_count: 6, subaccounts_count: 3", "tokens_count: 20, subaccounts_count: 5, realms_count: 3", 1)
	s := newSite(t, text, nil)
	s.sessions = map[string]string{}
	return s
}

var sessionForm = regexp.MustCompile(`^\{"result":\[\{"token":"([A-Za-z0-9]{64})"\}\]\}$`)

// login has somebody make a session of a user, which is then a caller with the user's name.
func (s *site) login(who, realm, user, name string) {
	s.t.Helper()
	status, body := s.call(who, "POST", "/platform/realms/"+realm+"/users/"+user+"/login", "")
	key := sessionForm.FindStringSubmatch(body)
	if status != 200 || key == nil {
		s.t.Fatalf("%s cannot log in as %s: %d %s", who, user, status, body)
	}
	s.sessions[name] = key[1]
}

// Realms: made, read, changed and deleted by masters whose scope holds them; the answers of SPEC 10.2
// and 10.3.
func TestRealms(t *testing.T) {
	s := realmSite(t)
	status, body := s.call("17", "POST", "/platform/realms?fields=id,cid,name,public_id,home,enabled", `{"name":"Fleet","home":{"type":1,"subaccount_id":111}}`)
	if !regexp.MustCompile(`^\{"result":\[\{"cid":11,"enabled":true,"home":\{"subaccount_id":111,"type":1\},"id":4,"name":"Fleet","public_id":"[a-z0-9]{26}"\}\]\}$`).MatchString(body) {
		t.Fatalf("got %d %s", status, body)
	}
	s.want(rows{
		{"17", "GET", "/platform/realms/all?fields=id", "", 200, `{"result":[{"id":1},{"id":2},{"id":4}]}`},
		{"17", "GET", "/platform/realms/1", "", 200, `{"result":[{"cid":11,"id":1,"name":"ACME","public_id":"acme"}]}`},
		{"17", "GET", "/platform/realms/name=N*?fields=id", "", 200, `{"result":[{"id":2}]}`},
		{"17", "GET", "/platform/realms/1,2,3,99?fields=id", "", 200, `{"errors":[{"code":6,"id":3,"reason":"access denied to '\/realms\/3'"},{"code":6,"id":99,"reason":"access denied to '\/realms\/99'"}],"result":[{"id":1},{"id":2}]}`},
		{"17", "GET", "/platform/realms/all?fields=id&limit=1&offset=1", "", 200, `{"pagination":{"count":3,"limit":1,"offset":1},"result":[{"id":2}]}`},
		{"19", "GET", "/platform/realms/all", "", 200, `{"result":[]}`},
		{"18", "GET", "/platform/realms/all", "", 403, `…"code":8`},
		{"17", "POST", "/platform/realms", `{"name":"x","public_id":"mine"}`, 400, `…public_id: is read-only`},
		{"17", "POST", "/platform/realms", `{"name":"x","cid":12}`, 403, `…access denied to '\/accounts\/12'`},
		{"17", "POST", "/platform/realms", `{"name":"x","home":{"type":1,"subaccount_id":12}}`, 403, `…access denied to '\/accounts\/12'`},
		{"17 for 111", "POST", "/platform/realms", `{"name":"x","home":{"type":1,"subaccount_id":11}}`, 403, `…access denied to '\/accounts\/11'`},
		{"17", "POST", "/platform/realms", `{"name":"x","cid":111,"home":{"type":1,"subaccount_id":11}}`, 400, `…home.subaccount_id: expected an account in the branch of 111`},
		{"17", "POST", "/platform/realms", `{"name":"x","home":{"type":1}}`, 400, `…home.subaccount_id: is missing`},
		{"17", "POST", "/platform/realms", `{"name":"x","home":{"type":2,"subaccount_id":11,"limit_id":5}}`, 403, `…access denied to '\/limits\/5'`},
		{"17", "POST", "/platform/realms", `{"name":"x","claims":{"issuer":"corp"}}`, 400, `…claims.issuer: there is no issuer of this name`},
		{"17", "POST", "/platform/realms", `{"name":"x"}`, 403, `…"code":403,"reason":"limit realms_count of account 11 is reached (3)"`},
		{"17", "PUT", "/platform/realms/1?fields=name,public_info", `{"name":"ACME 2","public_info":{"logo":"x"}}`, 200, `{"result":[{"name":"ACME 2","public_info":{"logo":"x"}}]}`},
		{"17", "PATCH", "/platform/realms/1?fields=public_info", `{"public_info":{"b":1}}`, 200, `{"result":[{"public_info":{"b":1,"logo":"x"}}]}`},
		{"17", "PUT", "/platform/realms/1", `{"cid":111}`, 400, `…cid: never changes`},
		{"19", "PUT", "/platform/realms/1", `{"name":"mine"}`, 403, `…access denied to '\/realms\/1'`},
		{"17", "DELETE", "/platform/realms/4", "", 200, `{"result":[{"id":4}]}`},
		{"17", "GET", "/platform/realms/1/logs?fields=event,fields", "", 200, `{"result":[{"event":"created","fields":["cid","id","name","public_id"]},{"event":"changed","fields":["name","public_info"]},{"event":"changed","fields":["public_info"]}]}`},
		{"17", "GET", "/platform/realms/1/identity-providers/all", "", 404, `…no such resource`},
	})
}

// Users: selectors of both parts of the path, the home account, roles, and what their answers never
// hold (SPEC 10.6; 14, 2).
func TestUsers(t *testing.T) {
	s := realmSite(t)
	const password = "correct horse battery"
	s.want(rows{
		{"17", "POST", "/platform/realms/1/users", `{"name":"dora","email":"d@example.com","password":"` + password + `"}`, 200, `{"result":[{"cid":11,"id":10,"name":"dora","realm_id":1}]}`},
		{"17", "GET", "/platform/realms/1/users/all?fields=id,name", "", 200, `{"result":[{"id":5,"name":"anna"},{"id":6,"name":"ben"},{"id":9,"name":"cleo"},{"id":10,"name":"dora"}]}`},
		{"17", "GET", "/platform/realms/all/users/all?fields=id", "", 200, `{"result":[{"id":5},{"id":6},{"id":7},{"id":9},{"id":10}]}`},
		{"17", "GET", "/platform/realms/1/users/name=d*?fields=id", "", 200, `{"result":[{"id":10}]}`},
		{"17", "GET", "/platform/realms/1/users/5,7,8,99?fields=id", "", 200, `{"errors":[{"code":6,"id":7,"reason":"access denied to '\/users\/7'"},{"code":6,"id":8,"reason":"access denied to '\/users\/8'"},{"code":6,"id":99,"reason":"access denied to '\/users\/99'"}],"result":[{"id":5}]}`},
		{"17", "GET", "/platform/realms/1/users/5,6,name=ben?fields=id", "", 200, `{"result":[{"id":6}]}`},
		{"17", "GET", "/platform/realms/1/users/all,cid=111?fields=id", "", 200, `{"result":[{"id":9}]}`},
		{"17", "GET", "/platform/realms/3/users/8", "", 403, `…access denied to '\/realms\/3'`},
		{"17", "GET", "/platform/realms/1/users/password=c*", "", 400, `…"code":2`},
		{"17", "GET", "/platform/realms/1/users/all?fields=password", "", 400, `…"code":2`},
		{"17", "GET", "/platform/realms/1/users/{id>5}", "", 400, `…expressions are not evaluated here`},
		{"17", "GET", "/platform/realms/1/users/x", "", 400, `…expected all, ids`},
		{"17", "POST", "/platform/realms/1,2/users", `{"name":"x"}`, 400, `…name one realm by its id`},
		{"17", "POST", "/platform/realms/99/users", `{"name":"x"}`, 403, `…access denied to '\/realms\/99'`},
		{"17", "POST", "/platform/realms/1/users", `{"name":"DORA"}`, 409, `…a user of this realm has this name`},
		{"17", "POST", "/platform/realms/1/users", `{"name":"x","cid":12}`, 403, `…access denied to '\/accounts\/12'`},
		{"17", "POST", "/platform/realms/1/users", `{"name":"x","password":"short"}`, 400, `…password: expected a string of 12 to 1024 bytes`},
		{"17", "POST", "/platform/realms/1/users", `{"name":"correct horse battery","password":"` + password + `"}`, 400, `…password: expected something else than the name`},
		{"17", "POST", "/platform/realms/1/users", `{"name":"x","roles":["nobody"]}`, 400, `…roles: there is no role called nobody`},
		{"17", "POST", "/platform/realms/1/users", `{"name":"x","roles":["member"],"token_params":{"access":{"type":0}}}`, 400, `…token_params.access: expected none beside roles`},
		{"17", "POST", "/platform/realms/1/users", `[{"name":"y"},{"name":"z","roles":["admin"]}]`, 403, `…this token may not give the role admin`},
		{"17", "GET", "/platform/realms/1/users/name=y", "", 200, `{"result":[]}`},
		{"17", "PUT", "/platform/realms/1/users/10?fields=email,roles", `{"email":"e@example.com","roles":["consultant"]}`, 200, `{"result":[{"email":"e@example.com","roles":["consultant"]}]}`},
		{"17", "PUT", "/platform/realms/1/users/10", `{"cid":111}`, 400, `…cid: never changes`},
		{"17", "PUT", "/platform/realms/1/users/10?fields=id", `{"password":"another horse battery"}`, 200, `{"result":[{"id":10}]}`},
		{"operator", "PUT", "/platform/realms/3/users/8?fields=roles", `{"roles":["admin-reader"]}`, 200, `{"result":[{"roles":["admin-reader"]}]}`},
		{"17", "DELETE", "/platform/realms/1/users/10", "", 200, `{"result":[{"id":10}]}`},
		{"17", "GET", "/platform/realms/1/users/all/logs?fields=id,event,fields&offset=4", "", 200, `{"pagination":{"count":7,"limit":3,"offset":4},"result":[{"event":"changed","fields":["email","roles"],"id":10},{"event":"changed","fields":["password"],"id":10},{"event":"deleted","fields":["cid","email","id","name","realm_id","roles"],"id":10}]}`},
		{"17", "GET", "/platform/realms/1/users/6/logs?fields=event", "", 200, `{"result":[{"event":"created"}]}`},
		{"17", "GET", "/platform/realms/1/users/8/logs", "", 403, `…access denied to '\/users\/8'`},
		{"17", "GET", "/platform/realms/3/users/all/logs", "", 403, `…access denied to '\/realms\/3'`},
	})
	s.secret(10, "")
}

// secret compares the verifier of a user's password.
func (s *site) secret(user int64, want string) {
	s.t.Helper()
	var got string
	_ = s.live.View(context.Background(), func(tx *store.Tx) error { got, _ = tx.Secret(user); return nil })
	if got != want {
		s.t.Errorf("user %d has the verifier %q, want %q", user, got, want)
	}
}

// No password and no verifier is in an answer, a row, or the history (SPEC 14, 2).
func TestPasswordsAreNeverSaid(t *testing.T) {
	s := realmSite(t)
	var said strings.Builder
	for _, r := range [][3]string{
		{"POST", "/platform/realms/1/users?fields=id", `{"name":"dora","password":"correct horse battery"}`},
		{"PUT", "/platform/realms/1/users/10?fields=id,name,metadata", `{"password":"another horse battery"}`},
		{"GET", "/platform/realms/1/users/10?fields=" + "id,name,cid,enabled,email,registration,token_params,roles,metadata,realm_id", ""},
		{"PUT", "/platform/realms/1/users/10", `{"password":"no","x":"horse battery"}`},
	} {
		_, body := s.call("17", r[0], r[1], r[2])
		said.WriteString(body)
	}
	s.secret(10, "$hash of another horse battery")
	if err := s.db.Changes(context.Background(), store.ChangeQuery{Limit: 1000}, func(c store.Change) error {
		fmt.Fprintf(&said, "%s %s %s\n", c.Actor, c.Before, c.After)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if text := said.String(); strings.Contains(text, "horse") || strings.Contains(text, "$hash") || !strings.Contains(text, "wrote=password") {
		t.Errorf("said: %s", text)
	}
}

// A session that a master makes is bound as the master is and ends with the user, a logout, another
// password, a disabled record (SPEC 10.6; 14, 5).
func TestSessionsOfMasters(t *testing.T) {
	s := realmSite(t)
	lives := func(name string) bool {
		rec, err := s.live.Load(store.DigestOf([]byte(s.sessions[name])))
		return err == nil && rec.Made.User != 0
	}
	for _, end := range []struct{ method, target, body string }{
		{"POST", "/platform/realms/2/users/7/logout", ""},
		{"DELETE", "/platform/realms/2/users/7/password", ""},
		{"PUT", "/platform/realms/2/users/7", `{"password":"correct horse battery"}`},
		{"PUT", "/platform/realms/2/users/7", `{"enabled":false}`},
	} {
		s.login("17", "2", "7", "nora")
		made := s.answer("nora", "POST", "/platform/tokens?fields=id", `{"access":{"type":0},"ttl":60,"cid":1111}`, "")
		if made.Status != 200 {
			t.Fatalf("got %d %s", made.Status, made.Body)
		}
		key := string(keyForm.Find(made.Body))
		s.sessions["made"] = key[len(`"key":"`) : len(key)-1]
		if status, body := s.call("17", end.method, end.target, end.body); status != 200 || lives("nora") || lives("made") {
			t.Errorf("%s %s %s: got %d %s; the session lives: %v, the token made with it: %v", end.method, end.target, end.body, status, body, lives("nora"), lives("made"))
		}
	}
	s.want(rows{
		{"17", "POST", "/platform/realms/2/users/7/login", "", 409, `…user 7 is not let in`},
		{"17", "PUT", "/platform/realms/2/users/7?fields=enabled", `{"enabled":true}`, 200, `{"result":[{"enabled":true}]}`},
	})
	s.login("17", "2", "7", "nora")
	s.want(rows{
		{"nora", "POST", "/platform/realms/2/users/7/login", "", 403, `…a session is not prolonged by itself`},
		{"17", "DELETE", "/platform/realms/2/users/7", "", 200, `{"result":[{"id":7}]}`},
		{"nora", "GET", "/platform/customer", "", 401, ``},
	})
	// One that ends soon, and one that is bound, make sessions that are so too.
	for who, want := range map[string]string{"31": `"expire":1800009999`, "32": `"ips":"10.0.0.0/8"`} {
		s.login(who, "1", "6", "ben")
		_, body := s.call("17", "GET", "/platform/tokens/user_id=6?fields=expire,ips", "")
		if !strings.Contains(body, want) {
			t.Errorf("the session that %s made: got %s", who, body)
		}
	}
	for range 5 {
		s.login("17", "1", "6", "ben")
	}
	if _, body := s.call("17", "GET", "/platform/tokens/user_id=6?fields=id", ""); strings.Count(body, `"id"`) != 3 {
		t.Errorf("of 7 sessions there are %s, want 3", body)
	}
	if _, body := s.call("17", "PUT", "/platform/tokens/user_id=6", `{"expire":4000000000}`); !strings.Contains(body, "a session is what its user may do") {
		t.Errorf("a session is prolonged: %s", body)
	}
}

// Nobody hands out more than they hold by realm, user or role (SPEC 14, 1): whoever is bound, ends, or
// lacks a right, and every detour by two steps.
func TestNobodyHandsOutMoreByRealms(t *testing.T) {
	s := realmSite(t)
	const wide = `{"name":"wide","access":{"type":1},"reach":"branch"}`
	s.login("17", "1", "5", "anna")
	s.login("17", "1", "9", "cleo")
	s.login("operator", "3", "8", "root")
	s.want(rows{
		// Masters that end, or are bound to addresses.
		{"31", "POST", "/platform/realms/1/users", `{"name":"x"}`, 403, `…"code":8,"reason":"a token may not create what is stronger than itself: expire: users, realms, roles and consultancies outlive this token`},
		{"31", "PUT", "/platform/realms/1/users/6", `{"password":"correct horse battery"}`, 403, `…"code":8`},
		{"31", "POST", "/platform/realms/1/roles", wide, 403, `…"code":8`},
		{"32", "POST", "/platform/realms", `{"name":"x","token_params":{"access":{"type":1}}}`, 403, `…token_params.ips: expected addresses out of its own`},
		{"32", "POST", "/platform/realms/1/users", `{"name":"x"}`, 403, `…token_params.ips`},
		{"32", "POST", "/platform/realms/1/users?fields=id", `{"name":"x","token_params":{"ips":"10.1.0.0/16"}}`, 200, `…"id"`},
		{"32", "PUT", "/platform/realms/1/users/6", `{"email":"mine@example.com"}`, 403, `…"code":8`},
		// A master below the realm's account: the users of its branch, and no role of the realm.
		{"30", "GET", "/platform/realms/all?fields=id,cid,name,public_id,token_params", "", 200, `{"result":[{"cid":null,"id":1,"name":"ACME","public_id":"acme","token_params":null},{"cid":null,"id":2,"name":"North","public_id":"north","token_params":null}]}`},
		{"30", "GET", "/platform/realms/1/users/all?fields=id", "", 200, `{"result":[{"id":9}]}`},
		{"30", "PUT", "/platform/realms/1", `{"name":"mine"}`, 403, `…access denied to '\/realms\/1'`},
		{"30", "GET", "/platform/realms/1/roles/all", "", 200, `{"result":[]}`},
		{"30", "GET", "/platform/realms/1/logs", "", 403, `…access denied to '\/realms\/1'`},
		{"30", "POST", "/platform/realms/1/roles", wide, 403, `…access denied to '\/realms\/1'`},
		{"30", "POST", "/platform/realms/1/users", `{"name":"x"}`, 400, `…cid: expected an account in scope`},
		{"30", "POST", "/platform/realms/1/users", `{"name":"x2","cid":111,"password":"correct horse battery"}`, 200, `…"cid":111`},
		{"30", "POST", "/platform/realms/1/users/5/login", "", 403, `…access denied to '\/users\/5'`},
		// An account-admin: users of the own account, with what it holds itself.
		{"anna", "GET", "/platform/customer", "", 200, `…"id":11`},
		{"anna", "GET", "/platform/tokens/all", "", 403, `…"code":8`},
		{"anna", "GET", "/platform/realms/1/users/all?fields=id", "", 200, `…{"id":5},{"id":6}`},
		{"anna", "GET", "/platform/realms/1/users/6/logs?fields=id", "", 200, `{"result":[{"id":6}]}`},
		{"anna", "GET", "/platform/realms/1/logs", "", 403, `…"code":8`},
		{"anna", "GET", "/platform/realms/1/users/9", "", 403, `…access denied to '\/users\/9'`},
		{"anna", "POST", "/platform/realms/1/users?fields=name", `{"name":"new","roles":["consultant"],"password":"correct horse battery"}`, 200, `{"result":[{"name":"new"}]}`},
		{"anna", "POST", "/platform/realms/1/users", `{"name":"new2","roles":["account-admin"]}`, 403, `…may not give the role account-admin`},
		{"anna", "POST", "/platform/realms/1/users", `{"name":"new2","token_params":{"access":{"type":0}}}`, 403, `…a user would reach more`},
		{"anna", "PUT", "/platform/realms/1/users/5", `{"roles":["account-admin","consultant"]}`, 403, `…nobody changes what they may do themselves`},
		{"anna", "PUT", "/platform/realms/1/users/5", `{"enabled":false}`, 403, `…nobody changes what they may do themselves`},
		{"anna", "PUT", "/platform/realms/1/users/5", `{"password":"correct horse battery"}`, 403, `…with the old one`},
		{"anna", "POST", "/platform/realms/1/roles", wide, 403, `…"code":8`},
		{"cleo", "GET", "/platform/realms/2/users/7?fields=id", "", 200, `{"result":[{"id":7}]}`},
		{"cleo", "PUT", "/platform/realms/2/users/7", `{"password":"correct horse battery"}`, 403, `…a user would reach more`},
		{"cleo", "POST", "/platform/realms/2/users/7/login", "", 403, `…a user would reach more`},
		{"cleo", "PUT", "/platform/realms/2/users/7", `{"email":"cleo@example.com"}`, 403, `…a user would reach more`},
		{"cleo", "POST", "/platform/realms/2/users", `{"name":"x"}`, 403, `…a user would reach more`}, // it would be a master
		// The role of the command line: nobody else gives it, or lets it out.
		{"1", "PUT", "/platform/realms/3/users/8", `{"password":"correct horse battery"}`, 403, `…a user would reach more`},
		{"1", "POST", "/platform/realms/3/users/8/login", "", 403, `…a user would reach more`},
		{"1", "PUT", "/platform/realms/3", `{"token_params":{"ips":""}}`, 403, `…a user would reach more`},
		{"1", "PUT", "/platform/realms/3?fields=enabled", `{"enabled":false}`, 200, `{"result":[{"enabled":false}]}`},
		{"1", "PUT", "/platform/realms/3", `{"enabled":true}`, 403, `…a user would reach more`},
		{"operator", "PUT", "/platform/realms/3?fields=enabled", `{"enabled":true}`, 200, `{"result":[{"enabled":true}]}`},
	})
	// A role that shadows a greater one cannot be taken away under its bearers.
	s.want(rows{
		{"1", "POST", "/platform/realms/3/roles?fields=id", `{"name":"admin-reader","access":{"type":2,"acl":[]}}`, 200, `{"result":[{"id":1}]}`},
		{"1", "POST", "/platform/realms/3/users?fields=id", `{"name":"eve","roles":["admin-reader"]}`, 200, `…"id"`},
		{"1", "DELETE", "/platform/realms/3/roles/1", "", 409, `…the role is given to users`},
		{"1", "PUT", "/platform/realms/3/roles/1", `{"name":"other"}`, 409, `…the role is given to users`},
		{"1", "POST", "/platform/realms/3/roles", `{"name":"all","access":{"type":1},"reach":"tree"}`, 400, `…reach: expected own, branch or clients`},
	})
}

// An account of their own for each user: made with the user, bounded, and blocked when the user goes.
func TestUsersWithAccounts(t *testing.T) {
	s := realmSite(t)
	s.want(rows{
		{"17", "POST", "/platform/realms?fields=id", `{"name":"Drivers","home":{"type":2,"subaccount_id":111},"max_users":2}`, 200, `{"result":[{"id":4}]}`},
		{"17", "POST", "/platform/realms/4/users?fields=id,cid", `[{"name":"a"},{"name":"b"}]`, 200, `{"result":[{"cid":1112,"id":10},{"cid":1113,"id":11}]}`},
		{"17", "POST", "/platform/realms/4/users", `{"name":"c"}`, 403, `…"code":403,"reason":"max_users of realm 4 is reached (2)"`},
		{"17", "GET", "/platform/subaccounts/1112?fields=cid,name,blocked", "", 200, `{"result":[{"blocked":0,"cid":111,"name":"a"}]}`},
		{"17", "DELETE", "/platform/realms/4/users/10", "", 200, `{"result":[{"id":10}]}`},
		{"17", "GET", "/platform/subaccounts/1112?fields=blocked", "", 200, `{"result":[{"blocked":2}]}`},
		{"17", "PUT", "/platform/realms/4", `{"max_users":-1}`, 200, `…"id":4`},
		{"17", "POST", "/platform/realms/4/users?fields=cid", `{"name":"c"}`, 200, `{"result":[{"cid":1114}]}`},
		{"17", "POST", "/platform/realms/4/users", `{"name":"d"}`, 403, `…limit subaccounts_count of account 11 is reached (5)`},
		// With the account go its realms, their users and roles.
		{"1", "DELETE", "/platform/subaccounts/1112,1113,1114,1111,111,11", "", 200, `…{"id":11}`},
		{"operator", "GET", "/platform/realms/all?fields=id", "", 200, `{"result":[{"id":3}]}`},
		{"operator", "GET", "/platform/realms/all/users/all?fields=id", "", 200, `{"result":[{"id":8}]}`},
	})
}

// Roles of a realm: made within what the writer holds, given, and in force at the next call.
func TestRolesOfRealms(t *testing.T) {
	s := realmSite(t)
	s.want(rows{
		{"17", "POST", "/platform/realms/1/roles?fields=id,name,realm_id,reach", `{"name":"hr","access":{"type":2,"acl":[]},"reach":"branch","platform":[{"uri":"users","methods":["GET","PUT"]}],"assignable_by":["account-admin"]}`, 200, `{"result":[{"id":1,"name":"hr","reach":"branch","realm_id":1}]}`},
		{"17", "POST", "/platform/realms/1/roles", `{"name":"hr","access":{"type":2}}`, 409, `…a role of this realm has this name`},
		{"17", "POST", "/platform/realms/1/roles", `{"name":"x","access":{"type":2},"platform":[{"uri":"webhooks","methods":["GET"]}]}`, 400, `…platform: expected uris out of all, customer`},
		{"17", "POST", "/platform/realms/1/roles", `{"name":"x","access":{"type":2},"when":{"plan":"x"}}`, 400, `…when: expected account_roles`},
		{"17", "POST", "/platform/realms/1/roles", `{"name":"x","access":{"type":2},"assignable_by":["nobody"]}`, 400, `…assignable_by: there is no role called nobody`},
		{"17", "PUT", "/platform/realms/1/users/6?fields=roles", `{"roles":["hr"]}`, 200, `{"result":[{"roles":["hr"]}]}`},
		{"17", "GET", "/platform/realms/1/roles/name=hr?fields=id,assignable_by", "", 200, `{"result":[{"assignable_by":["account-admin"],"id":1}]}`},
		{"17", "GET", "/platform/realms/2/roles/1", "", 403, `…access denied to '\/roles\/1'`},
	})
	s.login("17", "1", "6", "ben")
	s.want(rows{
		{"ben", "GET", "/platform/realms/1/users/all?fields=id", "", 200, `{"result":[{"id":5},{"id":6},{"id":9}]}`},
		{"ben", "PUT", "/platform/realms/1/users/9?fields=id", `{"metadata":{"desk":7}}`, 200, `{"result":[{"id":9}]}`},
		{"ben", "PUT", "/platform/realms/1/users/9", `{"email":"ben@example.com"}`, 403, `…a user would reach more`},
		{"ben", "POST", "/platform/realms/1/users", `{"name":"x"}`, 403, `…"code":8`},
		{"17", "PUT", "/platform/realms/1/roles/1?fields=id", `{"platform":[]}`, 200, `{"result":[{"id":1}]}`},
		{"ben", "GET", "/platform/realms/1/users/all", "", 403, `…"code":8`},
		{"17", "PUT", "/platform/realms/1/users/6?fields=roles", `{"roles":[]}`, 200, `{"result":[{"roles":[]}]}`},
		{"17", "DELETE", "/platform/realms/1/roles/1", "", 200, `{"result":[{"id":1}]}`},
		{"ben", "GET", "/platform/customer?fields=id", "", 200, `{"result":[{"id":11}]}`},
	})
}

// Verifiers are made outside of the transaction, and only of passwords that may be written.
func TestHashing(t *testing.T) {
	hashed := 0
	s := newSite(t, realmFile, func(o *platform.Options) {
		o.Hash = func(string) (string, error) {
			if hashed++; hashed > 2 {
				return "", context.DeadlineExceeded
			}
			return "$v", nil
		}
	})
	s.want(rows{
		{"19", "PUT", "/platform/realms/1/users/6", `{"password":"correct horse battery"}`, 403, `…"code":6`},
		{"31", "PUT", "/platform/realms/1/users/6", `{"password":"correct horse battery"}`, 403, `…"code":8`},
		{"17", "PUT", "/platform/realms/1/users/6", `{"password":"correct horse battery","x":1}`, 400, `…x: there is no such field`},
		{"17", "POST", "/platform/realms/1/users", "[" + strings.Repeat(`{"name":"x","password":"correct horse battery"},`, 2) + `{"name":"z"}]`, 409, `…`},
	})
	if hashed != 0 {
		t.Errorf("%d passwords were hashed", hashed)
	}
	s.want(rows{
		{"17", "PUT", "/platform/realms/1/users/5,6?fields=id", `{"password":"correct horse battery"}`, 200, `{"result":[{"id":5},{"id":6}]}`},
		{"17", "PUT", "/platform/realms/1/users/6", `{"password":"another horse battery"}`, 503, `…too many passwords are being hashed`},
	})
	s.now = s.now.Add(time.Hour)
	s.secret(6, "$v")
}

// The points of SPEC 14 that calls at once are about: of realms beside each other none is beyond the
// limit, and of two changes of a user none is lost (14, 9 and 11).
func TestRealmsAtOnce(t *testing.T) {
	s := realmSite(t) // 3 realms_count, of which 11 has two
	var work sync.WaitGroup
	var made atomic.Int64
	for i := range 12 {
		work.Go(func() {
			if status, _ := s.call("17", "POST", "/platform/realms", `{"name":"x"}`); status == 200 {
				made.Add(1)
			}
			if status, body := s.call("17", "PATCH", "/platform/realms/1/users/6", fmt.Sprintf(`{"metadata":{"k%d":1}}`, i)); status != 200 {
				t.Errorf("got %d %s", status, body)
			}
		})
	}
	work.Wait()
	_, body := s.call("17", "GET", "/platform/realms/1/users/6?fields=metadata", "")
	if made.Load() != 1 || strings.Count(body, `"k`) != 12 {
		t.Errorf("%d realms were made, want 1; the user has %s", made.Load(), body)
	}
}

// A guest leaves no realm, user, role or session (SPEC 14, 7).
func TestGuestsLeaveNoRealms(t *testing.T) {
	s := realmSite(t)
	for _, row := range [][3]string{
		{"POST", "/platform/realms", `{"name":"x"}`}, {"GET", "/platform/realms/all", ""}, {"PUT", "/platform/realms/1", `{"name":"x"}`}, {"DELETE", "/platform/realms/1", ""},
		{"POST", "/platform/realms/1/users", `{"name":"x"}`}, {"PUT", "/platform/realms/1/users/6", `{"password":"correct horse battery"}`}, {"GET", "/platform/realms/1/users/all", ""},
		{"POST", "/platform/realms/1/users/6/login", ""}, {"POST", "/platform/realms/1/users/6/logout", ""}, {"DELETE", "/platform/realms/1/users/6/password", ""},
		{"POST", "/platform/realms/1/roles", `{"name":"x","access":{"type":2}}`}, {"GET", "/platform/realms/1/logs", ""},
	} {
		if status, body := s.call("guest 19 for 11", row[0], row[1], row[2]); status != 403 || !strings.Contains(body, `"code":8`) {
			t.Errorf("%v: got %d %s", row, status, body)
		}
	}
}

// Records of a policy file are read, and not written (SPEC 14, 8).
func TestRealmsOfAPolicyFile(t *testing.T) {
	p, faults := store.ReadPolicy("p.yaml", []byte(realmFile), nil, 4)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, realmFile, func(o *platform.Options) {
		o.Store = platform.PolicyFile{Policy: func() *store.Policy { return p }, Name: "p.yaml"}
	})
	s.want(rows{
		{"17", "GET", "/platform/realms/all?fields=id", "", 200, `{"result":[{"id":1},{"id":2}]}`},
		{"17", "GET", "/platform/realms/1/users/all?fields=id", "", 200, `{"result":[{"id":5},{"id":6},{"id":9}]}`},
		{"17", "GET", "/platform/realms/1/roles/all", "", 200, `{"result":[]}`},
		{"17", "POST", "/platform/realms", `{"name":"x"}`, 405, `…edit p.yaml`},
		{"17", "PUT", "/platform/realms/1/users/6", `{"password":"correct horse battery"}`, 405, `…edit p.yaml`},
		{"17", "POST", "/platform/realms/1/users/6/login", "", 405, `…edit p.yaml`},
		{"17", "DELETE", "/platform/realms/1/users/6/password", "", 405, `…edit p.yaml`},
	})
}

// A token that a user made with the rights of a moment does no more than the user may later (SPEC 10.4,
// 5; 14, 1): the role or the access is lost, and with it what the token administers.
func TestTokensOfUsersLoseWithThem(t *testing.T) {
	s := realmSite(t)
	s.login("17", "2", "7", "nora")
	made := s.answer("nora", "POST", "/platform/tokens?fields=id", `{"access":{"type":1},"ttl":600}`, "")
	key := string(keyForm.Find(made.Body))
	if made.Status != 200 || key == "" {
		t.Fatalf("got %d %s", made.Status, made.Body)
	}
	s.sessions["made"] = key[len(`"key":"`) : len(key)-1]
	s.want(rows{
		{"made", "GET", "/platform/customer?fields=id", "", 200, `{"result":[{"id":111}]}`},
		{"17", "PUT", "/platform/realms/2?fields=id", `{"token_params":{"access":{"type":0}}}`, 200, `{"result":[{"id":2}]}`},
		{"made", "GET", "/platform/customer", "", 401, ``},
		{"nora", "GET", "/platform/customer", "", 403, `…"code":8`},
		{"17", "PUT", "/platform/realms/2/users/7?fields=roles", `{"roles":["account-admin"]}`, 200, `{"result":[{"roles":["account-admin"]}]}`},
		{"nora", "GET", "/platform/realms/2/users/all?fields=id", "", 200, `{"result":[{"id":7}]}`},
		{"nora", "POST", "/platform/tokens", `{"access":{"type":0},"ttl":60}`, 403, `…"code":8`},
		{"made", "GET", "/platform/customer", "", 401, ``},
		{"17", "PUT", "/platform/realms/2/users/7?fields=roles", `{"roles":[]}`, 200, `{"result":[{"roles":[]}]}`},
		{"nora", "GET", "/platform/realms/2/users/all", "", 403, `…"code":8`},
	})
}

// Where accounts are the backend's, tokens and realms are administered by its tree (SPEC 9).
func TestRealmsOfForeignAccounts(t *testing.T) {
	tree, faults := policy.NewTree([]policy.Account{{ID: 7}, {ID: 11, Parent: 7}, {ID: 12, Parent: 11}}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	s := newSite(t, realmFile, func(o *platform.Options) { o.Tree = func() *policy.Tree { return tree } })
	s.want(rows{
		{"17", "GET", "/platform/tokens/all,cid=12?fields=id", "", 200, `{"result":[{"id":19}]}`},
		{"17", "POST", "/platform/realms?fields=cid", `{"name":"x","cid":12}`, 200, `{"result":[{"cid":12}]}`},
		{"17", "POST", "/platform/realms", `{"name":"x","cid":111}`, 403, `…access denied to '\/accounts\/111'`},
		{"17", "GET", "/platform/realms/all/users/all?fields=id", "", 200, `{"result":[{"id":5},{"id":6}]}`},
	})
}
