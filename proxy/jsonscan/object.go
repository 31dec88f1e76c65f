package jsonscan

import "errors"

// What may be wrong with an answer. None of them says anything of its content.
var (
	ErrNotObject = errors.New("the answer is not a JSON object")
	ErrNotArray  = errors.New("result or errors of the answer is not an array")
	ErrTwice     = errors.New("the answer has result or errors twice")
	ErrSecond    = errors.New("a second value follows the answer")
	ErrMalformed = errors.New("the answer is malformed JSON")
	ErrTooDeep   = errors.New("the answer is nested too deeply")
	ErrCut       = errors.New("the answer ends too early")
)

// State says what the next byte of an object belongs to, white space apart.
type State uint8

// The states of an Object.
const (
	Begin     State = iota // before the object
	First                  // after the opening brace: a key or the closing brace
	Next                   // after a comma: a key
	InKey                  // inside a key
	Colon                  // after a key
	Ready                  // after a colon: a value
	InValue                // inside the value of a member that is not entered
	InArray                // between the elements of an entered array
	InElement              // inside one of them
	After                  // after a value: a comma or the closing brace
	Done                   // after the object
)

// maxArrays is how many members of an object can be entered.
const maxArrays = 2

// Object reads an object. It is about 1 KiB long and allocates nothing. Reset makes it ready for
// the first byte.
type Object struct {
	At    State
	Array int // InArray and InElement: the index of the array's key in those of Reset

	arrays []string
	seen   [maxArrays]bool
	key    key
	last   byte // InArray: the last byte that is not white space, 0 for none
	value  value
}

// Reset makes o ready for the next object. The members with the given keys, at most two, must be
// arrays and come once at most; o enters them and keeps the slice.
func (o *Object) Reset(arrays []string) {
	o.At, o.arrays, o.seen = Begin, arrays, [maxArrays]bool{}
}

// Seen reports whether the key of an array was read.
func (o *Object) Seen(array int) bool { return o.seen[array] }

// Closes reports whether b, the next byte, closes the object or the array that was entered.
func (o *Object) Closes(b byte) bool {
	if o.At == InArray {
		return b == ']' && o.last != ','
	}
	return b == '}' && (o.At == First || o.At == After)
}

// Empty reports whether the object, or the array that was entered, has nothing in it yet.
func (o *Object) Empty() bool { return o.At == First || o.At == InArray && o.last == 0 }

// Step reads something of src, which is not empty: more of a key or a value, or a byte between
// them, or nothing where At alone changes. It returns how many bytes that took, with an error those
// before the fault.
func (o *Object) Step(src []byte) (int, error) {
	switch b := src[0]; {
	case o.At == InKey:
		return o.stepKey(src)
	case o.At == InValue || o.At == InElement:
		return o.stepValue(src)
	case isSpace(b):
		return 1, nil
	case o.At == InArray:
		return o.stepArray(b)
	case o.At == Ready:
		return o.startValue(b)
	case b == '"' && (o.At == First || o.At == Next):
		o.At, o.key = InKey, key{}
	case b == ':' && o.At == Colon:
		o.At = Ready
	case b == ',' && o.At == After:
		o.At = Next
	case b == '{' && o.At == Begin:
		o.At = First
	case o.Closes(b):
		o.At = Done
	case o.At == Begin:
		return 0, ErrNotObject
	case o.At == Done:
		return 0, ErrSecond
	default:
		return 0, ErrMalformed
	}
	return 1, nil
}

// stepKey reads more of a key. One that comes twice is not passed whole.
func (o *Object) stepKey(src []byte) (int, error) {
	for i, b := range src {
		if o.key.ends(b) {
			o.At, o.Array = Colon, o.find()
			if o.Array < 0 {
				return i + 1, nil
			}
			if o.seen[o.Array] {
				return i, ErrTwice
			}
			o.seen[o.Array] = true
			return i + 1, nil
		}
		if !o.key.read(b) {
			return i, ErrMalformed
		}
	}
	return len(src), nil
}

// find returns the index of the key in those of arrays, -1 if it is none.
func (o *Object) find() int {
	for i, name := range o.arrays {
		if o.key.is(name) {
			return i
		}
	}
	return -1
}

// startValue reads the first byte of a member's value.
func (o *Object) startValue(b byte) (int, error) {
	if o.Array < 0 {
		return 0, o.enter(b, InValue)
	}
	if b != '[' {
		return 0, ErrNotArray
	}
	o.At, o.last = InArray, 0
	return 1, nil
}

// stepArray reads a byte between elements, or finds the beginning of one.
func (o *Object) stepArray(b byte) (int, error) {
	separated := o.last == 0 || o.last == ','
	switch {
	case o.Closes(b):
		o.At = After
		return 1, nil
	case b == ',' && !separated:
		o.last = b
		return 1, nil
	case !separated:
		return 0, ErrMalformed
	}
	o.last = b
	return 0, o.enter(b, InElement)
}

// enter begins a value. Its first byte is still to be read.
func (o *Object) enter(b byte, at State) error {
	if !o.value.start(b) {
		return ErrMalformed
	}
	o.At = at
	return nil
}

// stepValue reads more of a value.
func (o *Object) stepValue(src []byte) (int, error) {
	n, err := o.value.scan(src)
	switch {
	case !o.value.done:
	case o.At == InElement:
		o.At = InArray
	default:
		o.At = After
	}
	return n, err
}

// End returns what is wrong if the text ends here: nothing, ErrNotObject or ErrCut.
func (o *Object) End() error {
	switch o.At {
	case Begin:
		return ErrNotObject
	case Done:
		return nil
	}
	return ErrCut
}

// isSpace reports whether b is white space to JSON.
func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }
