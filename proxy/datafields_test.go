package proxy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode"

	"aclgate/proxy/body"
)

// What data says of fields is what encoding/json reads in it.
func TestDataFields(t *testing.T) {
	for _, row := range []struct{ text, names, plain, says string }{
		{`{"fields":"telemetry,id"}`, "telemetry,id", "", ""},
		{`{"fields":"tele\u006detry"}`, "telemetry", "", ""},
		{`{"f\u0069elds":["id", "tele\u006detry.x"]}`, "id,telemetry.x", "", ""},
		{`{"count":1,"fields": "id,*" ,"x":[2]}`, "id,*", `{"count":1,"fields": "id" ,"x":[2]}`, ""},
		{`{"fields":["*","id","*"]}`, "*,id,*", `{"fields":"id"}`, ""},
		{`{"fields":"*"}`, "*", `{"fields":""}`, ""},
		{`{"fields":[]}`, "", "", ""},
		{`{"fields":["id",1]}`, "id", "", "bad"},
		{`{"fields":[["id"]]}`, "", "", "bad"},
		{`{"fields":null}`, "", "", "bad"},
		{`{"fields":{"id":1}}`, "", "", "bad"},
		{`{"Fields":"id"}`, "", "", "bad"},
		{`{"filter":"x>1"}`, "", "", "filter"},
		{`{"\u0046ilter":"x>1"}`, "", "", "bad"},
		{`[{"fields":"id"}]`, "id", "", "bad"},
		{`[{"a":{"fields":"telemetry"}}]`, "", "", ""},
		{`{"count":1}`, "", "", ""},
		{`null`, "", "", ""},
		{`{"fields":"id"`, "", "", ""},
	} {
		got := readDataFields([]byte(row.text))
		says := ""
		switch {
		case got.Bad:
			says = "bad"
		case got.Filter:
			says = "filter"
		}
		if string(got.Names) != row.names || string(got.Plain) != row.plain || says != row.says {
			t.Errorf("%s: got %q %q %q, want %q %q %q", row.text, got.Names, got.Plain, says, row.names, row.plain, row.says)
		}
	}
}

// FuzzDataFields: whatever text a body may be, encoding/json finds no name in it that was not found,
// and what is printed instead is the same text without "*".
func FuzzDataFields(f *testing.F) {
	for _, s := range []string{`{"fields":"telemetry,*","a":1}`, `{"fields":["a","*"]}`, `{"Fields":1,"filter":2}`, `[{"fields":"a"}]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		said := readDataFields(text)
		var members map[string]any
		var s body.Scanner
		if _, err := s.Check(text); err != nil || json.Unmarshal(text, &members) != nil {
			return
		}
		for key, value := range members {
			fold := strings.ToLower(strings.Map(unicode.ToUpper, key))
			if fold == "filter" && !said.Filter && !said.Bad {
				t.Errorf("%q: the expression was not found", text)
			}
			if fold == "fields" && !said.Bad {
				wantNames(t, text, value, string(said.Names))
			}
		}
		if said.Plain == nil || said.Bad || strings.ContainsAny(string(said.Names), "\"\\") || !plainNames(said.Names) {
			return
		}
		var rest map[string]any
		if err := json.Unmarshal(said.Plain, &rest); err != nil {
			t.Fatalf("%q: printed %q: %v", text, said.Plain, err)
		}
		names := strings.Split(string(said.Names), ",")
		want := strings.Join(slices.DeleteFunc(names, func(n string) bool { return n == "*" }), ",")
		if rest["fields"] != want || len(rest) != len(members) {
			t.Errorf("%q: printed %q", text, said.Plain)
		}
	})
}

// plainNames reports whether the names need no escape in JSON; others are refused.
func plainNames(names []byte) bool {
	return !slices.ContainsFunc(names, func(b byte) bool { return b < ' ' || b > '~' })
}

func wantNames(t *testing.T, text []byte, value any, names string) {
	t.Helper()
	want, _ := value.(string)
	if list, ok := value.([]any); ok {
		var words []string
		for _, v := range list {
			word, _ := v.(string)
			words = append(words, word)
		}
		want = strings.Join(words, ",")
	}
	if names != want {
		t.Errorf("%q: got names %q, want %q", text, names, want)
	}
}
