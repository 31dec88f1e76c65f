package record

import (
	"strconv"
	"strings"
)

// What is expected, where more than one place says so.
const (
	wordsID  = "an id"
	wordsIPs = "addresses, networks such as 10.0.0.0/8 or masks such as 10.0.*, with commas between"
)

// Bounds of values. Times end with the year 9999, since unix seconds beyond it are milliseconds
// that would never expire; strings and metadata by SPEC 10.2.
const (
	maxTime     = 253402300799
	maxSeconds  = 100 * 366 * 24 * 3600
	maxBound    = 1<<63 - 1
	maxLine     = 256
	maxMetadata = 16 << 10
	maxTexts    = 64
)

func readID(v Value) (Value, *Fault) {
	if _, ok := v.ID(); !ok {
		return Value{}, expected(wordsID)
	}
	return v, nil
}

func readBool(v Value) (Value, *Fault) {
	if v.Shape != Bool {
		return Value{}, expected("true or false")
	}
	return v, nil
}

// plain reports whether a value is a string of from least to most bytes that moves no terminal.
func plain(v Value, least, most int) bool {
	return v.Shape == Text && least <= len(v.Text) && len(v.Text) <= most && strings.IndexFunc(v.Text, isControl) < 0
}

func readName(v Value) (Value, *Fault) {
	if !plain(v, 1, maxLine) || strings.TrimSpace(v.Text) == "" {
		return Value{}, expected("a string of 1 to 256 bytes without control characters")
	}
	return v, nil
}

func readLine(v Value) (Value, *Fault) {
	if !plain(v, 0, maxLine) {
		return Value{}, expected("a string of at most 256 bytes without control characters")
	}
	return v, nil
}

func readPassword(v Value) (Value, *Fault) {
	if v.Shape != Text || len(v.Text) < 12 || len(v.Text) > 1024 {
		return Value{}, expected("a string of 12 to 1024 bytes")
	}
	return v, nil
}

// wholeUpTo returns a reader of whole numbers.
func wholeUpTo(least, most int64) func(Value) (Value, *Fault) {
	return func(v Value) (Value, *Fault) {
		n, ok := v.Int()
		if !ok || n < least || n > most {
			return Value{}, expected("a whole number from " + strconv.FormatInt(least, 10) + " to " + strconv.FormatInt(most, 10))
		}
		return v, nil
	}
}

// oneOf returns a reader of words.
func oneOf(words ...string) func(Value) (Value, *Fault) {
	return func(v Value) (Value, *Fault) {
		for _, word := range words {
			if v.Shape == Text && v.Text == word {
				return v, nil
			}
		}
		return Value{}, expected("one of " + strings.Join(words, ", "))
	}
}

func readMetadata(v Value) (Value, *Fault) {
	if v.Shape != Object || len(v.Append(nil)) > maxMetadata {
		return Value{}, expected("an object of at most 16384 bytes")
	}
	return v, nil
}

func readTexts(v Value) (Value, *Fault) {
	if v.Shape != List || len(v.Items) > maxTexts {
		return Value{}, expected("a list of at most 64 strings")
	}
	return listOf(v, readName)
}

// listOf reads every element of a list.
func listOf(v Value, read func(Value) (Value, *Fault)) (Value, *Fault) {
	if v.Shape != List {
		return Value{}, expected("a list")
	}
	list := Value{Shape: List}
	for i, item := range v.Items {
		read, fault := read(item)
		if fault != nil {
			return Value{}, fault.Below("[" + strconv.Itoa(i) + "]")
		}
		list.Items = append(list.Items, read)
	}
	return list, nil
}

// part is a member of an object with a reader of its own.
type part struct {
	name   string
	needed bool
	read   func(Value) (Value, *Fault)
}

// objectOf reads an object with these members and no others.
func objectOf(v Value, parts ...part) (Value, *Fault) {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.name
	}
	if v.Shape != Object {
		return Value{}, expected("an object with " + strings.Join(names, ", "))
	}
	object := Value{Shape: Object}
	for _, p := range parts {
		value := v.Get(p.name)
		if value.Shape == Absent {
			if p.needed {
				return Value{}, &Fault{Class: BadField, Path: p.name, Text: "is missing", Hint: names}
			}
			continue
		}
		read, fault := p.read(value)
		if fault != nil {
			return Value{}, fault.Below(p.name)
		}
		object = object.With(p.name, read)
	}
	if len(object.Members) == len(v.Members) {
		return object, nil
	}
	for _, m := range v.Members {
		if object.Get(m.Name).Shape == Absent {
			return Value{}, unknown(m.Name, names)
		}
	}
	return Value{}, expected("an object with " + strings.Join(names, ", "))
}

// unknown returns the fault of a name that there is not, or that is spelled in another case.
func unknown(name string, known []string) *Fault {
	f := &Fault{Class: BadField, Path: shown(name), Text: "there is no such field", Hint: known}
	for _, k := range known {
		if strings.EqualFold(k, name) {
			f.Text = "this is spelled " + k
		}
	}
	return f
}

// shown returns a name of the client's as a fault says it: cut, and it may be anything, even a key.
func shown(name string) string {
	const most = 40
	if len(name) > most || strings.IndexFunc(name, func(c rune) bool { return isControl(c) || c > 0x7e }) >= 0 {
		return "a name of " + strconv.Itoa(len(name)) + " bytes"
	}
	return name
}
