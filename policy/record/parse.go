package record

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds of what is read. Bodies were read strictly before (SPEC 2); stored rows and ?data= come
// here as they are, so the same is asked of them.
const (
	maxDepth  = 32
	maxNumber = 64
)

// parser reads one JSON text.
type parser struct {
	text string
	at   int
}

// Parse reads one JSON value, strictly: UTF-8, no key twice after unescaping, no lone surrogate, at
// most 32 levels, nothing behind it. The error says what is wrong and at which byte, never the text.
func Parse(text []byte) (Value, error) {
	if !utf8.Valid(text) {
		return Value{}, fmt.Errorf("this is not UTF-8 text")
	}
	p := parser{text: string(text)}
	v, err := p.value(1)
	if err == nil && p.next() != 0 || err == nil && p.at < len(p.text) {
		err = p.fault("nothing more")
	}
	if err != nil {
		return Value{}, err
	}
	return v, nil
}

func (p *parser) fault(expected string) error {
	return fmt.Errorf("expected %s at byte %d", expected, p.at)
}

// next skips white space and returns the byte behind it, 0 at the end.
func (p *parser) next() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	return p.peek()
}

func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) value(depth int) (Value, error) {
	if depth > maxDepth {
		return Value{}, p.fault("at most 32 levels")
	}
	switch c := p.next(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.list(depth)
	case c == '"':
		text, err := p.string()
		return NewText(text), err
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	}
	for word, v := range map[string]Value{"true": NewBool(true), "false": NewBool(false), "null": {Shape: Null}} {
		if strings.HasPrefix(p.text[p.at:], word) {
			p.at += len(word)
			return v, nil
		}
	}
	return Value{}, p.fault("a value")
}

func (p *parser) list(depth int) (Value, error) {
	v := Value{Shape: List}
	p.at++
	if p.next() == ']' {
		p.at++
		return v, nil
	}
	for {
		item, err := p.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		v.Items = append(v.Items, item)
		switch p.next() {
		case ',':
			p.at++
		case ']':
			p.at++
			return v, nil
		default:
			return Value{}, p.fault("a comma or ]")
		}
	}
}

func (p *parser) object(depth int) (Value, error) {
	v := Value{Shape: Object}
	p.at++
	if p.next() == '}' {
		p.at++
		return v, nil
	}
	for {
		if p.next() != '"' {
			return Value{}, p.fault("a key")
		}
		name, err := p.string()
		if err != nil {
			return Value{}, err
		}
		if p.next() != ':' {
			return Value{}, p.fault("a colon")
		}
		p.at++
		value, err := p.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		v.Members = append(v.Members, Member{name, value})
		switch p.next() {
		case ',':
			p.at++
		case '}':
			p.at++
			return p.sorted(v)
		default:
			return Value{}, p.fault("a comma or }")
		}
	}
}

// sorted returns an object in order. A key that is there twice is a fault: two readers would
// believe different ones.
func (p *parser) sorted(v Value) (Value, error) {
	slices.SortFunc(v.Members, func(a, b Member) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(v.Members); i++ {
		if v.Members[i].Name == v.Members[i-1].Name {
			return Value{}, p.fault("each key once in the object that ends")
		}
	}
	return v, nil
}

func (p *parser) digits() bool {
	start := p.at
	for '0' <= p.peek() && p.peek() <= '9' {
		p.at++
	}
	return p.at > start
}

func (p *parser) number() (Value, error) {
	start := p.at
	if p.peek() == '-' {
		p.at++
	}
	if p.peek() == '0' {
		p.at++
	} else if !p.digits() {
		return Value{}, p.fault("a digit")
	}
	if p.peek() == '.' {
		if p.at++; !p.digits() {
			return Value{}, p.fault("a digit")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		if !p.digits() {
			return Value{}, p.fault("a digit")
		}
	}
	if p.at-start > maxNumber {
		return Value{}, p.fault("a number of at most 64 characters")
	}
	return Value{Shape: Number, Text: p.text[start:p.at]}, nil
}

const escapes = `"\/bfnrt`

// string reads a string whose quote is next.
func (p *parser) string() (string, error) {
	p.at++
	start, plain := p.at, true
	var b []byte
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			text := p.text[start:p.at]
			p.at++
			if plain {
				return text, nil
			}
			return string(append(b, text...)), nil
		case c < ' ':
			return "", p.fault("no control byte in a string")
		case c != '\\':
			p.at++
		default:
			b, plain = append(b, p.text[start:p.at]...), false
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			b, start = utf8.AppendRune(b, r), p.at
		}
	}
	return "", p.fault("a quote")
}

// escape reads what a backslash, which is next, stands for.
func (p *parser) escape() (rune, error) {
	p.at++
	c := p.peek()
	if i := strings.IndexByte(escapes, c); i >= 0 && c != 0 {
		p.at++
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	r, ok := p.unicode()
	if ok && utf16.IsSurrogate(r) {
		low := rune(0)
		if p.peek() == '\\' {
			p.at++
			low, ok = p.unicode()
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			ok = false
		}
	}
	if !ok {
		return 0, p.fault("an escape of JSON")
	}
	return r, nil
}

// unicode reads u and four hexadecimal digits.
func (p *parser) unicode() (rune, bool) {
	if p.peek() != 'u' || p.at+5 > len(p.text) {
		return 0, false
	}
	digits := p.text[p.at+1 : p.at+5]
	n, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || strings.ContainsAny(digits, "_+-") {
		return 0, false
	}
	p.at += 5
	return rune(n), true
}
