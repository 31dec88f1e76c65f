package strict

import "fmt"

// maxFaults bounds what a report keeps of one file. A file with more is not this kind of file, and
// no one reads on; the bound keeps a hostile one from filling the memory with messages.
const maxFaults = 1000

// Report collects the faults of one file. It belongs to one goroutine.
type Report struct {
	file   string
	faults Faults
	nodes  slab[Node]  // for lists and mappings of its nodes
	lists  slab[*Node] // the same
}

// NewReport returns an empty report on the named file.
func NewReport(file string) *Report { return &Report{file: file} }

// reuse empties a report. Nodes that report to it are not valid any more.
func (r *Report) reuse(file string) {
	r.file, r.faults = file, nil
	r.nodes.reuse()
	r.lists.reuse()
}

// Fault reports what makes the file unusable.
func (r *Report) Fault(at Pos, format string, args ...any) {
	r.add(Fault{File: r.file, Line: at.Line, Col: at.Col, Message: fmt.Sprintf(format, args...)})
}

// Warn reports what is legal and probably not meant.
func (r *Report) Warn(at Pos, format string, args ...any) {
	r.add(Fault{File: r.file, Line: at.Line, Col: at.Col, Message: fmt.Sprintf(format, args...), Warning: true})
}

// add keeps f. The last one kept says that there were more, and is an error: warnings alone must
// not crowd out the one fault that condemns the file.
func (r *Report) add(f Fault) {
	switch {
	case len(r.faults) < maxFaults:
		r.faults = append(r.faults, f)
	case len(r.faults) == maxFaults:
		r.faults = append(r.faults, Fault{File: r.file, Line: f.Line, Col: f.Col, Message: "too many faults: the rest is not shown"})
	}
}

// Faults returns what was reported so far, in the order of the text.
func (r *Report) Faults() Faults { return r.faults.Sorted() }
