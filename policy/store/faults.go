package store

import (
	"fmt"

	"aclgate/config/strict"
)

// Bounds of what is remembered of one file. Warnings have their own: old entries may stand in every
// one of 100,000 tokens, and neither may they crowd out the fault that condemns the file nor
// condemn it by their number.
const (
	maxFaults   = 1000
	maxWarnings = 100
)

// faultList collects what is wrong with one file.
type faultList struct {
	file     string
	faults   strict.Faults
	warnings strict.Faults
	unshown  int // warnings beyond the bound
}

func (l *faultList) fault(at strict.Pos, format string, args ...any) {
	l.add(strict.Fault{File: l.file, Line: at.Line, Col: at.Col, Message: fmt.Sprintf(format, args...)})
}

func (l *faultList) warn(at strict.Pos, format string, args ...any) {
	if len(l.warnings) >= maxWarnings {
		l.unshown++ // before the text is put together: it may be the 100,000th
		return
	}
	l.add(strict.Fault{File: l.file, Line: at.Line, Col: at.Col, Message: fmt.Sprintf(format, args...), Warning: true})
}

func (l *faultList) add(f strict.Fault) {
	switch {
	case f.Warning:
		l.warnings = append(l.warnings, f)
	case len(l.faults) < maxFaults:
		l.faults = append(l.faults, f)
	case len(l.faults) == maxFaults:
		f.Message = "too many faults: the rest is not shown"
		l.faults = append(l.faults, f)
	}
}

// all returns everything in the order of the text.
func (l *faultList) all() strict.Faults {
	all := append(l.faults, l.warnings...).Sorted()
	if l.unshown > 0 {
		last := strict.Fault{File: l.file, Message: fmt.Sprintf("%d more warnings are not shown", l.unshown), Warning: true}
		all = append(all, last)
	}
	return all
}
