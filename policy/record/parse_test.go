package record

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// decoded returns what encoding/json reads.
func decoded(text []byte) (any, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err := d.Decode(&v)
	return v, err
}

// asAny returns a value as encoding/json holds it.
func asAny(v Value) any {
	switch v.Shape {
	case Bool:
		return v.Text == "true"
	case Number:
		return json.Number(v.Text)
	case Text:
		return v.Text
	case List:
		all := []any{}
		for _, item := range v.Items {
			all = append(all, asAny(item))
		}
		return all
	case Object:
		all := map[string]any{}
		for _, m := range v.Members {
			all[m.Name] = asAny(m.Value)
		}
		return all
	}
	return nil
}

// FuzzParse: what is read is what encoding/json reads; what is printed reads as the same value, and
// is printed as the same bytes again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{`{"b":[1,-2.5e+3,true,null],"a":{"x":"\u00e9\ud83d\ude00\n\/"}}`, `[]`, `"\ud800"`, `{"a":1,"\u0061":2}`, `01`, `1 2`, `-`, "\"\x00\"", `{"a"}`,
		strings.Repeat("[", 33) + strings.Repeat("]", 33), `"\u12_4"`, "\xff", `1e5`, ` {"a" : [ ] } `, `{,}`, `[1,]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := Parse(text)
		if err != nil {
			if v.Shape != Absent {
				t.Errorf("%q: a value beside an error", text)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatalf("%q is no JSON, and was read as %s", text, v)
		}
		want, err := decoded(text)
		if err != nil || !reflect.DeepEqual(asAny(v), want) {
			t.Fatalf("%q: %v, want %v (%v)", text, asAny(v), want, err)
		}
		printed := v.Append(nil)
		again, err := Parse(printed)
		if err != nil || !again.Equal(v) || !bytes.Equal(again.Append(nil), printed) {
			t.Fatalf("%q is printed as %q, which reads as %s (%v)", text, printed, again, err)
		}
	})
}

// TestParseRefuses: valid JSON that two readers could read in two ways.
func TestParseRefuses(t *testing.T) {
	for _, text := range []string{`{"a":1,"a":1}`, `{"a":1,"\u0061":1}`, `"\ud800"`, `"\udc00\ud800"`, strings.Repeat("[", 33) + strings.Repeat("]", 33), `1 1`, `{}x`, "", " ", "\xff",
		`"` + "\t" + `"`, `{"a":1,}`, `+1`, `.5`, `1.`, `1e`, `0x1`, `NaN`, `'a'`, "nul", `"\x"`, `"\u+123"`} {
		if v, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q reads as %s", text, v)
		}
	}
	if _, err := Parse([]byte(strings.Repeat("[", 32) + strings.Repeat("]", 32))); err != nil {
		t.Error(err)
	}
}

// TestPlainIntegers: an id is spelled in one way.
func TestPlainIntegers(t *testing.T) {
	for text, want := range map[string]bool{"1": true, "9223372036854775807": true, "9223372036854775808": false, "1.0": false, "1e2": false, "-0": false, "0": false, "-1": false} {
		v, _ := Parse([]byte(text))
		if _, got := v.ID(); got != want {
			t.Errorf("%s is an id: %v", text, got)
		}
	}
}
