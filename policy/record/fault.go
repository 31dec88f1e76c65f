package record

import (
	"slices"
	"strconv"
)

// Class is what kind of fault a request about managed records has: a closed set (SPEC 10.3).
type Class uint8

// The classes. The zero value is the hardest denial.
const (
	NotPermitted  Class = iota // 403, code 8: not for this token
	Stronger                   // 403, code 8: would hand out more than the caller holds
	Denied                     // 403, code 6: a record that is not in scope, missing or foreign
	BadField                   // 400, code 2: a fault in body or fields
	LimitReached               // 403, code 403: a count is exhausted
	Blocked                    // 403, code 403: the account is blocked
	InTheWay                   // 409, code 409: in use, last master, name taken
	MethodMissing              // 405, code 405: these records are not written here
)

// Answer is what clients see of a class.
type Answer struct {
	Word         string // metric label, audit word
	Status, Code int
}

var answers = [...]Answer{
	NotPermitted:  {"not-permitted", 403, 8},
	Stronger:      {"stronger", 403, 8},
	Denied:        {"denied", 403, 6},
	BadField:      {"bad-field", 400, 2},
	LimitReached:  {"limit-reached", 403, 403},
	Blocked:       {"blocked", 403, 403},
	InTheWay:      {"in-the-way", 409, 409},
	MethodMissing: {"read-only", 405, 405},
}

// Answer returns what clients see of the class.
func (c Class) Answer() Answer { return answers[c] }

// String returns the word of the class.
func (c Class) String() string { return answers[c].Word }

// Classes returns all classes.
func Classes() []Class {
	all := make([]Class, len(answers))
	for i := range all {
		all[i] = Class(i)
	}
	return all
}

// Fault says why a request about managed records is refused. Nothing in it is a credential.
type Fault struct {
	Class Class
	Text  string   // what is wrong: of Stronger and BadField what was expected, else the whole reason
	Path  string   // of the field, as in access.acl[0].ids; "": none
	Word  string   // of Denied: the kind as reasons spell it, "tokens"
	ID    int64    // of Denied
	Hint  []string // of BadField: the names that are accepted there, sorted
}

// Reasons of faults whose text does not depend on the request.
const (
	reasonNotPermitted = "action is not permitted by ACL"
	reasonStronger     = "a token may not create what is stronger than itself: "
)

// NotForThis returns the refusal of what a token must not do at all.
func NotForThis() *Fault { return &Fault{Class: NotPermitted} }

// DeniedRecord returns the refusal of a record that is not in scope. It is the same for one that is
// foreign and one that does not exist. word is Kind.Word, or accounts, or a collection's type.
func DeniedRecord(word string, id int64) *Fault { return &Fault{Class: Denied, Word: word, ID: id} }

// Reason returns the text of the answer. Printed as JSON its slashes are escaped, as the vendor
// does in code 6.
func (f *Fault) Reason() string {
	switch {
	case f.Class == NotPermitted:
		return reasonNotPermitted
	case f.Class == Denied:
		return "access denied to '/" + f.Word + "/" + strconv.FormatInt(f.ID, 10) + "'"
	case f.Class == Stronger:
		return reasonStronger + f.at() + f.Text
	}
	return f.at() + f.Text
}

func (f *Fault) at() string {
	if f.Path == "" {
		return ""
	}
	return f.Path + ": "
}

// Error is Reason: a fault is an error where one is wanted.
func (f *Fault) Error() string { return f.Reason() }

// Below returns the fault with its path below another: of an element of a body.
func (f *Fault) Below(path string) *Fault {
	g := *f
	switch {
	case f.Path == "" || f.Path[0] == '[':
		g.Path = path + f.Path
	default:
		g.Path = path + "." + f.Path
	}
	return &g
}

// Append appends the fault as an element of errors: {"code":6,"id":17,"reason":"…"}.
func (f *Fault) Append(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"code":`...), int64(f.Class.Answer().Code), 10)
	if f.Class == Denied {
		b = strconv.AppendInt(append(b, `,"id":`...), f.ID, 10)
	}
	b = append(b, `,"reason":`...)
	if f.Class == Denied {
		b = append(b, `"access denied to '\/`...)
		b = append(append(b, f.Word...), `\/`...)
		b = append(strconv.AppendInt(b, f.ID, 10), `'"`...)
	} else {
		b = appendText(b, f.Reason())
	}
	if f.Hint != nil {
		b = append(b, `,"schema_hint":`...)
		hints := NewList()
		for _, name := range slices.Sorted(slices.Values(f.Hint)) {
			hints.Items = append(hints.Items, NewText(name))
		}
		b = hints.Append(b)
	}
	return append(b, '}')
}
