package body

// Kind says what a JSON value is. The zero value stands for no value at all.
type Kind uint8

// The kinds of values. Check returns the first four only.
const (
	Empty Kind = iota
	Null
	Object
	Array
	Bool
	Number
	String
)

// kindOf tells the kind of a value by its first byte.
func kindOf(b byte) Kind {
	switch b {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}

// cursor is a place in a text. Its methods skip without judging: they are for
// texts that Check has passed, and stop at the end of any other.
type cursor struct {
	text  []byte
	at    int
	keyAt int // of the opening quote of the key that nextKey returned last
}

// peek skips white space and returns the byte there, 0 at the end.
func (c *cursor) peek() byte {
	for ; c.at < len(c.text); c.at++ {
		switch b := c.text[c.at]; b {
		case ' ', '\t', '\n', '\r':
		default:
			return b
		}
	}
	return 0
}

// nextObject moves to the next object of the outermost level: the text's own
// or the next element of its array. It reports whether there is one.
func (c *cursor) nextObject() bool {
	for {
		switch c.peek() {
		case '{':
			return true
		case '[', ',':
			c.at++
		default:
			return false
		}
	}
}

// nextKey moves past the next key of an object and its colon, and returns the
// key as it is written, without quotes. At the end of the object it returns
// false and stays at the closing brace.
func (c *cursor) nextKey() ([]byte, bool) {
	if b := c.peek(); b == '{' || b == ',' {
		c.at++
	}
	if c.peek() != '"' {
		return nil, false
	}
	c.keyAt = c.at
	raw := c.rawString()
	if c.peek() == ':' {
		c.at++
	}
	return raw, true
}

// rawString moves past the string that begins at c.at and returns what stands
// between its quotes.
func (c *cursor) rawString() []byte {
	start := c.at + 1
	for c.at = start; c.at < len(c.text); c.at++ {
		switch c.text[c.at] {
		case '\\':
			c.at++
		case '"':
			c.at++
			return c.text[start : c.at-1]
		}
	}
	c.at = len(c.text)
	return c.text[min(start, c.at):]
}

// skipValue moves past one value and returns it as it is written.
func (c *cursor) skipValue() []byte {
	b, start := c.peek(), c.at
	switch b {
	case '"':
		c.rawString()
	case '{', '[':
		c.skipContainer()
	default:
		c.skipScalar()
	}
	return c.text[start:c.at]
}

// skipScalar moves past a number or literal: to whatever ends one.
func (c *cursor) skipScalar() {
	for ; c.at < len(c.text); c.at++ {
		switch c.text[c.at] {
		case ',', ']', '}', ' ', '\t', '\n', '\r':
			return
		}
	}
}

// skipContainer moves past the object or array that begins at c.at. Counting
// is enough, because Check has seen that the brackets match.
func (c *cursor) skipContainer() {
	for depth := 0; c.at < len(c.text); {
		switch c.text[c.at] {
		case '"':
			c.rawString()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		c.at++
		if depth == 0 {
			return
		}
	}
}
