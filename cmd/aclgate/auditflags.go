package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"aclgate/config/strict"
	"aclgate/metrics/record"
	"aclgate/policy"
)

// span is a while: as a flag it takes days, too.
type span time.Duration

var errSpan = errors.New("expected a while such as 90s, 15m, 2h or 7d")

// Set implements pflag.Value.
func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if days, found := strings.CutSuffix(text, "d"); found {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || d < 0 {
		return errSpan
	}
	*s = span(d)
	return nil
}

// String implements pflag.Value.
func (s *span) String() string {
	if *s == 0 {
		return ""
	}
	return time.Duration(*s).String()
}

// Type implements pflag.Value.
func (s *span) Type() string { return "duration" }

// check refuses words that no line has: they would find nothing, and nothing is
// what a quiet gateway shows.
func (f *tailFlags) check() error {
	if err := oneOf("--verdict", f.verdict, []string{"deny", "narrow", "allow"}); err != nil {
		return err
	}
	var words []string
	for _, r := range policy.Reasons() {
		words = append(words, r.String())
	}
	return oneOf("--reason", f.reason, words)
}

// oneOf reports why a flag that was set is none of the known words: it names
// the nearest or, of a short list, all.
func oneOf(flag, word string, known []string) error {
	const short = 5
	if word == "" || slices.Contains(known, word) {
		return nil
	}
	if near, found := strict.Nearest(word, known); found {
		return fmt.Errorf("%s: there is no %q: did you mean %q?", flag, word, near)
	}
	if len(known) <= short {
		return fmt.Errorf("%s: there is no %q: expected one of %s", flag, word, strings.Join(known, ", "))
	}
	return fmt.Errorf("%s: there is no %q: docs/reasons.md has them all", flag, word)
}

// changeLine returns a change by an operator for people.
func changeLine(at string, l *record.Line) string {
	words := []string{l.Event}
	if l.Result != "" {
		words = append(words, l.Result)
	}
	words = append(words, fmt.Sprintf("revision %d", l.Revision))
	if l.Faults != "" {
		words = append(words, strconv.Quote(l.Faults))
	}
	return at + "  " + strings.Join(words, " ")
}
