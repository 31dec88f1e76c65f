package realm

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"aclgate/policy/record"
)

// Form is how the verifier of a password was made. The zero value is one that nobody can check.
type Form uint8

// The forms.
const (
	NoForm   Form = iota
	Own           // $aclgate1$2b$…: bcrypt over base64 of the SHA-384 of the password
	Bcrypt        // $2b$…, $2a$…, $2y$…: imported, over the password itself
	Argon2id      // $argon2id$…: imported
)

// OwnMark begins the verifiers of our own.
const OwnMark = "$aclgate1"

// Bounds of imported verifiers: what a stranger's try may cost.
const (
	maxCost        = 15
	maxArgonMemory = 256 << 10 // KiB
	maxArgonTime   = 16
	maxArgonLanes  = 16
)

// FormOf returns the form of a verifier. One whose check would cost more than the bounds is none.
func FormOf(verifier string) Form {
	switch {
	case strings.HasPrefix(verifier, OwnMark+"$2b$"):
		if bcryptSound(verifier[len(OwnMark):]) {
			return Own
		}
	case strings.HasPrefix(verifier, "$argon2id$"):
		if _, ok := ParseArgon(verifier); ok {
			return Argon2id
		}
	case strings.HasPrefix(verifier, "$2") && bcryptSound(verifier):
		return Bcrypt
	}
	return NoForm
}

// bcryptSound reports whether a text has the form $2b$12$ and 53 characters.
func bcryptSound(text string) bool {
	const length, head = 60, 7
	if len(text) != length || text[0] != '$' || text[1] != '2' || strings.IndexByte("aby", text[2]) < 0 || text[3] != '$' || text[6] != '$' {
		return false
	}
	cost, err := strconv.Atoi(text[4:6])
	return err == nil && 4 <= cost && cost <= maxCost && !strings.ContainsFunc(text[head:], func(c rune) bool {
		return c != '.' && c != '/' && !('0' <= c && c <= '9') && !('A' <= c && c <= 'Z') && !('a' <= c && c <= 'z')
	})
}

// Argon is what an argon2id verifier says of its making. Salt and Sum are base64 without padding.
type Argon struct {
	Memory    uint32 // KiB
	Time      uint32
	Lanes     uint8
	Salt, Sum string
}

// ParseArgon reads $argon2id$v=19$m=65536,t=3,p=4$SALT$SUM.
func ParseArgon(verifier string) (a Argon, ok bool) {
	parts := strings.Split(verifier, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != "v=19" {
		return a, false
	}
	var numbers [3]uint64
	values := strings.Split(parts[3], ",")
	if len(values) != len(numbers) {
		return a, false
	}
	for i, name := range []string{"m=", "t=", "p="} {
		text, found := strings.CutPrefix(values[i], name)
		n, err := strconv.ParseUint(text, 10, 32)
		if !found || err != nil || n == 0 {
			return a, false
		}
		numbers[i] = n
	}
	if numbers[0] > maxArgonMemory || numbers[1] > maxArgonTime || numbers[2] > maxArgonLanes || numbers[0] < 8*numbers[2] {
		return a, false
	}
	a = Argon{uint32(numbers[0]), uint32(numbers[1]), uint8(numbers[2]), parts[4], parts[5]}
	return a, len(a.Salt) >= 11 && len(a.Salt) <= 86 && len(a.Sum) >= 22 && len(a.Sum) <= 86 // 8, 16 and 64 bytes
}

// NewPassword returns a fault unless a text will do as the new password of somebody with this name.
func NewPassword(password, name string) *record.Fault {
	if _, fault := record.Password.Read(record.NewText(password)); fault != nil {
		return fault.Below("password")
	}
	bad := func(text string) *record.Fault {
		return &record.Fault{Class: record.BadField, Path: "password", Text: text}
	}
	first, _ := utf8.DecodeRuneInString(password)
	switch {
	case !utf8.ValidString(password):
		return bad("expected UTF-8")
	case Fold(password) == Fold(name):
		return bad("expected something else than the name")
	case strings.Count(password, string(first))*utf8.RuneLen(first) == len(password):
		return bad("expected more than one character again and again")
	}
	return nil
}
