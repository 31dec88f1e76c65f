package strict

import "strings"

// Bounds of a credential key (SPEC 8), in characters.
const (
	MinKey = 8
	MaxKey = 256
)

// keyChars are the characters of a key: those that RFC 3986 calls unreserved, so that a key needs
// no escaping anywhere.
const keyChars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-"

// Key reads a credential key. Its faults never show the text.
func Key(n *Node) (string, bool) {
	text, ok := textOf(n)
	if !ok || !IsKey(text) {
		n.Fault("expected a key of %d to %d characters out of A-Z a-z 0-9 . _ ~ -", MinKey, MaxKey)
		return "", false
	}
	return text, true
}

// IsKey reports whether text has the grammar of a credential key: 8 to 256 characters of
// [A-Za-z0-9._~-].
func IsKey(text string) bool {
	return MinKey <= len(text) && len(text) <= MaxKey && strings.Trim(text, keyChars) == ""
}
