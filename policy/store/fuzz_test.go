package store

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// FuzzReadPolicy: records that are printed read as themselves.
func FuzzReadPolicy(f *testing.F) {
	for _, text := range agreeing() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, _ := ReadPolicy("p.yaml", []byte(text), nil, 4)
		if p != nil {
			checkPrinted(t, p)
		}
	})
}

// FuzzFormatsAgree: a text that is JSON reads as the same policy, or with the same faults, whether
// it is read as JSON or as YAML.
func FuzzFormatsAgree(f *testing.F) {
	for _, text := range jsonTexts() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// YAML ends lines at a CR too, reads a tab as indentation, and knows no surrogates and no
		// key beyond 1024 bytes.
		if !json.Valid([]byte(text)) || strings.ContainsAny(text, "\r\t") || strings.Contains(text, `\u`) || len(text) > 1000 {
			return
		}
		if strings.IndexFunc(text, refusedByYAML) >= 0 || brokenKey.MatchString(text) {
			return
		}
		checkFormatsAgree(t, text)
	})
}

// brokenKey matches a key whose colon stands on a later line, which yaml.v3 does not take for one.
var brokenKey = regexp.MustCompile(`"\s*\n\s*:`)

// refusedByYAML reports whether c may stand in a JSON text but not in a YAML stream (YAML 1.2.2,
// 5.1, c-printable).
func refusedByYAML(c rune) bool {
	return c >= 0x7f && c < 0xa0 && c != 0x85 || c == 0xfffe || c == 0xffff
}
