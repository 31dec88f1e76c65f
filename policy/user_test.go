package policy

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Names are kept as far as there is room, in whole characters, and roles up to a number.
func TestNewUserIsBounded(t *testing.T) {
	roles := make([]string, 40)
	for i := range roles {
		roles[i] = strings.Repeat("r", 300)
	}
	u := NewUser(User{ID: 5, Name: strings.Repeat("x", maxUserName-1) + "ü", Realm: strings.Repeat("y", maxUserName), Roles: roles})
	if want := strings.Repeat("x", maxUserName-1) + "…"; u.Name != want || !utf8.ValidString(u.Name) || u.Realm != strings.Repeat("y", maxUserName) {
		t.Errorf("got %q and %q", u.Name, u.Realm)
	}
	if len(u.Roles) != maxUserRoles+1 || u.Roles[maxUserRoles] != "…" || len(u.Roles[0]) != maxUserName+len("…") || len(roles[0]) != 300 {
		t.Errorf("got %q", u.Roles)
	}
	if u := NewUser(User{Roles: []string{}}); u.Roles == nil {
		t.Error("roles that are none became no roles")
	}
}

// What a terminal would obey in a name is escaped.
func TestUserInWords(t *testing.T) {
	u := &User{ID: 5, Name: "a\x1b\"", RealmID: 1, Realm: "ACME", Issuer: "corp"}
	if got, want := u.String(), `user 5 "a\x1b\"" of realm 1 "ACME", by a token of issuer "corp"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := u.Short(), `user 5 "a\x1b\"" (realm 1)`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := (&User{ID: 5}).String(); got != "user 5" {
		t.Errorf("got %s", got)
	}
}
