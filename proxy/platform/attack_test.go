package platform_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/policy/store"
	"aclgate/proxy/platform"
)

// What somebody would try who means harm: a master, a user with roles, a consultant.

// made makes a record, and returns its id.
func (s *site) made(who, target, body string) int64 {
	s.t.Helper()
	status, text := s.call(who, "POST", target+"?fields=id", body)
	var a struct{ Result []struct{ ID int64 } }
	if err := json.Unmarshal([]byte(text), &a); err != nil || status != 200 || len(a.Result) != 1 {
		s.t.Fatalf("%s cannot make %s at %s: %d %s", who, body, target, status, text)
	}
	return a.Result[0].ID
}

// mole is a user of account 11 with a role that administers some records of a reach, and a consultant
// of account 12.
func moleSite(t *testing.T, role string) *site {
	s := realmSite(t)
	s.want(rows{{"1", "PUT", "/platform/subaccounts/12", `{"consultancy_account_id":11}`, 200, `…"id":12`}})
	s.made("17", "/platform/realms/1/roles", role)
	user := s.made("operator", "/platform/realms/1/users", `{"name":"mole","roles":["digger","consultant"]}`)
	s.login("operator", "1", fmt.Sprint(user), "mole")
	return s
}

// A role that administers what was granted to one's own account does not do so for the account of a
// client, which another role reaches.
func TestAttackByAnotherRolesReach(t *testing.T) {
	s := moleSite(t, `{"name":"digger","reach":"own","access":{"type":2,"acl":[]},"platform":[{"uri":"grantors","methods":["GET","DELETE"]}]}`)
	grant := s.made("operator", "/platform/grants", `{"cid":111,"name":"g","access":[{"uri":"account","levels":["view"]}]}`)
	s.want(rows{
		{"operator", "POST", fmt.Sprintf("/platform/grants/%d/subaccounts/12", grant), "", 200, `…"subaccount_id":12`},
		{"mole for 12", "GET", "/platform/realms/all/users/all", "", 200, `…`}, // the consultant's
		{"mole for 12", "GET", "/platform/grantors/all", "", 403, `…access denied to '\/accounts\/12'`},
		{"mole for 12", "DELETE", "/platform/grantors/all", "", 403, `…access denied to '\/accounts\/12'`},
		{"mole", "GET", "/platform/grantors/all", "", 200, `{"result":[]}`},
		{"operator", "GET", "/platform/grants/all/subaccounts/all", "", 200, fmt.Sprintf(`{"result":[{"grant_id":%d,"subaccount_id":12}]}`, grant)},
	})
}

// Who administers accounts by a role lets nobody consult them: consultants read what the role may not.
func TestAttackByConsultancy(t *testing.T) {
	s := moleSite(t, `{"name":"digger","reach":"branch","access":{"type":2,"acl":[]},"platform":[{"uri":"subaccounts","methods":["GET","POST","PUT"]}]}`)
	s.want(rows{
		{"mole", "PUT", "/platform/subaccounts/1111?fields=name", `{"name":"Dock"}`, 200, `{"result":[{"name":"Dock"}]}`},
		{"mole", "PUT", "/platform/subaccounts/1111", `{"consultancy_account_id":11}`, 403, `…"code":8,"reason":"a token may not create what is stronger than itself: consultancy_account_id`},
		{"mole", "POST", "/platform/subaccounts", `{"name":"x","consultancy_account_id":111}`, 403, `…"code":8`},
		{"17", "PUT", "/platform/subaccounts/1111?fields=consultancy_account_id", `{"consultancy_account_id":111}`, 200, `{"result":[{"consultancy_account_id":111}]}`},
		{"mole", "PUT", "/platform/subaccounts/1111?fields=consultancy_account_id", `{"consultancy_account_id":null}`, 200, `{"result":[{"consultancy_account_id":null}]}`},
	})
}

// Two users who administer each other do not prolong their sessions by turns.
func TestAttackByTurns(t *testing.T) {
	s := realmSite(t)
	other := s.made("operator", "/platform/realms/2/users", `{"name":"nils"}`)
	s.login("operator", "2", "7", "nora")
	ends := func() string {
		_, body := s.call("operator", "GET", "/platform/tokens/info=login?fields=expire,user_id", "")
		return body
	}
	first := s.now.Add(6 * time.Hour).Unix()
	s.now = s.now.Add(5 * time.Hour)
	s.login("nora", "2", fmt.Sprint(other), "nils")
	s.login("nils", "2", "7", "nora again")
	if got := ends(); strings.Count(got, fmt.Sprintf(`"expire":%d`, first)) != 3 {
		t.Errorf("sessions end at %s, want all at %d", got, first)
	}
}

// Rows name nobody above or beside: neither the user of a token, nor the limit of a realm's accounts.
func TestAttackByRows(t *testing.T) {
	s := realmSite(t)
	s.login("operator", "2", "7", "nora")
	token := s.made("nora", "/platform/tokens", `{"access":{"type":0},"ttl":60,"cid":1111}`)
	master := s.answer("operator for 1111", "POST", "/platform/tokens", `{"access":{"type":1},"ttl":60}`, "")
	s.sessions["yard"] = string(keyForm.Find(master.Body)[7:71])
	s.made("1", "/platform/realms", `{"name":"Own","cid":111,"home":{"type":2,"subaccount_id":111,"limit_id":5}}`)
	s.want(rows{
		{"30", "GET", fmt.Sprintf("/platform/tokens/%d?fields=user_id,realm_id", token), "", 200, `{"result":[{"realm_id":2,"user_id":7}]}`},
		{"17", "GET", fmt.Sprintf("/platform/tokens/%d?fields=user_id,realm_id", token), "", 200, `{"result":[{"realm_id":2,"user_id":7}]}`},
		{"yard", "GET", fmt.Sprintf("/platform/tokens/%d?fields=user_id,realm_id,created_by", token), "", 200, `{"result":[{"created_by":null,"realm_id":null,"user_id":null}]}`},
		{"yard", "GET", "/platform/tokens/all,user_id=7?fields=id", "", 200, `{"result":[]}`},
		{"1", "GET", "/platform/realms/name=Own?fields=home", "", 200, `{"result":[{"home":{"limit_id":5,"subaccount_id":111,"type":2}}]}`},
		{"30", "GET", "/platform/realms/name=Own?fields=home", "", 200, `{"result":[{"home":{"limit_id":null,"subaccount_id":111,"type":2}}]}`},
		{"30", "GET", "/platform/realms/home.limit_id=5?fields=id", "", 200, `{"result":[]}`},
	})
}

// Names that are not what they look like, members twice, and bodies that say two things.
func TestAttackByNames(t *testing.T) {
	s := realmSite(t)
	s.made("17", "/platform/realms/1/users", `{"name":"زهرا \u200cعلی"}`) // of U+200C words are made
	for _, name := range []string{"anna\u202e", "an\u200bna", "an\u00adna", "\u2066anna", "anna\ufeff", "anna\\u0000", "anna ", " anna", "ANNA", "anna\\r\\nx", "\u2028"} {
		status, body := s.call("17", "POST", "/platform/realms/1/users", `{"name":"`+name+`"}`)
		if status != 400 && status != 409 {
			t.Errorf("name %q: got %d %s", name, status, body)
		}
		if status, body = s.call("17", "PUT", "/platform/tokens/18", `{"info":"`+name+`"}`); strings.TrimSpace(name) == name && name != "ANNA" && status != 400 {
			t.Errorf("info %q: got %d %s", name, status, body)
		}
	}
	s.want(rows{
		{"17", "PUT", "/platform/tokens/18", `{"info":"a","info":"b"}`, 400, `…`},
		{"17", "PUT", "/platform/tokens/18", `{"info":"a","\u0069nfo":"b"}`, 400, `…`},
		{"17", "POST", "/platform/tokens", `{"access":{"type":0,"type":1},"ttl":5}`, 400, `…`},
		{"17", "POST", "/platform/tokens", `{"access":{"type":0},"ttl":5}{"access":{"type":1},"ttl":5}`, 400, `…`},
		{"17", "PUT", "/platform/tokens/18", `[{"info":"a"},{"enabled":true}]`, 400, `…`},
		{"17", "PUT", `/platform/tokens/18?data={"info":"a"}`, `{"info":"b"}`, 200, `…`},
		{"17", "GET", "/platform/realms/{name}/users/all", "", 400, `…`},
		{"17", "GET", "/platform/realms/1/users/password=*", "", 400, `…`},
		{"17", "GET", "/platform/realms/all?limit=-1", "", 400, `…`},
		{"17", "GET", "/platform/realms/all?offset=99999999999999999999", "", 400, `…`},
	})
}

// One call that would write for minutes, or change more than it may without naming it.
func TestAttackByNumbers(t *testing.T) {
	s := newSite(t, realmFile, func(o *platform.Options) { o.MaxWrite = 1 })
	s.sessions = map[string]string{}
	var ids []string
	for i := range 900 {
		ids = append(ids, fmt.Sprint(i+5000))
	}
	for range 12 {
		s.made("17", "/platform/grants", `{"name":"g","access":[{"uri":"account","levels":["view"]}]}`)
	}
	s.want(rows{
		{"17", "POST", "/platform/grants/all/subaccounts/" + strings.Join(ids, ","), "", 400, `…this is about more than 10000 links`},
		{"17", "POST", "/platform/realms/1/users/all/login", "", 400, `…this would change 3 records: name them`},
		{"17", "POST", "/platform/realms/1/users/all/logout", "", 400, `…name them`},
		{"17", "DELETE", "/platform/realms/1/users/all/password", "", 400, `…name them`},
		{"17", "POST", "/platform/realms/1/users/5,6/logout?fields=id", "", 200, `{"result":[{"id":5},{"id":6}]}`},
	})
}

// A user who signs in elsewhere has a session in memory alone. Roles let them administer as they let
// others; a user who was closed meanwhile does nothing, and what has an id of the store has to be there.
func TestSessionsFromElsewhere(t *testing.T) {
	s := realmSite(t)
	ask := func(id int64, method policy.Method, target, body string) platform.Answer {
		t.Helper()
		var req policy.Request
		if reason := req.Parse(s.engine, method, []byte(target)); reason != policy.NotJudged {
			t.Fatalf("%s: %v", target, reason)
		}
		token := policy.Token{ID: id, CID: 11, UserID: 5, Access: policy.ACLAccess, IsUser: true, Enabled: true, Expire: s.now.Unix() + 60}
		c := platform.Call{Request: &req, Now: s.now, Token: &token, Scope: 11}
		if body != "" {
			c.Body = []byte(body)
		}
		return s.api.Serve(context.Background(), &c)
	}
	const session = store.FirstSession + 7
	if a := ask(session, policy.GET, "/platform/customer", ""); a.Status != 200 || string(a.Body) != `{"result":[{"id":11,"name":"ACME"}]}` {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
	if a := ask(session, policy.PUT, "/platform/realms/1/users/6?fields=id", `{"metadata":{"a":1}}`); a.Status != 200 || a.Rev == 0 {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
	if a := ask(session, policy.GET, "/platform/tokens/all", ""); a.Status != 403 {
		t.Errorf("got %d %s, want what the role does not say to be refused", a.Status, a.Body)
	}
	if a := ask(5000, policy.GET, "/platform/customer", ""); a.Status != 401 {
		t.Errorf("a session of the store that is not there: got %d %s", a.Status, a.Body)
	}
	s.want(rows{{"operator", "PUT", "/platform/realms/1/users/5", `{"enabled":false}`, 200, `…`}})
	if a := ask(session, policy.GET, "/platform/customer", ""); a.Status != 401 {
		t.Errorf("a user who was closed: got %d %s", a.Status, a.Body)
	}
}
