package record

import (
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"aclgate/policy"
)

// appendUser appends the members of JSON that say who a user is; nothing for nil.
func appendUser(dst []byte, u *policy.User) []byte {
	if u == nil {
		return dst
	}
	dst = number64(dst, `,"user":`, u.ID)
	dst = name(dst, `,"user_name":`, u.Name)
	dst = number64(dst, `,"realm":`, u.RealmID)
	dst = name(dst, `,"realm_name":`, u.Realm)
	dst = name(dst, `,"issuer":`, u.Issuer)
	if u.Roles == nil {
		return dst
	}
	dst = append(dst, `,"roles":[`...)
	for i, role := range u.Roles {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, role)
	}
	return append(dst, ']')
}

// Who returns the user that a line names, or nil.
func (l *Line) Who() *policy.User {
	if l.User == 0 {
		return nil
	}
	return &policy.User{ID: l.User, Name: l.UserName, RealmID: l.Realm, Realm: l.RealmName, Issuer: l.Issuer, Roles: l.Roles}
}

// name appends a member with a name that people gave; nothing for "".
func name(dst []byte, member, text string) []byte {
	if text == "" {
		return dst
	}
	return appendString(append(dst, member...), text)
}

// appendString appends a string of JSON. What cannot be printed is escaped: whoever looks at the log on
// a terminal is not deceived.
func appendString(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case unicode.IsPrint(r):
			dst = utf8.AppendRune(dst, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = appendEscape(appendEscape(dst, high), low)
		default:
			dst = appendEscape(dst, r)
		}
	}
	return append(dst, '"')
}

// appendEscape appends \u and the four digits of one unit of UTF-16.
func appendEscape(dst []byte, unit rune) []byte {
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[unit>>12&15], digits[unit>>8&15], digits[unit>>4&15], digits[unit&15])
}
