package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a file: line and column, both counted from 1, the column in characters. The
// zero Pos means that there is no such place, as for a setting that the file does not name.
type Pos struct{ Line, Col int }

// Fault is one thing wrong with one file. A Warning lets the file be used all the same.
type Fault struct {
	File      string
	Line, Col int // from 1; Line 0: the fault concerns the file as a whole
	Message   string
	Warning   bool
}

// Pos returns where in the file the fault is.
func (f Fault) Pos() Pos { return Pos{Line: f.Line, Col: f.Col} }

// String returns the fault as "file:line:col: message", the form that editors and terminals follow.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Col)
	}
	b.WriteString(": ")
	if f.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Faults is all that is wrong with one or more files, in the order of the text. It may hold
// warnings alone, so it is an error only by way of Err.
type Faults []Fault

// Error returns one line per fault, warnings included.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns fs if it holds a fault that is not a warning, and nil otherwise.
func (fs Faults) Err() error {
	if slices.ContainsFunc(fs, func(f Fault) bool { return !f.Warning }) {
		return fs
	}
	return nil
}

// Sorted returns a copy of fs in the order of files, then of places; faults of one place keep
// theirs.
func (fs Faults) Sorted() Faults {
	sorted := slices.Clone(fs)
	slices.SortStableFunc(sorted, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return sorted
}
