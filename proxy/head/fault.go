package head

// Fault says why a request is refused: the status of the answer and a reason that may be shown to
// anyone. Faults are constants of this package, compared by pointer; a reason never holds a byte
// that the client sent.
type Fault struct {
	Status int
	Reason string
}

// Error implements error.
func (f *Fault) Error() string { return f.Reason }

// The faults of a head, by the part of it that they concern.
var (
	errCRLF       = &Fault{400, "a line of the head does not end in CRLF"}
	errControl    = &Fault{400, "a control byte or a bare CR in the head"}
	errEmptyLines = &Fault{400, "more than two empty lines before the request line"}

	errRequestLine = &Fault{400, "the request line is not: method, one space, target, one space, version"}
	errVersion     = &Fault{505, "only HTTP/1.1 and HTTP/1.0 are spoken here"}
	errTarget      = &Fault{400, "the target is no path, or holds bytes that have to be percent-encoded"}
	errAuthority   = &Fault{400, "scheme and authority of the target are not those of the request"}

	errName       = &Fault{400, "a header name is not a token directly followed by a colon"}
	errFold       = &Fault{400, "folded header lines are not read"}
	errTwice      = &Fault{400, "a header that may come once comes twice"}
	errUnderscore = &Fault{400, "a protected header is spelled with an underscore"}
	errOverride   = &Fault{400, "headers that override the method or the URL are refused"}
	errValue      = &Fault{400, "a header value holds bytes that it may not hold"}
	errConnection = &Fault{400, "Connection is no list of tokens, or names a protected header"}
	errCID        = &Fault{400, "x-flespi-cid is not an id"}
	errApp        = &Fault{400, "x-flespi-app is longer than 64 bytes"}
	errTrace      = &Fault{400, "x-flespi-trace is longer than 31 bytes"}
	errExpect     = &Fault{417, "the only expectation that can be met is 100-continue"}
	errHost       = &Fault{400, "exactly one Host is needed: host or host:digits"}
	errMisrouted  = &Fault{421, "this host is not served here"}

	errLineTooLong  = &Fault{431, "a header line is longer than 8 KiB"}
	errTooManyLines = &Fault{431, "more than 100 header lines"}
	errTooLarge     = &Fault{431, "the head is too large"}
	errURITooLong   = &Fault{414, "the request line is too long"}
)

// The faults of framing: how long the body is, and whether it may be there at all.
var (
	errLength     = &Fault{400, "Content-Length is not a number"}
	errChunkedOff = &Fault{411, "chunked bodies are off here: send Content-Length"}
	errCoding     = &Fault{400, "Transfer-Encoding may only be chunked, once, on HTTP/1.1 and without Content-Length"}
	errBody       = &Fault{400, "this method takes no body"}
	errChunk      = &Fault{400, "the chunked body is malformed"}
	errTrailer    = &Fault{400, "a trailer is malformed, too long or not allowed"}
	errUnframed   = &Fault{400, "bytes follow the head that are neither a body, which needs Content-Length, nor a request"}
	errTime       = &Fault{408, "the request did not arrive in time"}
)
