package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// User says to people whose a token is that carries a user: by the records as they were when the token
// was looked up. No right hangs on it. It is immutable, and shared by whoever remembers requests.
type User struct {
	ID      int64
	Name    string // that they log in with, or the subject of their tokens from elsewhere; "": it is not known
	RealmID int64
	Realm   string   // its name
	Issuer  string   // who signed the token, as the settings call it; "": it is none from elsewhere
	Roles   []string // that the token had, claims counted; nil: its rights do not come from roles
}

// Bounds of what is kept of a user's names and roles.
const (
	maxUserName  = 128 // bytes
	maxUserRoles = 16
)

// NewUser returns u with names and roles cut to what records keep.
func NewUser(u User) *User {
	u.Name, u.Realm = cutName(u.Name), cutName(u.Realm)
	u.Roles = slices.Clone(u.Roles)
	if len(u.Roles) > maxUserRoles {
		u.Roles = append(u.Roles[:maxUserRoles], "…")
	}
	for i, name := range u.Roles {
		u.Roles[i] = cutName(name)
	}
	return &u
}

// cutName returns a copy of a name, with "…" where it was too long: the record that it is part of is not
// kept alive.
func cutName(name string) string {
	if len(name) <= maxUserName {
		return strings.Clone(name)
	}
	end := maxUserName
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + "…"
}

// String returns who it is in words. Names are quoted, and what a terminal would obey in them is escaped.
func (u *User) String() string {
	text := u.named()
	if u.RealmID != 0 {
		text += fmt.Sprintf(" of realm %d", u.RealmID)
		if u.Realm != "" {
			text += fmt.Sprintf(" %q", u.Realm)
		}
	}
	if u.Issuer != "" {
		text += fmt.Sprintf(", by a token of issuer %q", u.Issuer)
	}
	return text
}

// named names the user alone.
func (u *User) named() string {
	if u.Name == "" {
		return fmt.Sprintf("user %d", u.ID)
	}
	return fmt.Sprintf("user %d %q", u.ID, u.Name)
}

// Short returns who it is in a few words.
func (u *User) Short() string {
	text := u.named()
	if u.RealmID != 0 {
		text += fmt.Sprintf(" (realm %d)", u.RealmID)
	}
	return text
}

// Size returns the bytes that a user takes.
func (u *User) Size() int {
	if u == nil {
		return 0
	}
	size := int(unsafe.Sizeof(*u)) + len(u.Name) + len(u.Realm) + len(u.Issuer)
	for _, name := range u.Roles {
		size += int(unsafe.Sizeof(name)) + len(name)
	}
	return size
}
