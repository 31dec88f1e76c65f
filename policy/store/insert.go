package store

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"aclgate/config/strict"
)

// errByHand ends what InsertToken cannot do without touching what somebody wrote.
var errByHand = errors.New("leave out --into, and put the YAML that is printed under \"tokens:\" by hand")

// InsertToken returns the text of a policy file with one token more, behind the last one. Everything
// else stays as it is, comments too. Where the list is written so that no line can be added, the
// error says so. The result was read again: it is the old policy and the token.
func InsertToken(file string, text []byte, rec *Record, maxDepth int) ([]byte, error) {
	before, faults := ReadPolicy(file, text, nil, maxDepth)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	root, _ := strict.Parse(file, text)
	out, err := insertLines(file, text, root.Member("tokens"), TokenYAML(rec))
	if err != nil {
		return nil, err
	}
	after, faults := ReadPolicy(file, out, nil, maxDepth)
	if err := faults.Err(); err != nil {
		return nil, fmt.Errorf("%w: with the token in it, it would not read:\n%w", errByHand, err)
	}
	if !extends(before, after, rec) {
		return nil, errByHand
	}
	return out, nil
}

// bareReturn is what ends a line for YAML and for no editor: the positions of nodes count it, the
// lines of the text do not.
var bareReturn = regexp.MustCompile(`\r([^\n]|$)`)

// insertLines puts the lines of a token behind the last element of the list.
func insertLines(file string, text []byte, list *strict.Node, token []byte) ([]byte, error) {
	if bareReturn.Match(text) {
		return nil, fmt.Errorf("%s: some lines end with a carriage return alone: %w", file, errByHand)
	}
	lines := slices.Collect(bytes.Lines(text))
	elements := list.List()
	switch {
	case list.Kind() == strict.Absent:
		return slices.Concat(ended(text), []byte("tokens:\n"), token), nil
	case list.Kind() == strict.Null, list.Flow() && len(elements) == 0:
		at := list.KeyPos().Line - 1
		key := string(lines[at])
		head := strings.TrimRight(key, "\r\n")
		if list.Flow() {
			empty := strings.LastIndex(head, "[]")
			if empty < 0 || list.Pos().Line != at+1 {
				return nil, fmt.Errorf("%s:%d: the empty list of tokens is not written as []: %w", file, at+1, errByHand)
			}
			head = strings.TrimRight(head[:empty], " \t") + head[empty+len("[]"):]
		}
		lines[at] = []byte(head + "\n")
		return slices.Concat(bytes.Join(lines[:at+1], nil), token, bytes.Join(lines[at+1:], nil)), nil
	case list.Flow():
		return nil, fmt.Errorf("%s:%d: the tokens are written in brackets: %w", file, list.Pos().Line, errByHand)
	}
	dash := list.Pos().Col - 1
	at := elements[len(elements)-1].LastLine()
	for at < len(lines) && continues(lines[at], dash) {
		at++
	}
	return slices.Concat(ended(bytes.Join(lines[:at], nil)), indent(token, dash), bytes.Join(lines[at:], nil)), nil
}

// continues reports whether a line belongs to the element above it: it is indented deeper than its
// dash, and neither empty nor a comment.
func continues(line []byte, dash int) bool {
	rest := bytes.TrimLeft(line, " ")
	return len(line)-len(rest) > dash && len(bytes.TrimSpace(rest)) > 0 && rest[0] != '#'
}

// indent moves the lines of a token, whose dash TokenYAML puts into the third column, to where those
// of the others are.
func indent(token []byte, dash int) []byte {
	var b []byte
	for line := range bytes.Lines(token) {
		b = append(append(b, strings.Repeat(" ", dash)...), line[2:]...)
	}
	return b
}

// ended returns a text that ends with a line end.
func ended(text []byte) []byte {
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return append(slices.Clip(text), '\n')
	}
	return text
}

// extends reports whether a policy is another one and one token behind it.
func extends(before, after *Policy, rec *Record) bool {
	if after.Len() != before.Len()+1 || len(after.Tree.Accounts()) != len(before.Tree.Accounts()) {
		return false
	}
	same := func(a, b *Record) bool {
		return a != nil && bytes.Equal(AppendDoc(nil, a, nil), AppendDoc(nil, b, nil))
	}
	for _, old := range before.Records() {
		if !same(after.Find(old.Token.Digest), old) {
			return false
		}
	}
	return same(after.Find(rec.Token.Digest), rec)
}
