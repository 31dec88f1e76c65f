package record

import (
	"slices"
	"strconv"
	"strings"
)

// Shape is what kind of JSON a value is. The zero value is no value at all.
type Shape uint8

// The shapes.
const (
	Absent Shape = iota
	Null
	Bool
	Number
	Text
	List
	Object
)

var shapeNames = [...]string{"nothing", "null", "a boolean", "a number", "a string", "a list", "an object"}

// String returns the shape as faults name it.
func (s Shape) String() string { return shapeNames[s] }

// Value is one JSON value. It is never changed once made: what changes it returns another.
type Value struct {
	Shape   Shape
	Text    string   // of a Text, unescaped; of a Number or Bool, as it is spelled
	Items   []Value  // of a List
	Members []Member // of an Object, ascending by name, no two alike
}

// Member is one member of an object.
type Member struct {
	Name  string
	Value Value
}

// NewText returns a string.
func NewText(text string) Value { return Value{Shape: Text, Text: text} }

// NewInt returns a whole number.
func NewInt(n int64) Value { return Value{Shape: Number, Text: strconv.FormatInt(n, 10)} }

// NewBool returns a boolean.
func NewBool(b bool) Value { return Value{Shape: Bool, Text: strconv.FormatBool(b)} }

// NewList returns a list.
func NewList(items ...Value) Value { return Value{Shape: List, Items: items} }

// NewObject returns an object. Of two members with one name the last counts.
func NewObject(members ...Member) Value {
	v := Value{Shape: Object}
	for _, m := range members {
		v = v.With(m.Name, m.Value)
	}
	return v
}

func (v Value) find(name string) (int, bool) {
	return slices.BinarySearchFunc(v.Members, name, func(m Member, name string) int { return strings.Compare(m.Name, name) })
}

// Get returns a member of an object, Absent if there is none.
func (v Value) Get(name string) Value {
	if i, found := v.find(name); found {
		return v.Members[i].Value
	}
	return Value{}
}

// With returns the object with a member set.
func (v Value) With(name string, value Value) Value {
	i, found := v.find(name)
	members := slices.Clone(v.Members)
	if found {
		members[i].Value = value
	} else {
		members = slices.Insert(members, i, Member{name, value})
	}
	return Value{Shape: Object, Members: members}
}

// Without returns the object without a member.
func (v Value) Without(name string) Value {
	i, found := v.find(name)
	if !found {
		return v
	}
	return Value{Shape: Object, Members: slices.Delete(slices.Clone(v.Members), i, i+1)}
}

// Int returns a whole number that is spelled plainly: digits, without a leading zero, a fraction or
// an exponent.
func (v Value) Int() (int64, bool) {
	n, err := strconv.ParseInt(v.Text, 10, 64)
	return n, v.Shape == Number && err == nil && strconv.FormatInt(n, 10) == v.Text
}

// ID returns an id: a positive whole number.
func (v Value) ID() (int64, bool) {
	n, ok := v.Int()
	return n, ok && n > 0
}

// True reports whether the value is the boolean true.
func (v Value) True() bool { return v.Shape == Bool && v.Text == "true" }

// Equal reports whether two values are printed alike.
func (v Value) Equal(w Value) bool {
	return v.Shape == w.Shape && v.Text == w.Text && slices.EqualFunc(v.Items, w.Items, Value.Equal) &&
		slices.EqualFunc(v.Members, w.Members, func(a, b Member) bool { return a.Name == b.Name && a.Value.Equal(b.Value) })
}

// Append appends the value as JSON: no spaces, members ascending by name. Parse reads the same
// value again.
func (v Value) Append(b []byte) []byte {
	switch v.Shape {
	case Number, Bool:
		return append(b, v.Text...)
	case Text:
		return appendText(b, v.Text)
	case List:
		b = append(b, '[')
		for i, item := range v.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.Append(b)
		}
		return append(b, ']')
	case Object:
		b = append(b, '{')
		for i, m := range v.Members {
			if i > 0 {
				b = append(b, ',')
			}
			b = m.Value.Append(append(appendText(b, m.Name), ':'))
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// String returns the value as JSON, for texts that are read by people.
func (v Value) String() string { return string(v.Append(nil)) }

// appendText appends a string. Besides what JSON wants, controls and the ends of lines of other
// languages are escaped: rows are shown in terminals, and stored rows are read as YAML.
func appendText(b []byte, text string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case isControl(c):
			b = append(b, '\\', 'u', hex[c>>12&15], hex[c>>8&15], hex[c>>4&15], hex[c&15])
		default:
			b = append(b, string(c)...)
		}
	}
	return append(b, '"')
}

// isControl reports whether a character would move a terminal, end a line somewhere, turn what stands
// behind it around, or be no more than seen by machines: a name that looks like another one.
func isControl(c rune) bool {
	switch {
	case c < ' ', 0x7f <= c && c < 0xa0, c == 0xad, c == 0xfeff:
		return true
	case 0x200e <= c && c <= 0x200f, 0x2028 <= c && c <= 0x202e, 0x2060 <= c && c <= 0x206f, c == 0x200b: // of U+200C and U+200D words are made
		return true
	}
	return false
}
