package head

import "bytes"

// name is a header that this package knows; the zero value is any other.
type name uint8

const (
	nameOther name = iota
	// Protected: identity and framing. They may not be named in Connection, come as a trailer or be
	// spelled with "_", because a hop after us that takes them away, adds them or folds "_" to "-"
	// would see another request than we judged.
	nameHost
	nameAuthorization
	nameCID
	nameContentLength
	nameContentType
	nameTransferEncoding
	// Dropped unread: a cookie is no credential here, and browsers send long ones.
	nameCookie
	// Read for their meaning.
	nameConnection
	nameContentEncoding
	nameExpect
	nameOrigin
	nameApp
	nameTrace
	nameVia
	// Refused: they replace the method or the URL in some frameworks.
	nameOverride
)

// knownName is one spelling, in lower case and with "-".
type knownName struct {
	spelled string
	name    name
}

// namesByLength holds what is known, by length: most headers are told apart by their length alone.
var namesByLength = [...][]knownName{
	4:  {{"host", nameHost}},
	6:  {{"origin", nameOrigin}, {"expect", nameExpect}, {"cookie", nameCookie}},
	10: {{"connection", nameConnection}},
	12: {{"content-type", nameContentType}, {"x-flespi-cid", nameCID}, {"x-flespi-app", nameApp}},
	13: {{"authorization", nameAuthorization}, {"x-http-method", nameOverride}, {"x-rewrite-url", nameOverride}, {"x-aclgate-via", nameVia}},
	14: {{"content-length", nameContentLength}, {"x-flespi-trace", nameTrace}, {"x-original-url", nameOverride}},
	16: {{"content-encoding", nameContentEncoding}},
	17: {{"transfer-encoding", nameTransferEncoding}, {"x-method-override", nameOverride}},
	22: {{"x-http-method-override", nameOverride}},
}

// classify returns what a name of a header, a trailer or a member of Connection means. Case does
// not matter, and "_" counts as "-": the caller asks underscored what to do about that.
func classify(b []byte) name {
	if len(b) >= len(namesByLength) {
		return nameOther
	}
	for _, k := range namesByLength[len(b)] {
		if k.matches(b) {
			return k.name
		}
	}
	return nameOther
}

// matches reports whether b spells the name; b has its length.
func (k knownName) matches(b []byte) bool {
	for i, c := range b {
		if c == '_' {
			c = '-'
		}
		if fold[c] != k.spelled[i] {
			return false
		}
	}
	return true
}

// protected reports whether the header carries identity or framing.
func (n name) protected() bool { return n >= nameHost && n <= nameTransferEncoding }

// once reports whether the header may come only once.
func (n name) once() bool {
	return n.protected() || n == nameContentEncoding || n == nameExpect || n == nameOrigin
}

// underscored reports whether a name is spelled with "_".
func underscored(b []byte) bool { return bytes.IndexByte(b, '_') >= 0 }
