package topic

import (
	"slices"
	"strings"
)

// MaxLevels bounds the levels of topics and filters where Options names no other number.
const MaxLevels = 32

// maxBytes is the longest string of MQTT.
const maxBytes = 65535

// maxList bounds the words of one list: lists are compared word by word.
const maxList = 1000

// levelKind says what one level of a filter matches. The zero value matches nothing.
type levelKind uint8

const (
	nothing levelKind = iota
	words             // one of its words
	plus              // +, any one level
	hash              // #, the level above and everything below it
)

// level is one level of a filter.
type level struct {
	kind  levelKind
	words []string // one, or a list: devices/7,9
}

func word(text string) level { return level{kind: words, words: []string{text}} }

var (
	anyLevel  = level{kind: plus}
	allLevels = level{kind: hash}
)

// Filter is a topic filter, read: its levels, from the first on. A # is the last of them. The zero
// value matches nothing.
type Filter []level

// is reports whether the level is this word and nothing else.
func (l level) is(text string) bool {
	return l.kind == words && len(l.words) == 1 && l.words[0] == text
}

func (l level) has(text string) bool { return l.kind == words && slices.Contains(l.words, text) }

// wild reports whether the level matches what it does not name.
func (l level) wild() bool { return l.kind == plus || l.kind == hash }

// system reports whether a first level is one that wildcards do not match: MQTT leaves topics that
// begin with $ to the broker.
func system(text string) bool { return strings.HasPrefix(text, "$") }

// parseFilter reads a filter of at most most levels. With lists a level may be several words with
// commas between them. The fault is "" or what is wrong.
func parseFilter(text string, lists bool, most int) (f Filter, fault string) {
	var p parsing
	return p.parse(text, lists, most)
}

// parsing is room for a filter that is read. What it returns is valid until the next.
type parsing struct {
	filter Filter
	levels []string
}

func (p *parsing) parse(text string, lists bool, most int) (f Filter, fault string) {
	if fault := textFault(text); fault != "" {
		return nil, fault
	}
	n := strings.Count(text, "/") + 1
	if n > most {
		return nil, "it has too many levels"
	}
	if cap(p.levels) < n {
		p.filter, p.levels = make(Filter, 0, n), make([]string, 0, n)
	}
	levels := p.levels[:n]
	for i, rest := 0, text; i < n; i++ {
		levels[i], rest, _ = strings.Cut(rest, "/")
	}
	f = p.filter[:0]
	for i, l := range levels {
		switch {
		case l == "+":
			f = append(f, anyLevel)
		case l == "#" && i == n-1:
			f = append(f, allLevels)
		case strings.IndexByte(l, '+') >= 0 || strings.IndexByte(l, '#') >= 0:
			return nil, "+ and # are a level of their own, and # is the last"
		case lists && strings.Contains(l, ","):
			list := distinct(strings.Split(l, ","))
			switch {
			case slices.Contains(list, ""):
				return nil, "a list holds an empty word"
			case len(list) > maxList:
				return nil, "a list holds too many words"
			}
			f = append(f, level{kind: words, words: list})
		default:
			f = append(f, level{kind: words, words: levels[i : i+1 : i+1]})
		}
	}
	return f, ""
}

// distinct drops later duplicates. A list can be as long as a packet, so it is looked up, not
// searched.
func distinct(list []string) []string {
	seen := make(map[string]bool, len(list))
	return slices.DeleteFunc(list, func(w string) bool {
		was := seen[w]
		seen[w] = true
		return was
	})
}

// textFault says what no topic and no filter may be, "" if it is none of it. That it is UTF-8 the
// reader of packets has checked.
func textFault(text string) string {
	if text == "" || len(text) > maxBytes {
		return "it is empty, or longer than 65535 bytes"
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7f {
			return "it holds a control character"
		}
	}
	return ""
}

// String returns the filter as it is subscribed to.
func (f Filter) String() string { return string(f.append(nil)) }

func (f Filter) append(dst []byte) []byte {
	for i, l := range f {
		if i > 0 {
			dst = append(dst, '/')
		}
		switch l.kind {
		case plus:
			dst = append(dst, '+')
		case hash:
			dst = append(dst, '#')
		default:
			for j, w := range l.words {
				if j > 0 {
					dst = append(dst, ',')
				}
				dst = append(dst, w...)
			}
		}
	}
	return dst
}

// meet returns the filter of what both match. Two filters meet in one filter or in none.
func meet(a, b Filter) (Filter, bool) {
	out := make(Filter, 0, max(len(a), len(b)))
	for i := 0; ; i++ {
		var l level
		switch {
		case i == len(a) && i == len(b):
			return out, i > 0
		case i < len(a) && a[i].kind == hash: // matches the level above, too: b may end here
			return below(out, b[i:])
		case i < len(b) && b[i].kind == hash:
			return below(out, a[i:])
		case i == len(a) || i == len(b):
			return nil, false
		}
		if l = meetLevels(a[i], b[i], i == 0); l.kind == nothing {
			return nil, false
		}
		out = append(out, l)
	}
}

// meetTail is meet for what is behind the first levels of a topic: there a wildcard matches words
// that begin with $, too.
func meetTail(a, b Filter) (Filter, bool) {
	if len(a) == 0 || len(b) == 0 {
		return meet(a, b)
	}
	first := word(platformLevel)
	f, ok := meet(append(Filter{first}, a...), append(Filter{first}, b...))
	if !ok {
		return nil, false
	}
	return f[1:], true
}

// below returns what of rest a # matches behind out.
func below(out, rest Filter) (Filter, bool) {
	if len(out) == 0 {
		if len(rest) == 0 {
			return nil, false
		}
		l := meetLevels(anyLevel, rest[0], true)
		if rest[0].kind == hash {
			l = allLevels
		}
		if l.kind == nothing {
			return nil, false
		}
		return append(append(out, l), rest[1:]...), true
	}
	return append(out, rest...), true
}

// meetLevels returns the level that both match; neither is #.
func meetLevels(a, b level, first bool) level {
	switch {
	case a.kind == plus && b.kind == plus:
		return anyLevel
	case a.kind == words && b.kind == words:
		return some(a.words, b.has)
	case a.kind == plus && first:
		return some(b.words, func(w string) bool { return !system(w) })
	case b.kind == plus && first:
		return some(a.words, func(w string) bool { return !system(w) })
	case a.kind == plus:
		return b
	}
	return a
}

// some returns the level of the words that fit; of all of them it makes no copy.
func some(list []string, fits func(string) bool) level {
	i := slices.IndexFunc(list, func(w string) bool { return !fits(w) })
	if i < 0 && len(list) > 0 {
		return level{kind: words, words: list}
	}
	var kept []string
	for _, w := range list {
		if fits(w) {
			kept = append(kept, w)
		}
	}
	if len(kept) == 0 {
		return level{}
	}
	return level{kind: words, words: kept}
}

// overlap reports whether there is a topic that both match.
func overlap(a, b Filter) bool {
	for i := 0; ; i++ {
		switch {
		case i == len(a) && i == len(b):
			return i > 0
		case i < len(a) && a[i].kind == hash:
			return i > 0 || len(b) > 0 && !onlySystem(b[0])
		case i < len(b) && b[i].kind == hash:
			return i > 0 || len(a) > 0 && !onlySystem(a[0])
		case i == len(a) || i == len(b):
			return false
		case meetLevels(a[i], b[i], i == 0).kind == nothing:
			return false
		}
	}
}

// onlySystem reports whether wildcards at the first level match none of l.
func onlySystem(l level) bool {
	return l.kind == words && !slices.ContainsFunc(l.words, func(w string) bool { return !system(w) })
}

// covers reports whether a matches everything that b does.
func covers(a, b Filter) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	if len(a) == 2 && a[0].kind == plus && a[1].kind == hash {
		a = a[1:] // +/# is #: no topic is without a level
	}
	for i := 0; ; i++ {
		switch {
		case i == len(a):
			return i == len(b)
		case a[i].kind == hash:
			return i > 0 || b[0].kind != words || !slices.ContainsFunc(b[0].words, system)
		case i == len(b) || b[i].kind == hash:
			return false
		case a[i].kind == plus && i == 0 && b[i].kind == words && slices.ContainsFunc(b[i].words, system):
			return false
		case a[i].kind == words && (b[i].kind != words || slices.ContainsFunc(b[i].words, func(w string) bool { return !a[i].has(w) })):
			return false
		}
	}
}

// matches reports whether a topic, cut into its levels, is one that f matches.
func (f Filter) matches(levels [][]byte) bool {
	for i, l := range f {
		switch {
		case l.kind == hash:
			return i > 0 || len(levels) > 0 && !startsSystem(levels[0])
		case i == len(levels):
			return false
		case l.kind == plus:
			if i == 0 && startsSystem(levels[0]) {
				return false
			}
		case !l.names(levels[i]):
			return false
		}
	}
	return len(f) > 0 && len(f) == len(levels)
}

// names reports whether text is one of the level's words.
func (l level) names(text []byte) bool {
	for _, w := range l.words {
		if string(text) == w {
			return true
		}
	}
	return false
}

func startsSystem(text []byte) bool { return len(text) > 0 && text[0] == '$' }
