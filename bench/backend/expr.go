package backend

import (
	"fmt"
	"strconv"
	"strings"
)

// node is a compiled expression: given an item it yields a JSON scalar.
type node func(fieldset) any

// maxExprDepth bounds the recursion of the parser: the text comes from a client.
const maxExprDepth = 64

// parser reads the usable part of the vendor's expressions: comparisons of fields and literals, &&
// || ! and parentheses, and ~ for masks.
//
//	or    = and { "||" and }
//	and   = not { "&&" not }
//	not   = "!" not | cmp
//	cmp   = value [ ("==" | "!=" | "<=" | ">=" | "<" | ">" | "~") value ]
//	value = "(" or ")" | string | number | true | false | null | ["$"] field
type parser struct {
	src   string
	pos   int
	depth int
}

// parseExpr compiles a selector in braces. A field that an item lacks is null, and null, false, 0
// and "" do not select.
func parseExpr(s string) (matcher, error) {
	inner, ok := strings.CutSuffix(strings.TrimPrefix(s, "{"), "}")
	if !ok {
		return nil, fmt.Errorf("%w: expected '}' at %d", errSelector, len(s))
	}
	p := &parser{src: inner}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos < len(p.src) {
		return nil, p.fail("an operator")
	}
	return func(f fieldset) bool { return truthy(n(f)) }, nil
}

func (p *parser) fail(want string) error {
	return fmt.Errorf("%w: expected %s at %d", errSelector, want, p.pos+1)
}

func (p *parser) space() {
	for p.pos < len(p.src) && p.src[p.pos] == ' ' {
		p.pos++
	}
}

// take consumes tok if it comes next.
func (p *parser) take(tok string) bool {
	p.space()
	if !strings.HasPrefix(p.src[p.pos:], tok) {
		return false
	}
	p.pos += len(tok)
	return true
}

func (p *parser) or() (node, error) {
	left, err := p.and()
	for err == nil && p.take("||") {
		a := left
		var b node
		b, err = p.and()
		left = func(f fieldset) any { return truthy(a(f)) || truthy(b(f)) }
	}
	return left, err
}

func (p *parser) and() (node, error) {
	left, err := p.not()
	for err == nil && p.take("&&") {
		a := left
		var b node
		b, err = p.not()
		left = func(f fieldset) any { return truthy(a(f)) && truthy(b(f)) }
	}
	return left, err
}

func (p *parser) not() (node, error) {
	if p.depth++; p.depth > maxExprDepth {
		return nil, p.fail("less nesting")
	}
	defer func() { p.depth-- }()
	if !p.take("!") {
		return p.cmp()
	}
	n, err := p.not()
	return func(f fieldset) any { return !truthy(n(f)) }, err
}

func (p *parser) cmp() (node, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	for _, op := range []string{"==", "!=", "<=", ">=", "<", ">", "~"} {
		if !p.take(op) {
			continue
		}
		right, err := p.operand()
		return func(f fieldset) any { return compare(op, left(f), right(f)) }, err
	}
	return left, nil
}

func (p *parser) operand() (node, error) {
	p.space()
	if p.pos == len(p.src) {
		return nil, p.fail("a value")
	}
	switch c := p.src[p.pos]; {
	case c == '(':
		p.pos++
		n, err := p.or()
		if err == nil && !p.take(")") {
			err = p.fail("')'")
		}
		return n, err
	case c == '"' || c == '\'':
		return p.text(c)
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	}
	return p.name()
}

// text reads a string in either kind of quotes, with backslash before any character.
func (p *parser) text(quote byte) (node, error) {
	var out []byte
	for i := p.pos + 1; i < len(p.src); i++ {
		switch c := p.src[i]; {
		case c == quote:
			p.pos = i + 1
			return constant(string(out)), nil
		case c == '\\' && i+1 < len(p.src):
			i++
			out = append(out, p.src[i])
		default:
			out = append(out, c)
		}
	}
	p.pos = len(p.src)
	return nil, p.fail("a closing quote")
}

func (p *parser) number() (node, error) {
	word := p.word("+-.eE0123456789")
	if n, err := strconv.ParseInt(word, 10, 64); err == nil {
		return constant(n), nil
	}
	f, err := strconv.ParseFloat(word, 64)
	if err != nil {
		return nil, p.fail("a number")
	}
	return constant(f), nil
}

func (p *parser) name() (node, error) {
	if p.src[p.pos] == '$' {
		p.pos++
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.0123456789"
	name := p.word(letters)
	switch {
	case name == "true" || name == "false":
		return constant(name == "true"), nil
	case name == "null":
		return constant(nil), nil
	case !isName(name):
		return nil, p.fail("a field, a value or '('")
	}
	return func(f fieldset) any { return f.value(name) }, nil
}

// word consumes the longest run of the given characters.
func (p *parser) word(chars string) string {
	start := p.pos
	for p.pos < len(p.src) && strings.IndexByte(chars, p.src[p.pos]) >= 0 {
		p.pos++
	}
	return p.src[start:p.pos]
}

func constant(v any) node { return func(fieldset) any { return v } }

func truthy(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	}
	return v != nil
}

// compare applies op; values of different kinds are unequal and in no order.
func compare(op string, a, b any) bool {
	if op == "~" {
		mask, _ := b.(string)
		text, ok := asText(a)
		return ok && glob(mask, text)
	}
	sign, ok := order(a, b)
	switch op {
	case "==":
		return ok && sign == 0
	case "!=":
		return !ok || sign != 0
	case "<":
		return ok && sign < 0
	case ">":
		return ok && sign > 0
	case "<=":
		return ok && sign <= 0
	}
	return ok && sign >= 0
}

// order returns the sign of a-b, and whether the two can be compared. Whole numbers are compared as
// such: ids above 2^53 do not fit a float.
func order(a, b any) (int, bool) {
	switch x := a.(type) {
	case int64:
		if y, ok := b.(int64); ok {
			return sign(x < y, x == y), true
		}
	case string:
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	case bool:
		y, ok := b.(bool)
		return sign(!x && y, x == y), ok
	case nil:
		return 0, b == nil
	}
	x, okX := asFloat(a)
	y, okY := asFloat(b)
	return sign(x < y, x == y), okX && okY
}

func sign(less, equal bool) int {
	switch {
	case less:
		return -1
	case equal:
		return 0
	}
	return 1
}

func asFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}
