package strict

import (
	"slices"
	"strconv"
	"strings"
)

// Into reads a node into dst. It leaves dst as it is, which is at its default, if the node is
// absent or faulty; read has then reported the fault.
func Into[T any](dst *T, n *Node, read func(*Node) (T, bool)) {
	if n == nil {
		return
	}
	if v, ok := read(n); ok {
		*dst = v
	}
}

// ListOf returns the reader of a list whose elements read accepts. All faulty elements are
// reported, and with one of them the list is not taken: a shorter list is another list.
func ListOf[T any](read func(*Node) (T, bool)) func(*Node) ([]T, bool) {
	return func(n *Node) ([]T, bool) {
		return AppendList(nil, n, read)
	}
}

// AppendList is ListOf for who has room for the elements. What it returns is not nil.
func AppendList[T any](items []T, n *Node, read func(*Node) (T, bool)) ([]T, bool) {
	if n.Kind() != List {
		n.mismatch("a list")
		return nil, false
	}
	nodes, before := n.List(), len(items)
	if items == nil {
		items = make([]T, 0, len(nodes))
	}
	for _, node := range nodes {
		if v, ok := read(node); ok {
			items = append(items, v)
		}
	}
	return items, len(items)-before == len(nodes)
}

// Parsed returns the reader of a text that parse accepts. What a text should be is said by what;
// the error of parse, which must not repeat the text, adds why it is not.
func Parsed[T any](what string, parse func(string) (T, error)) func(*Node) (T, bool) {
	return func(n *Node) (T, bool) {
		var none T
		if n.Kind() != Text {
			n.mismatch(what)
			return none, false
		}
		v, err := parse(n.y.Value)
		if err != nil {
			n.Fault("expected %s, found %s: %s", what, quote(n.y.Value), err)
			return none, false
		}
		return v, true
	}
}

// Str reads any text, the empty one too. It never shows it.
func Str(n *Node) (string, bool) {
	if n.Kind() != Text {
		n.mismatch("a text")
		return "", false
	}
	return n.y.Value, true
}

// Word reads a text that is not empty.
func Word(n *Node) (string, bool) {
	text, ok := Str(n)
	if ok && text == "" {
		n.Fault("expected a text, found an empty one")
		return "", false
	}
	return text, ok
}

// Bool reads true or false, spelled so. YAML 1.1's other words ("yes", "on", "n") are faults.
func Bool(n *Node) (bool, bool) {
	text, isText := textOf(n)
	if !isText || text != "true" && text != "false" {
		n.Expected("true or false")
		return false, false
	}
	return text == "true", true
}

// Enum returns the reader of one word out of a closed set.
func Enum[T ~string](words ...T) func(*Node) (T, bool) {
	known := make([]string, len(words))
	for i, w := range words {
		known[i] = string(w)
	}
	return func(n *Node) (T, bool) {
		text, ok := textOf(n)
		if ok && slices.Contains(known, text) {
			return T(text), true
		}
		what := "expected " + orList(known)
		if !ok {
			n.Fault("%s, found %s", what, found[n.Kind()])
		} else {
			n.Fault("%s, found %s%s", what, quote(text), didYouMean(text, known))
		}
		return "", false
	}
}

// ID reads an id of SPEC 2: [1-9][0-9]* up to 2^63-1, from the text and never by YAML's number
// rules, which read 010 as 8 and 1_0 as 10.
func ID(n *Node) (int64, bool) {
	text, _ := textOf(n)
	id, ok := ParseID(text)
	if !ok {
		n.Expected("an id (digits without leading zero, at most 9223372036854775807)")
	}
	return id, ok
}

// ParseID returns the id that text spells, and whether it spells one.
func ParseID(text string) (int64, bool) {
	v, ok := digits(text)
	return v, ok && v > 0
}

// Int returns the reader of a whole number from lo to hi, in decimal digits without leading zero.
func Int(lo, hi int64) func(*Node) (int64, bool) {
	return func(n *Node) (int64, bool) {
		text, _ := textOf(n)
		if v, ok := digits(text); ok && lo <= v && v <= hi {
			return v, true
		}
		n.Expected("a whole number" + span(strconv.FormatInt(lo, 10), strconv.FormatInt(hi, 10)))
		return 0, false
	}
}

// Fraction reads a number from 0 to 1 in plain decimals: 0, 0.01, 1.
func Fraction(n *Node) (float64, bool) {
	text, _ := textOf(n)
	whole, decimals, dot := strings.Cut(text, ".")
	plain := (whole == "0" || whole == "1") && strings.Trim(decimals, "0123456789") == "" && dot == (decimals != "")
	v, err := strconv.ParseFloat(text, 64)
	if !plain || err != nil || v > 1 {
		n.Expected("a number from 0 to 1")
		return 0, false
	}
	return v, true
}

// textOf returns the text of a node, and whether it is one.
func textOf(n *Node) (string, bool) {
	if n.Kind() != Text {
		return "", false
	}
	return n.y.Value, true
}

// digits reads 0 or [1-9][0-9]* up to 2^63-1. strconv alone would take a sign and leading zeros.
func digits(text string) (int64, bool) {
	if text == "" || strings.Trim(text, "0123456789") != "" || text[0] == '0' && text != "0" {
		return 0, false
	}
	v, err := strconv.ParseInt(text, 10, 64)
	return v, err == nil
}

// span words a range.
func span(lo, hi string) string { return " from " + lo + " to " + hi }

// orList joins words as a sentence does: "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
