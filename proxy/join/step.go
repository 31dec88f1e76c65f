package join

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

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// step reads something of src, which is not empty, and returns how many bytes
// that took.
func (j *Joiner) step(src []byte) int {
	b := src[0]
	switch j.at {
	case inKey:
		return j.stepKey(b)
	case inError, inOther:
		return j.stepInside(src)
	}
	if isSpace(b) {
		return 1
	}
	switch j.at {
	case begin:
		if b == '{' {
			return j.goTo(first)
		}
		return j.fail(ErrNotObject)
	case colon:
		if b == ':' {
			return j.goTo(value)
		}
		return j.fail(ErrMalformed)
	case value:
		return j.stepValue(b)
	case inArray:
		return j.stepArray(b)
	case done:
		return j.fail(ErrSecond)
	}
	return j.stepObject(b)
}

// stepObject reads a byte between the members of the object.
func (j *Joiner) stepObject(b byte) int {
	switch {
	case b == '"' && j.at != after:
		j.key = keyReader{}
		return j.goTo(inKey)
	case b == ',' && j.at == after:
		return j.goTo(next)
	case b == '}' && j.at != next:
		return j.goTo(done)
	}
	return j.fail(ErrMalformed)
}

func (j *Joiner) stepKey(b byte) int {
	if j.key.ends(b) {
		return j.goTo(colon)
	}
	if !j.key.read(b) {
		return j.fail(ErrMalformed)
	}
	return 1
}

// stepValue reads the first byte of a member's value.
func (j *Joiner) stepValue(b byte) int {
	var seen *bool
	switch {
	case j.key.is("errors"):
		seen, j.isError = &j.faults, true
	case j.wanted && j.key.is("result"):
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

// enter begins a value. Its first byte is left for the scanner.
func (j *Joiner) enter(b byte, at place) int {
	if !j.val.start(b) {
		return j.fail(ErrMalformed)
	}
	j.at = at
	return 0
}

// stepInside reads more of an error, or of a value that does not count.
func (j *Joiner) stepInside(src []byte) int {
	n, err := j.val.scan(src)
	if err != nil {
		return j.fail(err)
	}
	if j.at == inError {
		j.keep(src[:n])
	}
	if j.val.done && j.at == inError {
		j.at = inArray
	} else if j.val.done {
		j.at = after
	}
	return n
}

// stepArray reads a byte between the elements of result or errors.
func (j *Joiner) stepArray(b byte) int {
	separated := j.last == 0 || j.last == ','
	switch {
	case b == ']' && j.last != ',':
		return j.goTo(after)
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
