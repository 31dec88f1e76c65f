package platform_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"aclgate/policy/store"
)

// What siteFile says, written out: the account above each, the accounts of tokens and limits.
var (
	parents  = map[int64]int64{1: 0, 11: 1, 12: 1, 111: 11, 1111: 111, 2: 0}
	tokenCID = map[int64]int64{1: 1, 17: 11, 18: 11, 19: 12, 20: 111, 21: 2}
	limitCID = map[int64]int64{5: 1}
)

// below reports whether an account is top or lies below it; top 0 is above all.
func below(top, cid int64) bool {
	for ; cid != 0; cid = parents[cid] {
		if cid == top {
			return true
		}
	}
	return top == 0
}

// Every caller, for every account, sees exactly what sets that are written out say: by all and by
// each id, whether there is such a record or not.
func TestWhoSeesWhat(t *testing.T) {
	s := newSite(t, siteFile, nil)
	masters := map[string]int64{"operator": 0, "1": 1, "17": 11, "19": 12, "21": 2}
	for name, own := range masters {
		for _, scope := range []int64{0, 1, 11, 12, 111, 1111, 2, 77} {
			who, top := name, own
			if scope != 0 {
				who, top = fmt.Sprint(name, " for ", scope), scope
			}
			_, known := parents[scope]
			allowed := scope == 0 || known && below(own, scope)
			for collection, sets := range map[string]map[int64]int64{"tokens": tokenCID, "customer/tokens": tokenCID, "limits": limitCID, "subaccounts": parents} {
				var want []int64
				for id, cid := range sets {
					if collection == "subaccounts" && id != top && below(top, id) || collection != "subaccounts" && below(top, cid) {
						want = append(want, id)
					}
				}
				slices.Sort(want)
				s.sees(who, collection, allowed, want)
			}
		}
	}
}

// sees compares what a caller sees of a collection, by all and by single ids.
func (s *site) sees(who, collection string, allowed bool, want []int64) {
	s.t.Helper()
	status, body := s.call(who, "GET", "/platform/"+collection+"/all?fields=id", "")
	if !allowed {
		if status != 403 || !strings.Contains(body, `access denied to '\/accounts\/`) {
			s.t.Errorf("%s, %s: got %d %s, want a denied account", who, collection, status, body)
		}
		return
	}
	var answer struct{ Result []struct{ ID int64 } }
	var got []int64
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 {
		s.t.Fatalf("%s, %s: got %d %s", who, collection, status, body)
	}
	for _, row := range answer.Result {
		got = append(got, row.ID)
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("%s, %s: got %v, want %v", who, collection, got, want)
	}
	for _, id := range []int64{1, 2, 5, 11, 12, 17, 18, 19, 20, 21, 99, 111, 1111} {
		status, body := s.call(who, "GET", fmt.Sprintf("/platform/%s/%d?fields=id", collection, id), "")
		word := collection[strings.LastIndexByte(collection, '/')+1:]
		denied := fmt.Sprintf(`{"errors":[{"code":6,"id":%d,"reason":"access denied to '\/%s\/%d'"}],"result":[]}`, id, word, id)
		if in := slices.Contains(want, id); in && status != 200 || !in && (status != 403 || body != denied) {
			s.t.Errorf("%s, %s/%d: got %d %s", who, collection, id, status, body)
		}
	}
}

// randomTarget returns a target of some route that is served, or of one beside it.
func randomTarget(r *rand.Rand) string {
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	one := func() string {
		return pick("all", "17", "18,19,99", "cid=11", "all,cid=111", "name=*", "info=?*", "{x}", "5", "11,111", "key=*", "password=*", "1", "1,2,3", "7", "0", "-1", "all,name=a*", "home.type=1", "roles=*", "")
	}
	path := "/platform/" + pick("tokens", "customer/tokens", "subaccounts", "limits", "customer", "grants", "grantors", "realms", "realms", "realms", "identity-providers")
	if r.IntN(5) > 0 && !strings.HasSuffix(path, "customer") {
		path += "/" + one()
	}
	switch {
	case strings.Contains(path, "realms/") && r.IntN(3) > 0:
		path += pick("/users", "/users/"+one(), "/users/"+one(), "/roles", "/roles/"+one(), "/users/"+one()+"/login", "/users/"+one()+"/logout", "/users/"+one()+"/password")
	case strings.Contains(path, "grants/") && r.IntN(3) > 0:
		path += "/subaccounts/" + one()
	}
	if r.IntN(8) == 0 {
		path += "/logs"
	}
	if r.IntN(3) > 0 {
		return path
	}
	return path + pick("?fields=id", "?fields=key", "?fields=id,counters", "?fields=nope", "?limit=2&offset=1", "?fields=password", "?fields=token,key", "?items=release", `?data={"password":"`+randomPassword+`"}`, `?data={"fields":["id","key"]}`)
}

// randomPassword is one that is tried everywhere.
const randomPassword = "a password that is nowhere"

// randomBodies are what is sent: what is right somewhere, and what is right nowhere.
var randomBodies = []string{
	"", "{", "null", "[]", `{"enabled":false}`, `{"name":"x"}`, `{"access":{"type":1},"ttl":60}`, `{"ttl":1e3}`, `{"limit_id":5}`, `{"limit_id":null}`,
	`[{"access":{"type":2,"acl":[{"uri":"gw","ids":[1]}]},"expire":4000000000}]`, `{"metadata":{"a":null}}`, `{"tokens_count":3}`, `{"key_sha256":"x"}`, `{"ips":"10.0.0.0/8"}`,
	`{"name":"g","access":[{"uri":"account","levels":["view","operate-as"]}]}`, `{"access":[{"uri":"gw/devices","ids":"all","levels":["view"]}],"cid":111}`, `{"access":[{}]}`,
	`{"name":"r","home":{"type":2,"subaccount_id":11}}`, `{"home":{"type":1}}`, `{"home":7,"token_params":[]}`, `{"token_params":{"access":{"type":1},"ips":"","origins":"*"}}`, `{"max_users":0}`,
	`{"name":"u","password":"` + randomPassword + `"}`, `{"password":"` + randomPassword + `"}`, `{"password":["` + randomPassword + `"]}`, `{"password":7}`, `{"roles":["account-admin"]}`, `{"roles":["nobody"],"cid":12}`,
	`{"name":"clerk","access":{"type":0},"reach":"branch","platform":[{"uri":"users","methods":["GET","POST"]}]}`, `{"when":{"account_roles":[1]}}`, `{"platform":[{"uri":"` + randomPassword + `","methods":[]}]}`, `{"assignable_by":"x"}`,
}

// Whatever is sent to whatever route, the answer is one of the API's, and holds neither a digest nor a
// password, nor a key but one that was just made. In the history is none of them.
func TestRandomCalls(t *testing.T) {
	answered := map[int]int{}
	for seed := range uint64(12) {
		randomCalls(t, seed, answered)
	}
	if answered[200] < 500 || answered[400] < 500 || answered[403] < 500 {
		t.Errorf("got %v: that shows little", answered)
	}
}

// randomCalls makes calls until the callers have ended each other.
func randomCalls(t *testing.T, seed uint64, answered map[int]int) {
	s := realmSite(t)
	for name, user := range map[string]string{"anna": "1/users/5", "nora": "2/users/7", "root": "3/users/8"} {
		realm, id, _ := strings.Cut(user, "/users/")
		s.login("operator", realm, id, name)
	}
	r := rand.New(rand.NewPCG(1, seed))
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	hexes := regexp.MustCompile(`[0-9a-f]{64}`)
	made := regexp.MustCompile(`"(key|token)":"[A-Za-z0-9]{64}"`)
	for range 1000 {
		method, path := pick("GET", "GET", "POST", "POST", "PUT", "PATCH", "DELETE"), randomTarget(r)
		if method == "DELETE" && r.IntN(5) > 0 {
			method = "PUT" // or the world were soon empty
		}
		who := pick("1", "17", "18", "19", "20", "21", "30", "32", "operator", "operator for 11", "1 for 11", "17 for 111", "17 for 12", "anna", "nora", "root", "root for 11", "guest 17")
		body := pick(randomBodies...)
		a := s.answer(who, method, path, body, pick("", "", "*", `"x"`))
		text := string(a.Body)
		if answered[a.Status]++; a.Status >= 500 || a.Err != nil || a.Status == 200 && !json.Valid(a.Body) {
			t.Fatalf("%s: %s %s %s: got %d %s %v", who, method, path, body, a.Status, text, a.Err)
		}
		if hexes.MatchString(text) || method != "POST" && made.MatchString(text) || strings.Contains(text, "key-of-token") || strings.Contains(text, randomPassword) || strings.Contains(text, "$hash of") {
			t.Fatalf("%s: %s %s %s: shows a digest, a key or a password: %s", who, method, path, body, text)
		}
	}
	err := s.live.Engine().Changes(context.Background(), store.ChangeQuery{}, func(c store.Change) error {
		if text := fmt.Sprintf("%+v %s %s", c, c.Before, c.After); made.MatchString(text) || strings.Contains(text, randomPassword) || strings.Contains(text, "$hash of") {
			t.Errorf("the history shows a key or a password: %s", text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Two PATCHes at once both apply, in some order, and no id is given twice (SPEC 14, 5 and 9).
func TestConcurrentChanges(t *testing.T) {
	s := newSite(t, siteFile, nil)
	var work sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]bool{}
	for i := range 20 {
		work.Go(func() {
			if status, body := s.call("17", "PATCH", "/platform/tokens/18", fmt.Sprintf(`{"metadata":{"k%d":%d}}`, i, i)); status != 200 {
				t.Errorf("got %d %s", status, body)
			}
			_, body := s.call("21", "POST", "/platform/limits?fields=id", `{"name":"l"}`)
			mu.Lock()
			defer mu.Unlock()
			if ids[body] {
				t.Errorf("an id was given twice: %s", body)
			}
			ids[body] = true
		})
	}
	work.Wait()
	_, body := s.call("17", "GET", "/platform/tokens/18?fields=metadata", "")
	for i := range 20 {
		if !strings.Contains(body, fmt.Sprintf(`"k%d":%d`, i, i)) {
			t.Errorf("change %d is lost: %s", i, body)
		}
	}
}
