package join

import "aclgate/proxy/outline"

// fail notes a fault and consumes nothing.
func (j *Joiner) fail(err error) int {
	j.err = err
	return 0
}

// goTo consumes one byte.
func (j *Joiner) goTo(at place) int {
	j.at = at
	return 1
}

// step reads something of src, which is not empty, and returns how many bytes
// that took.
func (j *Joiner) step(src []byte) int {
	switch {
	case j.at == inError || j.at == inOther:
		return j.stepInside(src)
	case j.at == inArray:
		return j.stepArray(src[0])
	case j.obj.Opens(src[0]):
		return j.stepValue(src[0])
	}
	n, err := j.obj.Step(src)
	j.err = err
	return n
}

// stepValue reads the first byte of a member's value.
func (j *Joiner) stepValue(b byte) int {
	j.obj.At = outline.After
	var seen *bool
	switch {
	case j.obj.Key.Is("errors"):
		seen, j.isError = &j.faults, true
	case j.wanted && j.obj.Key.Is("result"):
		seen, j.isError = &j.results, false
	default:
		return j.enter(b, inOther)
	}
	if *seen {
		return j.fail(ErrTwice)
	}
	if b != '[' {
		return j.fail(ErrNotArray)
	}
	*seen, j.last = true, 0
	return j.goTo(inArray)
}

// enter begins a value. Its first byte is left for Scan.
func (j *Joiner) enter(b byte, at place) int {
	if !j.val.Start(b, 0) {
		return j.fail(ErrMalformed)
	}
	j.at = at
	return 0
}

// stepInside reads more of an error, or of a value that does not count.
func (j *Joiner) stepInside(src []byte) int {
	n, err := j.val.Scan(src)
	if err != nil {
		return j.fail(err)
	}
	if j.at == inError {
		j.keep(src[:n])
	}
	if j.val.Done() && j.at == inError {
		j.at = inArray
	} else if j.val.Done() {
		j.at = outer
	}
	return n
}

// stepArray reads a byte between the elements of result or errors.
func (j *Joiner) stepArray(b byte) int {
	separated := j.last == 0 || j.last == ','
	switch {
	case outline.IsSpace(b):
		return 1
	case b == ']' && j.last != ',':
		return j.goTo(outer)
	case b == ',' && !separated:
		j.last = b
		return 1
	case b == ']' || b == ',' || !separated:
		return j.fail(ErrMalformed)
	}
	j.last = b
	if !j.isError {
		return j.enter(b, inRow)
	}
	if j.whole > 0 {
		j.errors = append(j.errors[:j.whole], ',')
	}
	return j.enter(b, inError)
}
