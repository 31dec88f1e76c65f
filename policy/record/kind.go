package record

import (
	"slices"
	"strings"
)

// Write says when a field may be written. The zero value is never.
type Write uint8

// The times.
const (
	Never  Write = iota
	AtPost       // when the record is made
	Always       // also by PUT and PATCH
)

// Flag is what else there is to say of a field.
type Flag uint8

// The flags.
const (
	Default   Flag = 1 << iota // in rows when the request names no fields
	Needed                     // a POST without it is a fault
	Secret                     // no match may name it; shown once, or never
	WriteOnly                  // never read at all
	Computed                   // not in the document: whoever prints the row fills it in
)

// Field is one field of a kind (SPEC 10.3).
type Field struct {
	Name  string
	Type  Type
	Write Write
	Flags Flag
	Says  string // its meaning, for the reference
}

// Has reports whether the field has a flag.
func (f *Field) Has(flag Flag) bool { return f.Flags&flag != 0 }

// Readable reports whether rows can show the field.
func (f *Field) Readable() bool { return !f.Has(WriteOnly) }

// Kind is one kind of managed record.
type Kind struct {
	Word   string // as code 6 and the last segment of its path spell it
	Path   string // of its collection, without the leading slash
	Says   string
	Fields []Field // ascending by name
}

// Field returns the field called name, nil if there is none.
func (k *Kind) Field(name string) *Field {
	i, found := slices.BinarySearchFunc(k.Fields, name, func(f Field, name string) int { return strings.Compare(f.Name, name) })
	if !found {
		return nil
	}
	return &k.Fields[i]
}

// Names returns the names of the fields that keep says, ascending.
func (k *Kind) Names(keep func(*Field) bool) []string {
	var names []string
	for i := range k.Fields {
		if keep(&k.Fields[i]) {
			names = append(names, k.Fields[i].Name)
		}
	}
	return names
}

// Writable returns the names that a POST, or else a PUT or PATCH, may hold.
func (k *Kind) Writable(post bool) []string {
	return k.Names(func(f *Field) bool { return f.Write == Always || post && f.Write == AtPost })
}

// Readable returns the names that fields may name.
func (k *Kind) Readable() []string { return k.Names((*Field).Readable) }

// newKind sorts the fields: the tables are in the order in which one reads about them.
func newKind(word, path, says string, fields ...Field) *Kind {
	slices.SortFunc(fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return &Kind{Word: word, Path: path, Says: says, Fields: fields}
}
