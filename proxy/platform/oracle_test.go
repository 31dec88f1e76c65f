package platform_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
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

// Whatever is sent to whatever route, the answer is one of the API's, and holds neither a digest nor a
// key but the one that was just made.
func TestRandomCalls(t *testing.T) {
	s := newSite(t, siteFile, nil)
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	hexes := regexp.MustCompile(`[0-9a-f]{64}`)
	for range 3000 {
		method := pick("GET", "GET", "POST", "PUT", "PATCH", "DELETE")
		path := "/platform/" + pick("tokens", "customer/tokens", "subaccounts", "limits", "customer")
		if method != "POST" && !strings.HasSuffix(path, "customer") {
			path += "/" + pick("all", "17", "18,19,99", "cid=11", "all,cid=111", "name=*", "info=?*", "{x}", "5", "11,111", "key=*")
		}
		if method == "GET" && r.IntN(6) == 0 {
			path += "/logs"
		}
		path += pick("", "", "?fields=id", "?fields=key", "?fields=id,counters", "?fields=nope", "?limit=2&offset=1")
		body := pick("", "{", "null", "[]", `{"enabled":false}`, `{"name":"x"}`, `{"access":{"type":1},"ttl":60}`, `{"ttl":1e3}`, `{"limit_id":5}`, `{"limit_id":null}`,
			`[{"access":{"type":2,"acl":[{"uri":"gw","ids":[1]}]},"expire":4000000000}]`, `{"metadata":{"a":null}}`, `{"tokens_count":3}`, `{"key_sha256":"x"}`, `{"ips":"10.0.0.0/8"}`)
		who := pick("1", "17", "18", "19", "20", "21", "operator", "1 for 11", "17 for 111", "17 for 12", "operator for 11")
		a := s.answer(who, method, path, body, pick("", "", "*", `"x"`))
		text := string(a.Body)
		if a.Status >= 500 || a.Err != nil || a.Status == 200 && !json.Valid(a.Body) {
			t.Fatalf("%s: %s %s %s: got %d %s %v", who, method, path, body, a.Status, text, a.Err)
		}
		if hexes.MatchString(text) || method != "POST" && keyForm.MatchString(text) || strings.Contains(text, "key-of-token") {
			t.Fatalf("%s: %s %s: shows a digest or a key: %s", who, method, path, text)
		}
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
