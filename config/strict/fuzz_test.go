package strict

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// seeds are texts for both fuzz targets.
func seeds(f *testing.F) {
	for _, s := range []string{
		"a: 1\nb: [x, {c: d}]\n", "{\"a\": [1, \"\\u00e9\\/\", null, true, {}]}", "a: &x [*x]", "a: *b", "- a\n- b: c\n  d: |\n    x\n",
		"a:\n\tb: 1", "---\na: 1\n---\n", "? [a]\n: b", "\xef\xbb\xbfa", "a: \"\\ud83d\"", "%YAML 1.1\n---\n{}", "a: 'it's'\n", "\r\r", "a: 1\r\nb: }", "\"\u0085\"",
	} {
		f.Add(s)
	}
}

// Ensure every fault stands inside its file and reading is repeatable; and that comments and empty
// lines in front move every fault down by as many lines and change nothing else.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		root, report := Parse("f", []byte(text))
		if root == nil && report.Faults().Err() == nil {
			t.Fatal("got neither a tree nor a fault")
		}
		plain := value(root)
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, fault := range report.Faults() {
			if fault.Line < 1 || fault.Line > lines || fault.Col < 1 {
				t.Fatalf("got %q in a text of %d lines", fault, lines)
			}
		}
		if strings.HasPrefix(text, "\xef\xbb\xbf") || strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
			return
		}
		if report.Faults().Err() != nil {
			return
		}
		root, report = Parse("f", []byte("# one\n\n"+text))
		if report.Faults().Err() != nil || !reflect.DeepEqual(value(root), plain) {
			t.Fatalf("got %v %v, want %v", value(root), report.Faults(), plain)
		}
	})
}

// Ensure that a JSON file means to this package what it means to a JSON reader, or is refused.
func FuzzParseJSON(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		var want any
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if !json.Valid([]byte(text)) || dec.Decode(&want) != nil {
			return
		}
		root, report := Parse("f", []byte(text))
		got := value(root)
		if report.Faults().Err() != nil {
			return
		}
		if want = asText(want); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %#v, want %#v", got, want)
		}
	})
}

// value reads a tree without knowing its keys: maps, lists, texts, nil. Repeated keys are reported.
func value(n *Node) any {
	switch n.Kind() {
	case Text:
		text, _ := Str(n)
		return text
	case List:
		items := []any{}
		for _, item := range n.List() {
			items = append(items, value(item))
		}
		return items
	case Mapping:
		var keys []string
		for i := 0; i < len(n.y.Content); i += 2 {
			keys = append(keys, n.y.Content[i].Value)
		}
		m, pairs := n.Map(keys...), map[string]any{}
		for _, k := range keys {
			pairs[k] = value(m.Get(k))
		}
		return pairs
	}
	return nil
}

// asText turns what encoding/json read into the shape of value.
func asText(v any) any {
	switch v := v.(type) {
	case json.Number:
		return v.String()
	case bool:
		return map[bool]string{true: "true", false: "false"}[v]
	case []any:
		items := []any{}
		for _, item := range v {
			items = append(items, asText(item))
		}
		return items
	case map[string]any:
		pairs := map[string]any{}
		for k, item := range v {
			pairs[k] = asText(item)
		}
		return pairs
	}
	return v
}
