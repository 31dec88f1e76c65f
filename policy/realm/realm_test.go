package realm_test

import (
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
)

func doc(t *testing.T, text string) record.Value {
	t.Helper()
	v, err := record.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func tree(t *testing.T) *policy.Tree {
	t.Helper()
	tree, faults := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 12, Parent: 1}, {ID: 13, Parent: 11}}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return tree
}

// Who is let in, where they live, and whose params count.
func TestRights(t *testing.T) {
	for _, row := range []struct {
		realm, user string
		in          bool
		cid         int64
		access      policy.Access
	}{
		{`{"id":1,"cid":11,"token_params":{"access":{"type":0}}}`, `{"id":5,"realm_id":1}`, true, 11, policy.Standard},
		{`{"id":1,"cid":11,"token_params":{"access":{"type":0}}}`, `{"id":5,"realm_id":1,"cid":13,"token_params":{"access":{"type":1}}}`, true, 13, policy.Master},
		{`{"id":1,"cid":11,"token_params":{"access":{"type":0}}}`, `{"id":5,"realm_id":1,"token_params":{"ttl":5}}`, true, 11, policy.NoAccess},
		{`{"id":1,"cid":11,"home":{"type":1,"subaccount_id":13}}`, `{"id":5,"realm_id":1}`, true, 13, policy.NoAccess},
		{`{"id":1,"cid":11,"home":{"type":2,"subaccount_id":11}}`, `{"id":5,"realm_id":1}`, false, 0, policy.NoAccess},
		{`{"id":1,"cid":11}`, `{"id":5,"realm_id":1,"cid":12}`, false, 12, policy.NoAccess}, // not in the branch
		{`{"id":1,"cid":11}`, `{"id":5,"realm_id":1,"cid":1}`, false, 1, policy.NoAccess},
		{`{"id":1,"cid":11,"enabled":false}`, `{"id":5,"realm_id":1}`, false, 11, policy.NoAccess},
		{`{"id":1,"cid":11}`, `{"id":5,"realm_id":1,"enabled":false}`, false, 11, policy.NoAccess},
		{`{"id":1,"cid":11}`, `{"id":5,"realm_id":1,"enabled":"true"}`, false, 11, policy.NoAccess}, // what does not read
		{`{"id":1,"cid":11}`, `{"id":5,"realm_id":2}`, false, 11, policy.NoAccess},
		{`{"id":1,"cid":99}`, `{"id":5,"realm_id":1}`, false, 99, policy.NoAccess},
		{`{"id":1,"cid":11,"token_params":{"access":{"type":1},"ips":"x"}}`, `{"id":5,"realm_id":1}`, true, 11, policy.NoAccess},
	} {
		r, u := realm.RealmOf(doc(t, row.realm)), realm.UserOf(doc(t, row.user))
		got, in := r.RightsOf(&u, tree(t))
		if in != row.in || got.CID != row.cid || got.Access != row.access {
			t.Errorf("%s %s: got %v %+v", row.realm, row.user, in, got)
		}
	}
}

func TestFold(t *testing.T) {
	for _, pair := range [][2]string{{"Anna", "aNNA"}, {"ΣΊΣΥΦΟΣ", "σίσυφος"}, {"K", "\u212a"}, {"ß", "ẞ"}, {"", ""}} {
		if realm.Fold(pair[0]) != realm.Fold(pair[1]) {
			t.Errorf("%q and %q are two names", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{{"anna", "anna "}, {"a", "á"}, {"", "a"}} {
		if realm.Fold(pair[0]) == realm.Fold(pair[1]) {
			t.Errorf("%q and %q are one name", pair[0], pair[1])
		}
	}
}

func TestNewPassword(t *testing.T) {
	for password, want := range map[string]string{
		"correct horse battery": "", strings.Repeat("aß", 6): "", "short": "12 to 1024", strings.Repeat("x", 1025): "12 to 1024",
		"a\xffbcdefghijkl": "UTF-8", "anna@example.com": "than the name", "Anna@Example.COM": "than the name",
		strings.Repeat("ж", 12): "more than one", strings.Repeat("a", 100): "more than one",
	} {
		fault := realm.NewPassword(password, "ANNA@example.com")
		if (fault == nil) != (want == "") || fault != nil && !strings.Contains(fault.Reason(), want) {
			t.Errorf("%.20q: got %v, want %q", password, fault, want)
		}
		if fault != nil && strings.Contains(fault.Reason(), password) {
			t.Errorf("%q is in the fault", password)
		}
	}
}

func TestFormOf(t *testing.T) {
	const tail = "abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"
	for verifier, want := range map[string]realm.Form{
		"$aclgate1$2b$12$" + tail: realm.Own, "$aclgate1$2a$12$" + tail: realm.NoForm, "$2b$10$" + tail: realm.Bcrypt, "$2y$04$" + tail: realm.Bcrypt,
		"$2b$16$" + tail: realm.NoForm, "$2b$03$" + tail: realm.NoForm, "$2b$12$" + tail[1:]: realm.NoForm, "$2x$12$" + tail: realm.NoForm, "": realm.NoForm,
		"$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$ZVrRXqxlLcWfcXCnMyv0mw":  realm.Argon2id,
		"$argon2id$v=16$m=65536,t=3,p=4$c29tZXNhbHQ$ZVrRXqxlLcWfcXCnMyv0mw":  realm.NoForm,
		"$argon2i$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$ZVrRXqxlLcWfcXCnMyv0mw":   realm.NoForm,
		"$argon2id$v=19$m=65536,t=99,p=4$c29tZXNhbHQ$ZVrRXqxlLcWfcXCnMyv0mw": realm.NoForm,
		"$argon2id$v=19$t=3,m=65536,p=4$c29tZXNhbHQ$ZVrRXqxlLcWfcXCnMyv0mw":  realm.NoForm,
	} {
		if got := realm.FormOf(verifier); got != want {
			t.Errorf("%s: got %v, want %v", verifier, got, want)
		}
	}
}
