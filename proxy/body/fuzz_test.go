package body

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// The oracle judges a text with encoding/json and the plainest code for the rules that
// encoding/json does not know. It shares nothing with the scanner.

func oracleAccepts(text []byte) bool {
	if !utf8.Valid(text) {
		return false
	}
	trimmed := strings.Trim(string(text), " \t\r\n")
	if trimmed == "" || trimmed == "null" {
		return true
	}
	if !json.Valid(text) || oracleLoneSurrogate(trimmed) || trimmed[0] != '{' && trimmed[0] != '[' {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if !oracleWalk(d, 0) {
		return false
	}
	if trimmed[0] == '{' {
		return true
	}
	var elements []json.RawMessage
	if json.Unmarshal(text, &elements) != nil {
		return false
	}
	for _, e := range elements {
		if !bytes.HasPrefix(bytes.TrimLeft(e, " \t\r\n"), []byte("{")) {
			return false
		}
	}
	return true
}

// oracleWalk reads one value and reports whether depth and keys are in order.
func oracleWalk(d *json.Decoder, depth int) bool {
	token, err := d.Token()
	delim, container := token.(json.Delim)
	if err != nil || !container {
		return err == nil
	}
	if depth++; depth > 32 {
		return false
	}
	seen := map[string]bool{}
	for d.More() {
		if delim == '{' {
			token, err := d.Token()
			key, _ := token.(string)
			if err != nil || seen[key] || strings.ContainsFunc(key, func(r rune) bool { return r < 32 || r == 127 }) {
				return false
			}
			seen[key] = true
		}
		if !oracleWalk(d, depth) {
			return false
		}
	}
	_, err = d.Token()
	return err == nil || err == io.EOF
}

// oracleLoneSurrogate blanks what is in order and looks for what is left.
func oracleLoneSurrogate(text string) bool {
	text = strings.ToLower(strings.ReplaceAll(text, `\\`, "__"))
	for {
		i := strings.Index(text, `\ud`)
		if i < 0 {
			return false
		}
		text = text[i:]
		if strings.ContainsRune("01234567", rune(text[3])) {
			text = text[6:]
			continue
		}
		if !strings.ContainsRune("89ab", rune(text[3])) || len(text) < 12 || text[6:9] != `\ud` || !strings.ContainsRune("cdef", rune(text[9])) {
			return true
		}
		text = text[12:]
	}
}

// oracleObjects decodes the object, or those of the array.
func oracleObjects(t *testing.T, text []byte) []map[string]json.RawMessage {
	t.Helper()
	var one map[string]json.RawMessage
	var many []map[string]json.RawMessage
	switch trimmed := bytes.TrimLeft(text, " \t\r\n"); {
	case len(trimmed) == 0 || trimmed[0] == 'n':
		return nil
	case trimmed[0] == '[':
		if err := json.Unmarshal(text, &many); err != nil {
			t.Fatal(err)
		}
		return many
	}
	if err := json.Unmarshal(text, &one); err != nil {
		t.Fatal(err)
	}
	return []map[string]json.RawMessage{one}
}

// oracleVariant reports whether one of the keys is a name in other letters.
func oracleVariant(objects []map[string]json.RawMessage, names ...string) bool {
	for _, object := range objects {
		for key := range object {
			lower, upper := strings.ToLower(key), strings.ToUpper(key)
			for _, name := range names {
				if key != name && (strings.EqualFold(key, name) || lower == name || upper == strings.ToUpper(name)) {
					return true
				}
			}
		}
	}
	return false
}

var seeds = []string{
	"", "null", "{}", "[{}]", `{"cid":1,"c\u0069d":2}`, `[{"id":1},{"ID":-0,"topic":"\ud834\udd1e"}]`, `{"a":{"a":{"b":[1,2.5e-3,true,"\\\"\u00e9"]}},"top\u0069c":"$x"}`,
	`{"a":"\ud800"}`, `{"a\u0000":1}`, "\xef\xbb\xbf{}", "{\"\u212aid\":1,\"\u0130d\":2}", strings.Repeat(`{"a":`, 32) + "1" + strings.Repeat("}", 32),
	` [ { "cid" : null } , { } ] `, `{"a":1,"b":{"a":1},"a":1}`, "{\"a\":\"\xed\xa0\x80\"}", `{"id":[{"id":"]"}],"cid":{"}":"\\"}}`,
}

// Check accepts exactly what the oracle accepts, and Elements finds what a decoder finds.
func FuzzCheck(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	names := NewKeys("id", "cid", "topic")
	f.Fuzz(func(t *testing.T, text []byte) {
		s := Get()
		defer Put(s)
		_, err := s.Check(text)
		if got, want := err == nil, oracleAccepts(text); got != want {
			t.Fatalf("Check(%q): got %v (%v), want %v", text, got, err, want)
		}
		if err == nil && len(s.keys) != 0 {
			t.Fatalf("Check(%q): keys are left behind", text)
		}
		if err != nil {
			s.TopKeys(text, func([]byte) error { return nil })
			s.AppendWithCID(nil, text, 1)
			s.Elements(text, names, func(e *Element) error {
				e.Values[0].ID()
				e.Values[2].AppendString(nil)
				return nil
			})
			return
		}
		compareElements(t, s, text, names)
	})
}

func compareElements(t *testing.T, s *Scanner, text []byte, names Keys) {
	t.Helper()
	want := oracleObjects(t, text)
	n := 0
	err := s.Elements(text, names, func(e *Element) error {
		object := want[n]
		n++
		if e.Members != len(object) || text[e.Start] != '{' || text[e.End] != '}' {
			t.Fatalf("%q: got %d members from %d to %d, want %d", text, e.Members, e.Start, e.End, len(object))
		}
		for i, name := range names {
			raw, present := object[string(name)]
			if v := e.Values[i]; v.Present() != present || present && !bytes.Equal(v.Raw, raw) {
				t.Fatalf("%q: %s: got %q, want %q", text, name, v.Raw, raw)
			}
		}
		compareString(t, e.Values[2], object["topic"])
		return nil
	})
	var e *SyntaxError
	if variant := oracleVariant(want, "id", "cid", "topic"); variant != (errors.As(err, &e) && e.Fault == CaseVariant) {
		t.Fatalf("%q: got %v, want a case variant: %v", text, err, variant)
	}
	if err == nil && n != len(want) {
		t.Fatalf("%q: got %d elements, want %d", text, n, len(want))
	}
}

func compareString(t *testing.T, v Value, raw json.RawMessage) {
	t.Helper()
	if v.Kind != String {
		return
	}
	var want string
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	if got := string(v.AppendString(nil)); got != want {
		t.Fatalf("AppendString of %s: got %q, want %q", raw, got, want)
	}
}

// AppendWithCID is the same as decoding, setting what is missing, encoding; and without what it put
// in, its text is the one that came.
func FuzzAppendWithCID(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := Get()
		defer Put(s)
		before, err := s.Check(text)
		if err != nil {
			return
		}
		got := s.AppendWithCID(nil, text, 778899)
		if after, err := s.Check(got); err != nil || after != before {
			t.Fatalf("%q became %q: got %v, %v, want %v", text, got, after, err, before)
		}
		want := oracleObjects(t, text)
		missing := 0
		for _, object := range want {
			if _, ok := object["cid"]; !ok {
				object["cid"] = json.RawMessage("778899")
				missing++
			}
		}
		a, _ := json.Marshal(want)
		b, _ := json.Marshal(oracleObjects(t, got))
		if !bytes.Equal(a, b) {
			t.Fatalf("%q became %q: got %s, want %s", text, got, b, a)
		}
		if bytes.Contains(text, []byte("778899")) {
			return
		}
		stripped := bytes.ReplaceAll(bytes.ReplaceAll(got, []byte(`,"cid":778899}`), []byte("}")), []byte(`"cid":778899}`), []byte("}"))
		if !bytes.Equal(stripped, text) || bytes.Count(got, []byte("778899")) != missing {
			t.Fatalf("%q became %q, want only the members added", text, got)
		}
	})
}
