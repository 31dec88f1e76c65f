package config

import (
	"net/netip"
	"path/filepath"
	"strings"

	"aclgate/config/strict"
)

// into returns the read function of a row: it puts what read accepts into dst.
func into[T any](dst *T, read func(*strict.Node) (T, bool)) func(*strict.Node) {
	return func(n *strict.Node) { strict.Into(dst, n, read) }
}

// set returns the reader of a list whose elements read accepts and that differ from each other:
// whoever writes a value twice meant another one.
func set[T comparable](read func(*strict.Node) (T, bool)) func(*strict.Node) ([]T, bool) {
	return func(n *strict.Node) ([]T, bool) {
		seen := make(map[T]bool)
		return strict.ListOf(func(item *strict.Node) (T, bool) {
			v, ok := read(item)
			if ok && seen[v] {
				item.Fault("stands in the list already")
				return v, false
			}
			seen[v] = seen[v] || ok
			return v, ok
		})(n)
	}
}

// some returns the reader of a list that is not empty.
func some[T any](read func(*strict.Node) ([]T, bool)) func(*strict.Node) ([]T, bool) {
	return func(n *strict.Node) ([]T, bool) {
		v, ok := read(n)
		if ok && len(v) == 0 {
			n.Fault("expected at least one, found an empty list")
			return nil, false
		}
		return v, ok
	}
}

// optional returns the reader of a text that may be empty, which gives the zero T.
func optional[T any](read func(*strict.Node) (T, bool)) func(*strict.Node) (T, bool) {
	return func(n *strict.Node) (T, bool) {
		if n.Kind() == strict.Text {
			if text, _ := strict.Str(n); text == "" {
				var none T
				return none, true
			}
		}
		return read(n)
	}
}

// count returns the reader of a number from lo to hi, neither above 2^31-1.
func count(lo, hi int64) func(*strict.Node) (int, bool) { return asInt(strict.Int(lo, hi)) }

// size returns the reader of a size from lo to hi, neither above 2^31-1.
func size(lo, hi int64) func(*strict.Node) (int, bool) { return asInt(strict.Bytes(lo, hi)) }

// asInt makes ints of what read accepts, which fits one.
func asInt(read func(*strict.Node) (int64, bool)) func(*strict.Node) (int, bool) {
	return func(n *strict.Node) (int, bool) {
		v, ok := read(n)
		return int(v), ok
	}
}

// path reads the name of a file, or "" for none. The text is never shown: the key is sometimes
// written where the name of its file belongs.
func (s *Settings) path(n *strict.Node) (File, bool) {
	text, ok := strict.Str(n)
	if !ok || text == "" {
		return File{}, ok
	}
	if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		n.Fault("expected the name of a file, found control characters")
		return File{}, false
	}
	f := File{Text: text, Path: filepath.Clean(text)}
	if !filepath.IsAbs(text) {
		f.Path = filepath.Join(s.dir, text)
	}
	return f, true
}

// needPath is path without "".
func (s *Settings) needPath(n *strict.Node) (File, bool) {
	f, ok := s.path(n)
	if ok && !f.IsSet() {
		n.Fault("expected the name of a file, found an empty one")
		return File{}, false
	}
	return f, ok
}

// trusted reads a range of proxies. All of the internet is probably not one: any client could name
// the address that the token's own list of addresses is compared with.
func trusted(n *strict.Node) (netip.Prefix, bool) {
	p, ok := strict.Prefix(n)
	if ok && p.Bits() == 0 {
		n.Warn("every client is believed to be a proxy, and may name any address as its own")
	}
	return p, ok
}
