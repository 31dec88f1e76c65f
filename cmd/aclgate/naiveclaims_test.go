package main

import (
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"aclgate/proxy/login/jwt/jwttest"
)

// SPEC 10.10 for the naive law: roles from claims, and callers who come with tokens from elsewhere.

// trustTestIssuers has issuers of tests be trusted as those of the system are, until the process ends.
func trustTestIssuers() (remove func()) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	folder, err := os.MkdirTemp("", "issuers")
	if err != nil {
		panic(err)
	}
	file := filepath.Join(folder, "authority.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		panic(err)
	}
	if err := os.Setenv("SSL_CERT_FILE", file); err != nil {
		panic(err)
	}
	return func() { _ = os.RemoveAll(folder) }
}

// naiveClaims is what a realm says of claims: each value of groups gives one role.
func naiveClaims(roles map[string]string) map[string]any {
	rules := []map[string]any{}
	for _, value := range []string{"g1", "g2"} {
		if role := roles[value]; role != "" {
			rules = append(rules, map[string]any{"claim": "groups", "value": value, "gives": []string{role}})
		}
	}
	return map[string]any{"issuer": "corp", "roles": rules}
}

// mapped are the roles that claims of a realm give, by the values of groups.
func (r *naiveRealm) mapped() map[string]string {
	all := map[string]string{}
	rules, _ := r.claims["roles"].([]map[string]any)
	for _, rule := range rules {
		all[rule["value"].(string)] = rule["gives"].([]string)[0]
	}
	return all
}

// gives reports whether claims of a realm give a role.
func (r *naiveRealm) gives(role string) bool {
	for _, name := range r.mapped() {
		if name == role {
			return true
		}
	}
	return false
}

func sameClaims(a, b map[string]any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

// mapping judges what claims of a realm give.
func (l *naiveLaw) mapping(id int64, was, is *naiveRealm) (faults []naiveFault) {
	if is.claims != nil && is.audience == "" || len(is.mapped()) > 0 && is.params != nil && is.params.kind >= 0 {
		faults = append(faults, faultField)
	}
	if u, found := l.users[l.self.user]; found && !l.q.operator && u.realm == id && !sameClaims(was.claims, is.claims) {
		faults = append(faults, faultACL) // one's own
	}
	before := was.mapped()
	if was.claims == nil { // tokens of another issuer
		before = nil
	}
	for value, name := range is.mapped() {
		r, found := l.role(id, name)
		switch {
		case !found:
			faults = append(faults, faultField)
		case before[value] != name && !l.mayGiveIn(&r, is.cid):
			faults = append(faults, faultACL)
		}
	}
	return faults
}

// bearer returns a token from elsewhere as the records have it now: its user's, if there is one.
func (w *naiveWorld) bearer(id int64) (naiveToken, bool) {
	t, found := w.bearers[id]
	for of, r := range w.realms {
		for _, user := range w.usersOf(of) {
			if u := w.users[user]; found && r.audience == t.audience && r.claims != nil && u.name == t.subject {
				t.user, t.cid = user, u.cid
				return t, true
			}
		}
	}
	return t, false
}

// firstBearer is the first id of tokens from elsewhere: no record has it.
const firstBearer = 1 << 46

// populateBearers makes tokens of the users of a realm: two with groups, one without.
func (s *naiveSite) populateBearers(realm int64) {
	s.t.Helper()
	for i, user := range s.w.usersOf(realm) {
		t := naiveToken{kind: 3, login: true, expire: naiveNow + 3600, audience: s.w.realms[realm].audience, subject: s.w.users[user].name, groups: [][]string{{"g2"}, {"g1"}, {"g1", "g2"}, {"account-admin"}, {}}[i%5]}
		groups := "[]"
		if len(t.groups) > 0 {
			groups = `["` + t.groups[0] + `","x","` + t.groups[len(t.groups)-1] + `"]`
		}
		t.key = jwttest.Sign(s.t, s.issuer.RSA, `{"alg":"RS256","kid":"rsa"}`, fmt.Sprintf(`{"iss":%q,"sub":%q,"aud":%q,"iat":%d,"exp":%d,"groups":%s}`, s.issuer.URL, t.subject, t.audience, naiveNow, t.expire, groups))
		s.w.bearers[firstBearer+realm*100+int64(i)] = t
	}
}

// TestClaimsAreReallyAsked: a mapping opens to callers of TestNaiveLaw who come with a claim what nothing else
// does, in the law and over HTTP, and shuts it again.
func TestClaimsAreReallyAsked(t *testing.T) {
	t.Parallel()
	s := newNaiveSite(t, 7)
	opened := 0
	for _, id := range naiveIDs(s.w.bearers) {
		b, found := s.w.bearer(id)
		if !found || s.w.state(b.cid) != 0 || !slices.Contains(b.groups, "g1") {
			continue
		}
		of := s.w.users[b.user].realm
		q := &naiveCall{naiveCaller: naiveCaller{operator: true}, method: "PUT", collection: "realms", selector: &naiveSelector{text: fmt.Sprint(of), ids: []int64{of}}}
		see := &naiveCall{naiveCaller: naiveCaller{token: id}, method: "PUT", collection: "customer", body: []map[string]any{{"name": "x"}}}
		var permitted []bool
		for _, roles := range []map[string]string{{}, {"g1": "account-admin"}, {"g2": "account-admin"}} {
			q.body = []map[string]any{{"claims": naiveClaims(roles)}}
			s.compare(q)
			permitted = append(permitted, len(s.w.ask(see).faults) == 0)
			s.compare(see)
		}
		if slices.Equal(permitted, []bool{false, true, false}) {
			opened++
		}
	}
	if opened == 0 {
		t.Error("no claim opened what the record did not: that shows nothing")
	}
}
