package policy

// Method is one of the five methods of the API. The zero value is none of them: a method that the
// gateway does not know permits nothing.
type Method uint8

// The methods, spelled as on the wire.
const (
	NoMethod Method = iota
	GET
	POST
	PUT
	PATCH
	DELETE
	methodCount
)

var methodNames = [methodCount]string{"", "GET", "POST", "PUT", "PATCH", "DELETE"}

// String returns the method as it is spelled on the wire.
func (m Method) String() string {
	if m >= methodCount {
		return ""
	}
	return methodNames[m]
}

// Write reports whether the method changes something at the backend.
func (m Method) Write() bool { return m > GET && m < methodCount }

// ParseMethod returns the method spelled so, byte for byte, or NoMethod.
func ParseMethod(b []byte) Method {
	for m := GET; m < methodCount; m++ {
		if string(b) == methodNames[m] {
			return m
		}
	}
	return NoMethod
}

// MethodSet is a set of methods. The zero value permits nothing.
type MethodSet uint8

// Methods returns the set of the given methods.
func Methods(ms ...Method) MethodSet {
	var s MethodSet
	for _, m := range ms {
		s |= 1 << m
	}
	return s &^ 1
}

// Has reports whether m is in the set.
func (s MethodSet) Has(m Method) bool { return m != NoMethod && s&(1<<m) != 0 }

// Without returns the set without m.
func (s MethodSet) Without(m Method) MethodSet { return s &^ (1 << m) }

// Permits reports whether an entry with these methods permits m. PATCH is permitted by PUT as well:
// it writes less than PUT does (SPEC 4.1).
func (s MethodSet) Permits(m Method) bool {
	return s.Has(m) || m == PATCH && s.Has(PUT)
}

// Append appends the methods in their fixed order, separated by ", ", as the Allow header wants
// them.
func (s MethodSet) Append(dst []byte) []byte {
	n := len(dst)
	for m := GET; m < methodCount; m++ {
		if !s.Has(m) {
			continue
		}
		if len(dst) > n {
			dst = append(dst, ", "...)
		}
		dst = append(dst, methodNames[m]...)
	}
	return dst
}

// String is Append for texts that are read by people.
func (s MethodSet) String() string { return string(s.Append(nil)) }
