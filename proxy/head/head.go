package head

// Head is one request head as it was read. Its slices alias the buffer of the connection: they are
// valid until the answer is written, and must not be written to.
type Head struct {
	// Fault is the reason to refuse the request, nil if there is none. With a fault the other
	// fields hold what was read before it, which may be nothing; they must not be acted upon.
	Fault *Fault
	// FaultField is the name of the header that Fault is about, a token; nil: it is about none.
	FaultField []byte

	Method []byte // a token, as spelled: whether it is known is not said here
	Target []byte // path and query, begins with "/"; no authority
	HTTP10 bool   // the version is 1.0 and not 1.1
	Close  bool   // Connection: close was asked for
	Expect bool   // the client waits for 100 Continue before it sends the body
	HasVia bool   // x-aclgate-via is among the fields

	Length    int64 // bytes of the body; 0: there is none; -1: it is chunked
	HasLength bool  // Content-Length was sent

	// Headers that every request is asked for; nil when absent, each comes once at most.
	Host            []byte // host or host:digits, as spelled
	Authorization   []byte // unchecked
	CID             []byte // x-flespi-cid: an id from 1 to 2^63-1 without leading zero
	ContentType     []byte
	ContentEncoding []byte
	Origin          []byte

	// Fields holds every header line in order, the ones above included.
	Fields []Field

	authority []byte // of an absolute-form target, else nil
	https     bool   // the scheme of an absolute-form target
	chunked   bool   // Transfer-Encoding: chunked
	seen      uint32 // names that came, one bit each
}

// Field is one header line: the name as spelled and the value without the white space around it.
// Values hold no control byte but HTAB; those that this package does not read may hold bytes from
// 0x80 up.
type Field struct {
	Name, Value []byte
}

// Get returns the value of the first header of that name, whatever its case; nil when absent.
func (h *Head) Get(name string) []byte {
	for i := range h.Fields {
		if EqualFold(h.Fields[i].Name, name) {
			return h.Fields[i].Value
		}
	}
	return nil
}

// reset forgets the request and keeps the memory of Fields.
func (h *Head) reset() {
	clear(h.Fields)
	*h = Head{Fields: h.Fields[:0]}
}
