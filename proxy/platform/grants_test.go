package platform_test

import (
	"slices"
	"testing"
)

// Grants are made, linked by whoever sees both ends, seen and given up by the grantee, and obeyed when the
// answer is written (SPEC 10.7).
func TestGrants(t *testing.T) {
	s := newSite(t, siteFile, nil)
	granted := func(cid int64, want ...int64) {
		t.Helper()
		var ids []int64
		for _, g := range s.live.Grants().To(cid) {
			ids = append(ids, g.ID)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("account %d has got %v, want %v", cid, ids, want)
		}
	}
	const vans = `{"name":"vans","access":[{"uri":"gw/devices","ids":[7],"levels":["view"]}]}`
	play := func(all ...[5]any) {
		t.Helper()
		for _, row := range all {
			status, body := s.call(row[0].(string), row[1].(string), row[2].(string), "")
			if len(row) == 5 && row[4] != nil {
				status, body = s.call(row[0].(string), row[1].(string), row[2].(string), row[4].(string))
			}
			if want := row[3].(string); status/100 != int(want[0]-'0') || body != want[2:] {
				t.Errorf("%s %s %s: got %d %s, want %s", row[0], row[1], row[2], status, body, want)
			}
		}
	}
	const denied = `4 {"errors":[{"code":6,"id":%ID,"reason":"access denied to '\/%KIND\/%ID'"}],"result":[]}`
	no := func(kind, id string) string {
		text := ""
		for i := 0; i < len(denied); i++ {
			switch {
			case i+3 <= len(denied) && denied[i:i+3] == "%ID":
				text, i = text+id, i+2
			case i+5 <= len(denied) && denied[i:i+5] == "%KIND":
				text, i = text+kind, i+4
			default:
				text += denied[i : i+1]
			}
		}
		return text
	}
	status, body := s.call("17", "POST", "/platform/grants?fields=id,cid,name,access", vans)
	if want := `{"result":[{"access":[{"ids":[7],"levels":["view"],"uri":"gw/devices"}],"cid":11,"id":1,"name":"vans"}]}`; status != 200 || body != want {
		t.Fatalf("got %d %s, want %s", status, body, want)
	}
	play(
		[5]any{"17", "GET", "/platform/grants/all?fields=name", `2 {"result":[{"name":"vans"}]}`, nil},
		[5]any{"19", "GET", "/platform/grants/all", `2 {"result":[]}`, nil},
		[5]any{"19", "GET", "/platform/grants/1", no("grants", "1"), nil},
		// 11 does not see 12; the account above sees both.
		[5]any{"17", "POST", "/platform/grants/1/subaccounts/12", no("subaccounts", "12"), nil},
		[5]any{"19", "POST", "/platform/grants/1/subaccounts/12", no("grants", "1"), nil},
	)
	granted(12)
	play([5]any{"operator", "POST", "/platform/grants/1/subaccounts/12,111", `2 {"result":[{"grant_id":1,"subaccount_id":12},{"grant_id":1,"subaccount_id":111}]}`, nil})
	granted(12, 1)
	granted(111, 1)
	play(
		[5]any{"17", "GET", "/platform/grants/1/subaccounts/all", `2 {"result":[{"grant_id":1,"subaccount_id":12},{"grant_id":1,"subaccount_id":111}]}`, nil},
		// The grantee sees what it has got and from whom, and no other grantee; not the grant itself.
		[5]any{"19", "GET", "/platform/grantors/all?fields=id,cid,name", `2 {"result":[{"cid":11,"id":1,"name":"vans"}]}`, nil},
		[5]any{"19", "GET", "/platform/grants/1/subaccounts/all", no("grants", "1"), nil},
		[5]any{"17", "GET", "/platform/grantors/1", no("grantors", "1"), nil},
		[5]any{"21", "GET", "/platform/grantors/all", `2 {"result":[]}`, nil},
		[5]any{"18", "GET", "/platform/grantors/all", `4 {"errors":[{"code":8,"reason":"action is not permitted by ACL"}],"result":[]}`, nil},
		// Given up, it is gone for this grantee alone.
		[5]any{"19", "DELETE", "/platform/grantors/1?fields=id", `2 {"result":[{"id":1}]}`, nil},
	)
	granted(12)
	granted(111, 1)
	play(
		[5]any{"17", "DELETE", "/platform/grants/1/subaccounts/12", no("subaccounts", "12"), nil},
		[5]any{"17", "DELETE", "/platform/grants/1/subaccounts/111", `2 {"result":[{"grant_id":1,"subaccount_id":111}]}`, nil},
	)
	granted(111)
	play(
		[5]any{"operator", "POST", "/platform/grants/1/subaccounts/12,111", `2 {"result":[{"grant_id":1,"subaccount_id":12},{"grant_id":1,"subaccount_id":111}]}`, nil},
		[5]any{"17", "PUT", "/platform/grants/1?fields=id", `2 {"result":[{"id":1}]}`, `{"enabled":false}`},
	)
	granted(12)
	play([5]any{"17", "PUT", "/platform/grants/1?fields=id", `2 {"result":[{"id":1}]}`, `{"enabled":true}`})
	granted(12, 1)
	// With the grantor's account goes what it granted; with the grantee's, what it got.
	if status, body := s.call("1", "DELETE", "/platform/subaccounts/12", ""); status != 200 {
		t.Fatalf("got %d %s", status, body)
	}
	granted(12)
	granted(111, 1)
	play([5]any{"17", "DELETE", "/platform/grants/1", `2 {"result":[{"id":1}]}`, nil})
	granted(111)
}
