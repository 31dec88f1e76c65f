package platform_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/routes"
	"aclgate/policy/store"
	"aclgate/policy/store/memory"
	"aclgate/proxy/platform"
)

// site is a database, the API over it, and what reads requests.
type site struct {
	t      testing.TB
	db     *memory.Engine
	live   *store.Live
	api    *platform.API
	engine *policy.Engine
	now    time.Time

	sessions map[string]string // keys of sessions, by what callers are called
}

// siteFile is the world of the tests: two roots, four levels, and a master on each account that calls.
const siteFile = `accounts:
  - {id: 1, name: operator}
  - {id: 11, name: ACME, parent: 1, limit_id: 5}
  - {id: 12, name: Harbour, parent: 1}
  - {id: 111, name: North, parent: 11}
  - {id: 1111, name: Yard, parent: 111}
  - {id: 2, name: other root}
limits:
  - {id: 5, cid: 1, name: small, tokens_count: 6, subaccounts_count: 3}
tokens:
  - {id: 1, key: key-of-token-1, cid: 1, expire: 4102444800, access: {type: master}}
  - {id: 17, key: key-of-token-17, cid: 11, ttl: 3600, created: 1800000000, info: acme, access: {type: master}}
  - {id: 18, key: key-of-token-18, cid: 11, expire: 4102444800, access: {type: acl, acl: [{uri: gw/devices, methods: [GET], ids: [7]}]}}
  - {id: 19, key: key-of-token-19, cid: 12, expire: 4102444800, info: harbour, access: {type: master}}
  - {id: 20, key: key-of-token-20, cid: 111, expire: 4102444800, access: {type: standard}}
  - {id: 21, key: key-of-token-21, cid: 2, expire: 4102444800, access: {type: master}}
`

func newSite(t testing.TB, text string, change func(*platform.Options)) *site {
	t.Helper()
	cat, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	tr, faults := store.ReadTransfer("p.yaml", []byte(text), cat, 4)
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, db: memory.New(), now: time.Unix(1_800_000_100, 0)}
	o := store.LiveOptions{Engine: s.db, MaxDepth: 4, Poll: time.Second, MaxStaleness: time.Minute, History: time.Hour}
	if _, err := store.Write(context.Background(), o, "import", func(tx *store.Tx) error { _, err := tr.Import(tx, true, nil); return err }); err != nil {
		t.Fatal(err)
	}
	s.live = store.NewLive(o)
	if err := s.live.Follow(context.Background()); err != nil {
		t.Fatal(err)
	}
	po := platform.Options{Store: platform.Database{Live: s.live}, Settings: admin.Settings{MaxDepth: 4, MakesAccounts: true}, Release: true}
	po.MaxAge, po.MaxSessions, po.Hash = 6*time.Hour, 3, func(password string) (string, error) { return "$hash of " + password, nil }
	if change != nil {
		change(&po)
	}
	s.api = platform.New(po)
	s.engine = &policy.Engine{Catalogue: cat, MaxIDs: 1000, Managed: platform.Managed(cat, false)}
	return s
}

// caller is who asks: the key of a token, operator, or "5 in boss", user 5 by a token from elsewhere that
// has boss among its groups; and behind a blank "for" the acting account.
func (s *site) call(who, method, target, body string) (int, string) {
	s.t.Helper()
	a := s.answer(who, method, target, body, "")
	return a.Status, string(a.Body)
}

func (s *site) answer(who, method, target, body, ifMatch string) platform.Answer {
	s.t.Helper()
	var req policy.Request
	if reason := req.Parse(s.engine, policy.ParseMethod([]byte(method)), []byte(target)); reason != policy.NotJudged {
		return platform.Answer{Status: reason.Answer().Status, Body: []byte(req.Detail), Reason: reason}
	}
	c := platform.Call{Request: &req, IfMatch: ifMatch, Now: s.now, Decision: "d", Source: "127.0.0.1"}
	if body != "" {
		c.Body = []byte(body)
	}
	name, scope, narrowed := strings.Cut(who, " for ")
	name, c.Guest = strings.CutPrefix(name, "guest ")
	if c.Narrowed = narrowed; narrowed {
		fmt.Sscan(scope, &c.Scope)
	}
	if name == "operator" {
		c.Operator = true
	} else if elsewhere, has, is := strings.Cut(name, " in "); is { // of account 11
		c.Token = &policy.Token{ID: store.FirstSession, CID: 11, Access: policy.ACLAccess, Enabled: true, Expire: s.now.Unix() + 600, Digest: store.DigestOf([]byte(has))}
		fmt.Sscan(elsewhere, &c.Token.UserID)
		if !narrowed {
			c.Scope = 11
		}
	} else {
		key := "key-of-token-" + name
		if session, found := s.sessions[name]; found {
			key = session
		}
		rec, err := s.live.Load(store.DigestOf([]byte(key)))
		if err != nil {
			return platform.Answer{Status: 401, Reason: policy.TokenUnknown}
		}
		c.Token = &rec.Token
		if !narrowed {
			c.Scope = rec.Token.CID
		}
	}
	if req.Route == nil {
		return platform.Answer{Status: 404, Reason: policy.UnknownRoute}
	}
	return s.api.Serve(context.Background(), &c)
}

// rows are calls with their answers.
type rows []struct {
	who, method, target, body string
	status                    int
	want                      string // the whole body, or a piece of it behind …
}

func (s *site) want(all rows) {
	s.t.Helper()
	for _, r := range all {
		status, body := s.call(r.who, r.method, r.target, r.body)
		piece, isPiece := strings.CutPrefix(r.want, "…")
		if status != r.status || isPiece && !strings.Contains(body, piece) || !isPiece && body != r.want {
			s.t.Errorf("%s: %s %s %s\ngot  %d %s\nwant %d %s", r.who, r.method, r.target, r.body, status, body, r.status, r.want)
		}
	}
}

// Reading: the default sets, fields, selectors of every kind, pages, and denied ids beside rows
// (SPEC 10.2).
func TestReading(t *testing.T) {
	s := newSite(t, siteFile, nil)
	s.want(rows{
		{"17", "GET", "/platform/tokens/18", "", 200, `{"result":[{"access":{"acl":[{"ids":[7],"methods":["GET"],"uri":"gw/devices"}],"type":2},"cid":11,"created":0,"enabled":true,"expire":4102444800,"id":18,"info":"","ips":"","ttl":0}]}`},
		{"17", "GET", "/platform/tokens/all?fields=id,cid", "", 200, `{"result":[{"cid":11,"id":17},{"cid":11,"id":18},{"cid":111,"id":20}]}`},
		{"17", "GET", "/platform/tokens/20,19,17,99?fields=id", "", 200, `{"errors":[{"code":6,"id":19,"reason":"access denied to '\/tokens\/19'"},{"code":6,"id":99,"reason":"access denied to '\/tokens\/99'"}],"result":[{"id":17},{"id":20}]}`},
		{"17", "GET", "/platform/tokens/19", "", 403, `{"errors":[{"code":6,"id":19,"reason":"access denied to '\/tokens\/19'"}],"result":[]}`},
		{"17", "GET", "/platform/tokens/99", "", 403, `{"errors":[{"code":6,"id":99,"reason":"access denied to '\/tokens\/99'"}],"result":[]}`},
		{"17", "GET", "/platform/tokens/info=a*?fields=info", "", 200, `{"result":[{"info":"acme"}]}`},
		{"17", "GET", "/platform/tokens/info=harbour?fields=info", "", 200, `{"result":[]}`},
		{"17", "GET", "/platform/tokens/all,cid=111?fields=id", "", 200, `{"result":[{"id":20}]}`},
		{"17", "GET", "/platform/tokens/17,20,19,cid=111?fields=id", "", 200, `{"errors":[{"code":6,"id":19,"reason":"access denied to '\/tokens\/19'"}],"result":[{"id":20}]}`},
		{"17", "GET", "/platform/tokens/key=x", "", 400, `{"errors":[{"code":2,"reason":"key: cannot be matched"}]}`},
		{"17", "GET", "/platform/tokens/{id>5}", "", 400, `{"errors":[{"code":2,"reason":"expressions are not evaluated here: name fields, as in name=x"}]}`},
		{"17", "GET", "/platform/tokens/all?fields=key_sha256", "", 400, `…"code":2,"reason":"fields: key_sha256: there is no such field","schema_hint":["access"`},
		{"17", "GET", "/platform/tokens/all?fields=id,key", "", 200, `…{"id":17,"key":null}`},
		{"17", "GET", "/platform/tokens/all?fields=id&limit=1&offset=1", "", 200, `{"pagination":{"count":3,"limit":1,"offset":1},"result":[{"id":18}]}`},
		{"17", "GET", "/platform/tokens/all?fields=id&limit=0", "", 200, `{"pagination":{"count":3,"limit":0,"offset":0},"result":[]}`},
		{"17", "GET", "/platform/tokens/all?fields=id&offset=7", "", 200, `{"pagination":{"count":3,"limit":0,"offset":7},"result":[]}`},
		{"17", "GET", "/platform/tokens/all?limit=99999", "", 400, `…limit: expected`},
		{"17", "GET", `/platform/tokens/17?data={"fields":"id"}`, "", 200, `{"result":[{"id":17}]}`},
		{"17", "GET", `/platform/tokens/17?data={"fields":["id","cid"]}`, "", 200, `{"result":[{"cid":11,"id":17}]}`},
		{"17", "GET", `/platform/tokens/17?data={"filter":"x"}`, "", 400, `…data: expected an object with fields`},
		{"17", "GET", "/platform/customer/tokens/all?fields=id,acl", "", 200, `{"result":[{"acl":[],"id":17},{"acl":[{"ids":[7],"methods":["GET"],"uri":"gw/devices"}],"id":18},{"acl":[],"id":20}]}`},
		{"17 for 111", "GET", "/platform/tokens/all?fields=id", "", 200, `{"result":[{"id":20}]}`},
		{"17", "GET", "/platform/subaccounts/all", "", 200, `{"result":[{"cid":11,"id":111,"limit_id":null,"name":"North"},{"cid":111,"id":1111,"limit_id":null,"name":"Yard"}]}`},
		{"17", "GET", "/platform/subaccounts/cid=11?fields=id,blocked", "", 200, `{"result":[{"blocked":0,"id":111}]}`},
		{"17", "GET", "/platform/subaccounts/11", "", 403, `…code":6,"id":11`},
		{"17", "GET", "/platform/subaccounts/1", "", 403, `…code":6,"id":1,"reason":"access denied to '\/subaccounts\/1'"`},
		{"17", "GET", "/platform/limits/all", "", 200, `{"result":[]}`},
		{"17", "GET", "/platform/limits/5", "", 403, `…code":6,"id":5`},
		{"17", "GET", "/platform/customer", "", 200, `{"result":[{"id":11,"name":"ACME"}]}`},
		{"17", "GET", "/platform/customer?fields=cid,limits.tokens_count,counters.tokens_count,counters.subaccounts_count", "", 200, `{"result":[{"cid":null,"counters":{"subaccounts_count":2,"tokens_count":3},"limits":{"tokens_count":6}}]}`},
		{"17 for 111", "GET", "/platform/customer?fields=id,cid", "", 200, `{"result":[{"cid":null,"id":111}]}`},
		{"operator", "GET", "/platform/subaccounts/all?fields=id,cid", "", 200, `{"result":[{"cid":0,"id":1},{"cid":0,"id":2},{"cid":1,"id":11},{"cid":1,"id":12},{"cid":11,"id":111},{"cid":111,"id":1111}]}`},
		{"operator", "GET", "/platform/customer", "", 400, `…x-flespi-cid: expected the account to act for`},
		{"operator for 1", "GET", "/platform/limits/all", "", 200, `{"result":[{"id":5,"name":"small"}]}`},
		{"operator for 77", "GET", "/platform/limits/all", "", 403, `…access denied to '\/accounts\/77'`},
		{"18", "GET", "/platform/tokens/all", "", 403, `{"errors":[{"code":8,"reason":"action is not permitted by ACL"}],"result":[]}`},
		{"20", "GET", "/platform/customer", "", 403, `…"code":8`},
		{"17", "GET", "/platform/tokens/17/logs/calculate", "", 404, `…no such resource`},
	})
}

var keyForm = regexp.MustCompile(`"key":"[A-Za-z0-9]{64}"`)

// Tokens: what a POST makes, what changes, and that nobody hands out more than they hold (SPEC 10.4).
func TestTokens(t *testing.T) {
	s := newSite(t, siteFile, nil)
	made := s.answer("17", "POST", "/platform/tokens?fields=id,cid,created_by", `{"access":{"type":0},"ttl":60}`, "")
	if made.Status != 200 || !keyForm.Match(made.Body) || made.ETag == "" || made.Rev == 0 {
		t.Fatalf("got %+v %s", made, made.Body)
	}
	if got := keyForm.ReplaceAllString(string(made.Body), `"key":"K"`); got != `{"result":[{"cid":11,"created_by":17,"id":22,"key":"K"}]}` {
		t.Errorf("got %s", got)
	}
	key := string(regexp.MustCompile(`[A-Za-z0-9]{64}`).Find(made.Body))
	if rec, err := s.live.Load(store.DigestOf([]byte(key))); err != nil || rec.Token.ID != 22 {
		t.Errorf("the key does not work: %v", err)
	}
	s.want(rows{
		{"17", "GET", "/platform/tokens/22?fields=key", "", 200, `{"result":[{"key":null}]}`},
		{"17", "GET", "/platform/tokens/22?fields=id,info", "", 200, `{"result":[{"id":22,"info":""}]}`},
		{"17", "PUT", "/platform/tokens/22?fields=info,metadata", `{"info":"x","metadata":{"a":1,"b":2}}`, 200, `{"result":[{"info":"x","metadata":{"a":1,"b":2}}]}`},
		{"17", "PATCH", "/platform/tokens/22?fields=metadata", `{"metadata":{"a":null,"c":{"d":3}}}`, 200, `{"result":[{"metadata":{"b":2,"c":{"d":3}}}]}`},
		{"17", "PUT", "/platform/tokens/22?fields=enabled", `[{"enabled":false}]`, 200, `{"result":[{"enabled":false}]}`},
		{"17", "PUT", `/platform/tokens/22?fields=enabled&data={"enabled":true}`, "", 200, `{"result":[{"enabled":true}]}`},
		{"17", "PUT", "/platform/tokens/22,19,99?fields=info", `{"info":"y"}`, 200, `…"id":19,"reason":"access denied to '\/tokens\/19'"},{"code":6,"id":99,"reason":"access denied to '\/tokens\/99'"}],"result":[{"info":"y"}]}`},
		{"17", "PUT", "/platform/tokens/19", `{"Info":"y"}`, 403, `…"code":6,"id":19`}, // before the body's faults
		{"17", "PUT", "/platform/tokens/22", `{"cid":111}`, 400, `…"code":2,"reason":"cid: never changes"`},
		{"17", "PUT", "/platform/tokens/22", `{"key":"x"}`, 400, `…key: is read-only`},
		{"17", "PUT", "/platform/tokens/22", `{"x":1}`, 400, `…x: there is no such field","schema_hint":["access","enabled","expire","info","ips","metadata","origins","ttl"]`},
		{"17", "PUT", "/platform/tokens/22", `{"ttl":0}`, 400, `…a token needs a limit in time`},
		{"17", "PUT", "/platform/tokens/22", ``, 400, `…expected an object with the fields to change`},
		{"17", "PUT", "/platform/tokens/22", `{`, 400, `{"errors":[{"code":400,"reason":"expected a key at byte 1"}]}`},
		{"17", "POST", "/platform/tokens", `{"access":{"type":1}}`, 400, `…a token needs a limit in time`},
		{"17", "POST", "/platform/tokens", `{"ttl":5}`, 400, `…access: is missing`},
		{"17", "POST", "/platform/tokens", `[{"access":{"type":0},"ttl":5},{"access":{"type":0},"ttl":5,"cid":12}]`, 403, `…"code":6,"id":12,"reason":"access denied to '\/accounts\/12'"`},
		{"17", "POST", "/platform/tokens", `[{"access":{"type":0},"ttl":5},{"access":{"type":9},"ttl":5}]`, 400, `…[1].access.type: expected 0 (standard)`},
		{"17", "POST", "/platform/customer/tokens", `{"acl":[],"ttl":5}`, 400, `…access: is missing`},
		{"17", "POST", "/platform/customer/tokens?fields=acl,access", `{"acl":[{"uri":"storage","methods":["GET"]}],"ttl":5}`, 200, `…"access":{"acl":[{"methods":["GET"],"uri":"storage"}],"type":2},"acl":[{"methods":["GET"],"uri":"storage"}],"key":"`},
		{"17", "PUT", "/platform/tokens/17", `{"ttl":7200}`, 403, `…"code":8,"reason":"a token may not create what is stronger than itself: of itself it may write`},
		{"17", "PUT", "/platform/tokens/17?fields=info", `{"info":"me"}`, 200, `{"result":[{"info":"me"}]}`},
		{"17", "GET", "/platform/tokens/all?fields=id", "", 200, `{"result":[{"id":17},{"id":18},{"id":20},{"id":22},{"id":23}]}`},
		{"17 for 111", "POST", "/platform/tokens?fields=cid", `{"access":{"type":0},"ttl":5}`, 200, `…{"cid":111,"key":"`},
		{"17", "POST", "/platform/tokens", `{"access":{"type":0},"ttl":5}`, 403, `…"code":403,"reason":"limit tokens_count of account 11 is reached (6)"`},
		{"17 for 111", "POST", "/platform/tokens", `{"access":{"type":0},"ttl":5}`, 403, `…limit tokens_count of an account above is reached`},
		{"1", "DELETE", "/platform/tokens/1", "", 409, `…token 1 is the last master of account 1 that can be used`},
		{"17", "DELETE", "/platform/tokens/22,23,99", "", 200, `…"result":[{"id":22},{"id":23}]}`},
		{"operator", "DELETE", "/platform/tokens/1", "", 200, `{"result":[{"id":1}]}`},
		{"1", "GET", "/platform/customer", "", 401, ``},
		{"17", "DELETE", "/platform/tokens/all", "", 200, `{"result":[{"id":17},{"id":18},{"id":20},{"id":24}]}`}, // of no root
	})
	if rec, err := s.live.Load(store.DigestOf([]byte(key))); err == nil {
		t.Errorf("the key of a deleted token works: %+v", rec)
	}
}

// Accounts and limits: who makes, bounds, blocks and deletes them (SPEC 10.5, 12).
func TestAccounts(t *testing.T) {
	s := newSite(t, siteFile, nil)
	s.want(rows{
		{"17", "POST", "/platform/subaccounts?fields=id,cid,name,created", `{"name":"South"}`, 200, `{"result":[{"cid":11,"created":1800000100,"id":1112,"name":"South"}]}`},
		{"17", "POST", "/platform/subaccounts", `{"name":"x"}`, 403, `…limit subaccounts_count of account 11 is reached (3)`},
		{"17 for 1111", "POST", "/platform/subaccounts", `{"name":"x"}`, 400, `…accounts have at most 4 levels`},
		{"17", "POST", "/platform/subaccounts", `{"limit_id":5}`, 400, `…name: is missing`},
		{"17", "PUT", "/platform/subaccounts/1112", `{"limit_id":5}`, 403, `…access denied to '\/limits\/5'`},
		{"17", "POST", "/platform/limits?fields=id,cid,api_calls", `{"name":"l","api_calls":10,"device_storage":5}`, 200, `{"result":[{"api_calls":10,"cid":11,"id":6}],"warnings":[{"reason":"device_storage is not enforced here"}]}`},
		{"17", "PUT", "/platform/subaccounts/1112", `{"limit_id":6}`, 200, `{"result":[{"cid":11,"id":1112,"limit_id":6,"name":"South"}]}`},
		{"17", "DELETE", "/platform/limits/6", "", 409, `…limit 6 bounds account 1112`},
		{"17", "PUT", "/platform/subaccounts/111", `{"enabled":false}`, 200, `…"id":111`},
		{"17", "GET", "/platform/subaccounts/all?fields=id,blocked", "", 200, `{"result":[{"blocked":2,"id":111},{"blocked":2,"id":1111},{"blocked":0,"id":1112}]}`},
		{"17", "GET", "/platform/tokens/20?fields=blocked", "", 200, `{"result":[{"blocked":2}]}`},
		{"1", "PUT", "/platform/subaccounts/11", `{"enabled":false}`, 200, `…"id":11`},
		{"17", "GET", "/platform/customer", "", 403, `{"errors":[{"code":403,"reason":"account 11 is blocked"}]}`},
		{"17", "PUT", "/platform/subaccounts/11", `{"enabled":true}`, 403, `…account 11 is blocked`},
		{"1 for 11", "PUT", "/platform/customer?fields=name", `{"name":"ACME 2"}`, 200, `{"result":[{"name":"ACME 2"}]}`}, // a master above is not
		{"1 for 11", "PUT", "/platform/customer", `{"enabled":true}`, 400, `…enabled: there is no such field`},
		{"1", "PUT", "/platform/subaccounts/11", `{"enabled":true,"consultancy_account_id":12}`, 200, `…"id":11`},
		{"17", "DELETE", "/platform/subaccounts/111", "", 409, `…account 111 has accounts below it`},
		{"17", "DELETE", "/platform/subaccounts/111,1111", "", 200, `{"result":[{"id":111},{"id":1111}]}`},
		{"17", "GET", "/platform/tokens/20", "", 403, `…"id":20`},
		{"1", "DELETE", "/platform/subaccounts/12", "", 200, `{"result":[{"id":12}]}`},
		{"1", "GET", "/platform/subaccounts/11?fields=consultancy_account_id", "", 200, `{"result":[{"consultancy_account_id":null}]}`},
		{"19", "GET", "/platform/customer", "", 401, ``},
		{"operator", "POST", "/platform/subaccounts?fields=id,cid", `{"name":"third root"}`, 200, `{"result":[{"cid":0,"id":1113}]}`},
		{"operator", "PUT", "/platform/customer", `{"name":"x"}`, 400, `…x-flespi-cid`},
		{"operator for 2", "POST", "/platform/tokens?fields=cid", `{"access":{"type":1},"ttl":60}`, 200, `…"cid":2`},
	})
}

// Whose items are is forgotten with their account only where that was asked for.
func TestItemsOfADeletedAccount(t *testing.T) {
	s := newSite(t, siteFile, nil)
	_, err := s.live.Write(context.Background(), "test", func(tx *store.Tx) error {
		return tx.PutOwner(store.Owner{Collection: "gw/devices", ID: 7, CID: 12})
	})
	if err != nil {
		t.Fatal(err)
	}
	s.want(rows{
		{"1", "DELETE", "/platform/subaccounts/12", "", 409, `…has items: move them, or delete it with items=release`},
		{"1", "DELETE", "/platform/subaccounts/12?items=release", "", 200, `{"result":[{"id":12}]}`},
	})
	if cid, found := s.live.Owner("gw/devices", 7); found {
		t.Errorf("the item still is account %d's", cid)
	}
}

// ETag and If-Match: who was slower changes nothing (SPEC 15.6).
func TestIfMatch(t *testing.T) {
	s := newSite(t, siteFile, nil)
	first := s.answer("17", "GET", "/platform/tokens/18", "", "")
	if first.ETag == "" || s.answer("17", "GET", "/platform/tokens/all", "", "").ETag != "" {
		t.Fatalf("got %q", first.ETag)
	}
	second := s.answer("17", "PUT", "/platform/tokens/18", `{"info":"a"}`, first.ETag)
	if second.Status != 200 || second.ETag == first.ETag || second.ETag == "" {
		t.Fatalf("got %d %s", second.Status, second.ETag)
	}
	for _, row := range []struct {
		who, target, body, match string
		status                   int
	}{
		{"17", "/platform/tokens/18", `{"info":"b"}`, first.ETag, 412},
		{"17", "/platform/tokens/18", `{"Info":"b"}`, first.ETag, 412}, // before the body's faults
		{"17", "/platform/tokens/18", `{"info":"b"}`, `W/` + second.ETag, 412},
		{"17", "/platform/tokens/18", `{"info":"b"}`, `"x", ` + second.ETag, 200},
		{"17", "/platform/tokens/18", `{"info":"c"}`, "*", 200},
		{"17", "/platform/tokens/18,20", `{"info":"c"}`, "*", 400},
		{"17", "/platform/tokens/19", `{"info":"c"}`, first.ETag, 403}, // after rights
		{"17", "/platform/customer", `{"email":"x"}`, `"y"`, 412},
	} {
		if got := s.answer(row.who, "PUT", row.target, row.body, row.match); got.Status != row.status {
			t.Errorf("%+v: got %d %s", row, got.Status, got.Body)
		}
	}
}

// What is refused changes nothing, and what would reach more than it may has to be named.
func TestNothingHalfDone(t *testing.T) {
	s := newSite(t, siteFile, func(o *platform.Options) { o.MaxWrite = 2 })
	before := s.live.Applied()
	s.want(rows{
		{"1", "PUT", "/platform/tokens/all", `{"info":"x"}`, 400, `…this would change 5 records: name them`},
		{"17", "PUT", "/platform/tokens/17,18,20", `{"ttl":5}`, 403, `…stronger`},
		{"1", "POST", "/platform/subaccounts", `[{"name":"a"},{"name":""}]`, 400, `…[1].name`},
		{"17", "PUT", "/platform/tokens/18?fields=id", `{"info":""}`, 200, `{"result":[{"id":18}]}`}, // as it was
	})
	if s.live.Applied() != before {
		t.Error("something was changed")
	}
}
