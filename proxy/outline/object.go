package outline

import "errors"

// What may be wrong with an answer. None of them says anything of its content.
var (
	ErrNotObject = errors.New("the answer is not a JSON object")
	ErrSecond    = errors.New("a second value follows the answer")
	ErrMalformed = errors.New("the answer is malformed JSON")
	ErrTooDeep   = errors.New("the answer is nested too deeply")
	ErrCut       = errors.New("the answer ends too early")
)

// Place says what the next byte of an object belongs to, white space apart.
type Place uint8

const (
	Begin Place = iota // before the object
	First              // after the opening brace: a key or the closing brace
	Next               // after a comma: a key
	InKey              // inside a key
	Colon              // after a key
	Ready              // after a colon: a value
	After              // after a value: a comma or the closing brace
	Done               // after the object
)

// Object reads all of an object but its members' values. The zero value is
// ready for the first byte.
type Object struct {
	At  Place // whoever reads a value sets it to After
	Key Key   // of the member that At stands in
}

// Opens reports whether b, the next byte, is the first of a member's value. It
// is not for Step, nor is the rest of the value.
func (o *Object) Opens(b byte) bool { return o.At == Ready && !IsSpace(b) }

// Step reads something of src, which is not empty: the rest of a key, or one
// byte. It returns how many bytes that took, with an error those before the
// fault. The error is ErrNotObject, ErrSecond or ErrMalformed.
func (o *Object) Step(src []byte) (int, error) {
	if o.At == InKey {
		return o.stepKey(src)
	}
	b := src[0]
	switch {
	case IsSpace(b):
	case b == '"' && (o.At == First || o.At == Next):
		o.At, o.Key = InKey, Key{}
	case b == ':' && o.At == Colon:
		o.At = Ready
	case b == ',' && o.At == After:
		o.At = Next
	case b == '{' && o.At == Begin:
		o.At = First
	case b == '}' && (o.At == First || o.At == After):
		o.At = Done
	default:
		return 0, o.fault()
	}
	return 1, nil
}

// fault names what is wrong with a byte that has no place here.
func (o *Object) fault() error {
	switch o.At {
	case Begin:
		return ErrNotObject
	case Done:
		return ErrSecond
	}
	return ErrMalformed
}

func (o *Object) stepKey(src []byte) (int, error) {
	for i, b := range src {
		if o.Key.ends(b) {
			o.At = Colon
			return i + 1, nil
		}
		if !o.Key.read(b) {
			return i, ErrMalformed
		}
	}
	return len(src), nil
}

// End returns what is wrong if the text ends here: nothing, ErrNotObject or
// ErrCut.
func (o *Object) End() error {
	switch o.At {
	case Begin:
		return ErrNotObject
	case Done:
		return nil
	}
	return ErrCut
}

// IsSpace reports whether b is white space to JSON.
func IsSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }
