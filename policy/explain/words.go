package explain

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// clean returns text with everything that is not printable escaped: what a client or a file says
// must not steer a terminal or forge a line.
func clean(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(text[i])|0x100, 16)[1:])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		i += size
	}
	return b.String()
}

// Bounds of what is shown of a list of ids and of a long text.
const (
	shownIDs   = 12
	shownBytes = 160
)

// joinIDs prints all ids.
func joinIDs(ids []int64) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(parts, ",")
}

// shortIDs prints the first ids and how many more there are.
func shortIDs(ids []int64) string {
	switch {
	case len(ids) == 0:
		return "(none)"
	case len(ids) <= shownIDs:
		return joinIDs(ids)
	}
	return joinIDs(ids[:shownIDs-2]) + " and " + strconv.Itoa(len(ids)-shownIDs+2) + " more"
}

// shorten cuts the middle out of a long text, and says how long it was.
func shorten(text string) string {
	if len(text) <= shownBytes {
		return text
	}
	head, tail := text[:shownBytes-40], text[len(text)-30:]
	for len(head) > 0 && !utf8.RuneStart(text[len(head)]) {
		head = head[:len(head)-1]
	}
	for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
	}
	return head + "…" + tail + " (" + strconv.Itoa(len(text)) + " bytes)"
}
