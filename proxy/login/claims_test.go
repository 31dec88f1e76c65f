package login

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"aclgate/policy/record"
	"aclgate/policy/store"
	"aclgate/proxy/login/jwt"
	"aclgate/proxy/login/jwt/jwttest"
)

const mappedRealm = `{"id":1,"cid":11,"public_id":"acme","name":"ACME","audience":"aclgate","registration":"first-sight","max_users":2,"claims":{"issuer":"corp","roles":[
	{"claim":"groups","value":"advisers","gives":["consultant"]},{"claim":"realm_access.roles","value":"boss","gives":["account-admin"]},
	{"claim":"https://example.com/roles","value":"clerk","gives":["clerk","gone"]},{"claim":["resource_access","a.b","roles"],"value":"clerk","gives":["clerk"]},
	{"claim":"groups","value":"agents","gives":["agent"]},{"claim":"groups","value":"kings","gives":["admin"]}]}}`

// mapped is a gateway whose realm has claims give roles, among them one that is not there, one whose
// condition is not met, and one that reaches further than the realm.
func mapped(t *testing.T) (*followed, *jwttest.Issuer) {
	f, i := signIn(t, mappedRealm)
	f.write(t, func(tx *store.Tx) error {
		for id, doc := range map[int64]string{
			1: `{"id":1,"realm_id":1,"name":"clerk","access":{"type":2,"acl":[{"uri":"gw/devices","methods":["GET"]}]}}`,
			2: `{"id":2,"realm_id":1,"name":"agent","access":{"type":0},"when":{"account_roles":["agent"]}}`,
		} {
			if err := tx.PutDoc(store.Roles, id, []byte(doc)); err != nil {
				return err
			}
		}
		return nil
	})
	return f, i
}

// claiming is a token with more claims.
func claiming(t testing.TB, i *jwttest.Issuer, sub, more string) []byte {
	now := time.Now().Unix()
	if more != "" {
		more = "," + more
	}
	return []byte(jwttest.Sign(t, i.RSA, jwtHeader, fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":"aclgate","iat":%d,"exp":%d%s}`, i.URL, sub, now, now+600, more)))
}

// rolesOf returns the names of the roles of a token, a member's left out.
func (f *followed) rolesOf(t *testing.T, token []byte) []string {
	t.Helper()
	rec, err := f.st.Load(store.DigestOf(token))
	if err != nil || !rec.Token.Enabled || !rec.Token.IsUser || rec.Roles[0].Name != "member" {
		t.Fatalf("got %v %+v", err, rec)
	}
	names := []string{}
	for _, r := range rec.Roles[1:] {
		names = append(names, r.Name)
	}
	return names
}

// Claims give roles as the realm says, beside those of the record and of a member; each token has those of
// its own claims, and one without a claim is without its roles. What is mapped to nothing gives nothing.
func TestRolesFromClaims(t *testing.T) {
	f, i := mapped(t)
	for claims, want := range map[string]string{
		"":                      "",
		`"groups":"advisers"`:   "consultant",
		`"groups":["advisers"]`: "consultant",
		`"groups":["x","agents","kings","advisers","advisers"]`:                                               "consultant",
		`"realm_access":{"roles":["x","boss"]}`:                                                               "account-admin",
		`"https://example.com/roles":["clerk"]`:                                                               "clerk",
		`"resource_access":{"a.b":{"roles":"clerk"}},"groups":["advisers"],"realm_access":{"roles":["boss"]}`: "consultant account-admin clerk",
		`"groups":["account-admin","consultant","clerk"],"roles":["admin"]`:                                   "", // names of roles are no values
	} {
		token := claiming(t, i, "client-7", claims)
		if _, ok := f.bearer(token); !ok {
			t.Fatalf("%s: not accepted", claims)
		}
		if got := strings.Join(f.rolesOf(t, token), " "); got != want {
			t.Errorf("%s: got %q, want %q", claims, got, want)
		}
	}
	// The record's roles are there whatever the claims say; a login has these alone.
	f.write(t, func(tx *store.Tx) error {
		return tx.PutDoc(store.Users, 5, []byte(`{"id":5,"realm_id":1,"cid":11,"name":"anna","roles":["clerk"]}`))
	})
	token := claiming(t, i, "anna", `"groups":["advisers"]`)
	if _, ok := f.bearer(token); !ok {
		t.Fatal("anna is not accepted")
	}
	if got := f.rolesOf(t, token); !slices.Equal(got, []string{"clerk", "consultant"}) {
		t.Errorf("got %v", got)
	}
	if rec, found := f.SessionOf(5, 1<<40, nil); !found || len(rec.Roles) != 2 {
		t.Errorf("a login of anna: got %+v", rec)
	}
	// Whoever has an access of their own has that, whatever the claims say.
	f.write(t, func(tx *store.Tx) error {
		return tx.PutDoc(store.Users, 5, []byte(`{"id":5,"realm_id":1,"cid":11,"name":"anna","token_params":{"access":{"type":0}}}`))
	})
	if rec, err := f.st.Load(store.DigestOf(token)); err != nil || rec.Token.IsUser || len(rec.Roles) > 0 {
		t.Errorf("got %v %+v", err, rec)
	}
}

// What the records say now is what a remembered token has now: of the mapping, and of the roles.
func TestRememberedTokensFollowTheMapping(t *testing.T) {
	f, i := mapped(t)
	one, two := claiming(t, i, "client-7", `"groups":["advisers"],"team":"night"`), claiming(t, i, "client-7", `"realm_access":{"roles":["boss"]},"team":"day"`)
	for _, token := range [][]byte{one, two} {
		if _, ok := f.bearer(token); !ok {
			t.Fatal("not accepted")
		}
	}
	put := func(table store.Table, id int64, doc string) {
		f.write(t, func(tx *store.Tx) error {
			if doc == "" {
				return tx.Delete(table, id)
			}
			return tx.PutDoc(table, id, []byte(doc))
		})
	}
	is := func(when, first, second string) {
		t.Helper()
		if a, b := strings.Join(f.rolesOf(t, one), " "), strings.Join(f.rolesOf(t, two), " "); a != first || b != second {
			t.Errorf("%s: got %q and %q, want %q and %q", when, a, b, first, second)
		}
	}
	is("at first", "consultant", "account-admin")
	put(store.Realms, 1, strings.Replace(mappedRealm, `"roles":[`, `"roles":[{"claim":"team","value":"night","gives":["clerk"]},`, 1)) // a claim that nobody asked for before
	is("another claim", "clerk consultant", "account-admin")
	put(store.Roles, 1, "")
	is("a role is gone", "consultant", "account-admin")
	put(store.Realms, 1, strings.Replace(mappedRealm, "advisers", "others", 1))
	is("another value", "", "account-admin")
	put(store.Realms, 1, strings.Replace(mappedRealm, `"account-admin"`, `"consultant"`, 1))
	is("another role", "consultant", "consultant")
	put(store.Accounts, 11, `{"id":11,"parent":1,"account_roles":["agent"]}`)
	put(store.Realms, 1, strings.Replace(mappedRealm, `"advisers"`, `"others"`, 1))
	is("nothing", "", "account-admin")
}

// A remembered token is its user's no longer when the record gets another name, or the realm takes tokens of
// another issuer or for another audience; it is another user's then, if that one has the name.
func TestRememberedTokensAreTheirUsers(t *testing.T) {
	for name, change := range map[string]func(*followed) (store.Table, int64, string){
		"the user has another name": func(f *followed) (store.Table, int64, string) {
			return store.Users, 5, `{"id":5,"realm_id":1,"cid":11,"name":"ben","roles":["consultant"]}`
		},
		"another audience": func(*followed) (store.Table, int64, string) {
			return store.Realms, 1, strings.Replace(mappedRealm, `"audience":"aclgate"`, `"audience":"other"`, 1)
		},
		"another issuer": func(*followed) (store.Table, int64, string) {
			return store.Realms, 1, strings.Replace(mappedRealm, `"issuer":"corp"`, `"issuer":"other"`, 1)
		},
		"another realm takes them too": func(*followed) (store.Table, int64, string) {
			return store.Realms, 2, strings.NewReplacer(`"id":1`, `"id":2`, "acme", "copy").Replace(mappedRealm)
		},
	} {
		f, i := mapped(t)
		token := claiming(t, i, "anna", `"groups":["advisers"]`)
		if rec, ok := f.bearer(token); !ok || rec.Token.UserID != 5 {
			t.Fatalf("%s: not accepted", name)
		}
		table, id, doc := change(f)
		f.write(t, func(tx *store.Tx) error { return tx.PutDoc(table, id, []byte(doc)) })
		if rec, err := f.st.Load(store.DigestOf(token)); err != store.ErrNotFound {
			t.Errorf("%s: got %+v, %v", name, rec, err)
		}
		if rec, ok := f.bearer(token); ok != (table == store.Users) || ok && rec.Token.UserID == 5 {
			t.Errorf("%s: got %v %+v", name, ok, rec)
		}
	}
}

// The race detector sees tokens come and be asked while the mapping changes.
func TestMappingsChangeBesideTokens(t *testing.T) {
	t.Parallel()
	f, i := mapped(t)
	token := claiming(t, i, "client-7", `"groups":["advisers"]`)
	if _, ok := f.bearer(token); !ok {
		t.Fatal("not accepted")
	}
	other, done := strings.Replace(mappedRealm, "advisers", "others", 1), make(chan bool)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			f.bearer(token)
			for _, name := range f.rolesOf(t, token) {
				if name != "consultant" {
					t.Errorf("got %s", name)
				}
			}
		}
	})
	for n := range 100 {
		doc, want := mappedRealm, "consultant"
		if n%2 == 0 {
			doc, want = other, ""
		}
		f.write(t, func(tx *store.Tx) error { return tx.PutDoc(store.Realms, 1, []byte(doc)) })
		if got := strings.Join(f.rolesOf(t, token), " "); got != want {
			t.Errorf("after change %d: got %q, want %q", n, got, want)
		}
	}
	close(done)
	all.Wait()
}

// hostileClaims have nothing that the mapping of a realm gives a role for, though they try.
func hostileClaims() map[string]string {
	many := func(n int, of string) string { return "[" + strings.TrimSuffix(strings.Repeat(of+",", n), ",") + "]" }
	deep := strings.Repeat(`{"groups":`, 28) + `["advisers"]` + strings.Repeat("}", 28)
	return map[string]string{
		"a number":              `"groups":7`,
		"null":                  `"groups":null`,
		"true":                  `"groups":true`,
		"an object":             `"groups":{"advisers":true}`,
		"an object of names":    `"groups":{"0":"advisers","length":1}`,
		"a list in a list":      `"groups":[["advisers"]]`,
		"a number beside it":    `"groups":["advisers",1]`,
		"null beside it":        `"groups":[null,"advisers"]`,
		"through a list":        `"realm_access":[{"roles":["boss"]}]`,
		"by a number of a list": `"realm_access":{"roles":{"0":"boss"}}`,
		"dots in a name":        `"realm_access.roles":["boss"]`,
		"a shorter way":         `"roles":["boss"],"realm_access":"boss"`,
		"a longer way":          `"x":{"realm_access":{"roles":["boss"]}}`,
		"a URL with its parts":  `"https://example":{"com/roles":["clerk"]},"https:":{"":{"example.com":{"roles":["clerk"]}}}`,
		"__proto__":             `"__proto__":{"groups":["advisers"]},"constructor":{"prototype":{"groups":["advisers"]}}`,
		"another case":          `"groups":["Advisers"],"Groups":["advisers"],"GROUPS":"advisers"`,
		"spaces":                `"groups":["advisers "," advisers","advisers\n","advi sers"]," groups":["advisers"]`,
		"separators":            `"groups":["advisers,boss","advisers boss","advisers;boss"],"scope":"advisers boss"`,
		"an end":                `"groups":["advisers\u0000","advisers\u0000x"],"groups\u0000":["advisers"]`,
		"look-alikes":           `"groups":["аdvisers","adviſers","ａdvisers","advisers\u200b","a\u0301dvisers"],"ɡroups":["advisers"]`,
		"the rule itself":       `"claims":{"roles":[{"claim":"groups","value":"advisers","gives":["admin"]}]},"gives":["admin"]`,
		"many values":           `"groups":` + many(1000, `"a"`),
		"many names":            `"groups":{` + manyNames(200) + "}",
		"deep":                  `"groups":` + deep,
		"a huge string":         `"groups":"` + strings.Repeat("advisers", 500) + `"`,
		"a huge name":           `"` + strings.Repeat("g", 2000) + `":` + many(200, `"advisers"`),
		"a wildcard":            `"groups":["*","adv*","?dvisers",".*"],"*":["advisers"]`,
		"empty":                 `"groups":["",[],{}],"":["advisers"]`,
	}
}

func manyNames(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"%d":"advisers"`, i))
	}
	return strings.Join(all, ",")
}

// Claims that are none, or not the ones that a rule is about, give no role; the token is a member's.
func TestHostileClaims(t *testing.T) {
	f, i := mapped(t)
	for name, claims := range hostileClaims() {
		token := claiming(t, i, "client-7", claims)
		if _, ok := f.bearer(token); !ok {
			t.Errorf("%s: the token is not accepted", name)
		} else if got := f.rolesOf(t, token); len(got) > 0 {
			t.Errorf("%s gives %v", name, got)
		}
	}
	for name, claims := range map[string]string{
		"a claim twice":  `"groups":["x"],"groups":["advisers"]`,
		"10,000 values":  `"groups":[` + strings.Repeat(`"a",`, 9999) + `"advisers"]`,
		"no UTF-8":       "\"groups\":[\"advisers\xff\"]",
		"deeper than 32": `"groups":` + strings.Repeat("[", 40) + strings.Repeat("]", 40),
	} {
		if _, ok := f.bearer(claiming(t, i, "client-7", claims)); ok {
			t.Errorf("%s: the token is accepted", name)
		}
	}
	if n := f.live.Docs(store.Users); len(idsOf(n)) != 2 {
		t.Errorf("got users %v", idsOf(n))
	}
}

func idsOf(docs func(func(int64, []byte) bool)) (ids []int64) {
	for id := range docs {
		ids = append(ids, id)
	}
	return ids
}

// TestClaimsCost measures: no claims cost more than 1 ms of CPU, when they come and when a mapping asks.
func TestClaimsCost(t *testing.T) {
	if !*long {
		t.Skip("it measures: with -long")
	}
	marker, dearest, which := jwt.NewMarker(), time.Duration(0), ""
	for name, text := range hostileClaims() {
		v, err := record.Parse([]byte("{" + text + "}"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		took := make([]time.Duration, 51)
		for i := range took {
			before := time.Now()
			c := claimsOf(marker, v)
			for n := range 100 {
				c.Has([]string{"a", "b", "c", "d", "e", "f", "g", fmt.Sprint(n)}, "advisers")
			}
			took[i] = time.Since(before)
		}
		if slices.Sort(took); took[25] > dearest {
			dearest, which = took[25], name
		}
	}
	t.Logf("the dearest cost %v: %s", dearest, which)
	if dearest > time.Millisecond {
		t.Errorf("%s cost %v", which, dearest)
	}
}

// naiveHas is Claims.Has by the words of SPEC 10.10, over what another parser reads.
func naiveHas(v any, claim []string, value string) bool {
	for _, name := range claim {
		object, is := v.(map[string]any)
		if !is {
			return false
		}
		v = object[name]
	}
	switch v := v.(type) {
	case string:
		return v == value
	case []any:
		found := false
		for _, item := range v {
			text, is := item.(string)
			if !is {
				return false
			}
			found = found || text == value
		}
		return found
	}
	return false
}

// FuzzClaims: what is remembered of claims says of every claim and value what the claims themselves do.
func FuzzClaims(f *testing.F) {
	f.Add(`{"groups":["a","b"],"x":{"y.z":{"c":"d"}}}`, "groups", "a")
	f.Add(`{"x":{"y.z":{"c":"d"}}}`, "x\ny.z\nc", "d")
	for _, claims := range hostileClaims() {
		f.Add("{"+claims+"}", "groups", "advisers")
		f.Add("{"+claims+"}", "realm_access\nroles", "boss")
	}
	marker := jwt.NewMarker()
	f.Fuzz(func(t *testing.T, text, way, value string) {
		v, err := record.Parse([]byte(text))
		var plain any
		if err != nil || v.Shape != record.Object || json.Unmarshal([]byte(text), &plain) != nil {
			t.Skip()
		}
		claim := strings.Split(way, "\n")
		if len(claim) > maxClaimDepth || len(value) > maxClaimText || slices.ContainsFunc(claim, func(name string) bool { return len(name) > maxClaimText }) {
			t.Skip() // no rule is about that
		}
		if got, want := claimsOf(marker, v).Has(claim, value), naiveHas(plain, claim, value); got != want {
			t.Errorf("%s: %q %q: got %v, want %v", text, claim, value, got, want)
		}
	})
}
