package record

// SetTrace remembers the client's traceparent. What does not have the form that W3C Trace Context
// prescribes is forgotten: it is a client's text, and joins nothing.
func (r *Record) SetTrace(traceparent []byte) {
	r.traced = len(traceparent) == traceLen
	for i := 0; r.traced && i < traceLen; i++ {
		r.traced = traceByte(i, traceparent[i])
	}
	if r.traced {
		copy(r.trace[:], traceparent)
	}
}

// traceByte reports whether c may stand at i of "00-32 hex-16 hex-2 hex".
func traceByte(i int, c byte) bool {
	switch i {
	case 0, 1:
		return c == '0'
	case 2, 35, 52:
		return c == '-'
	}
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
}

// AppendTrace appends the remembered traceparent, if there was one.
func (r *Record) AppendTrace(dst []byte) []byte {
	if !r.traced {
		return dst
	}
	return append(dst, r.trace[:]...)
}
