package jsonscan

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"testing"
)

// decode lets encoding/json say where the members of a valid object are.
func decode(t *testing.T, text []byte) (found []member) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.Token()
	for d.More() {
		key, err := d.Token()
		var raw json.RawMessage
		if err != nil || d.Decode(&raw) != nil {
			t.Fatalf("%q: %v", text, err)
		}
		end := int(d.InputOffset())
		found = append(found, member{start: end - len(raw), end: end, errors: key == "errors"})
	}
	return found
}

// elements reads the elements of an array.
func elements(array []byte) (texts []json.RawMessage) {
	var o Object
	o.Reset([]string{"a"})
	for rest := slices.Concat([]byte(`{"a":`), array, []byte("}")); len(rest) > 0; {
		at := o.At
		n, err := o.Step(rest)
		if err != nil {
			return nil
		}
		if at == InElement {
			texts = append(texts, rest[:n])
		}
		rest = rest[n:]
	}
	return texts
}

// However a text is cut, the same is found. In valid JSON members and elements are where
// encoding/json sees them; and what is taken for an object is valid JSON if only its values are.
func FuzzObject(f *testing.F) {
	for i, row := range rows {
		f.Add([]byte(row.text), uint16(i))
	}
	f.Fuzz(func(t *testing.T, text []byte, cut uint16) {
		found, err := walk(text, len(text)+1)
		for _, n := range []int{1, int(cut) + 1} {
			if again, fault := walk(text, n); fault != err || !reflect.DeepEqual(again, found) {
				t.Fatalf("%q in pieces of %d: got %v, %v, want %v, %v", text, n, again, fault, found, err)
			}
		}
		valid := true
		for _, m := range found {
			valid = valid && json.Valid(text[m.start:m.end])
		}
		switch {
		case !json.Valid(text):
			if err == nil && valid {
				t.Fatalf("%q is taken for an object", text)
			}
		case bytes.TrimLeft(text, " \t\r\n")[0] != '{':
			if err != ErrNotObject {
				t.Fatalf("%q: got %v, want %v", text, err, ErrNotObject)
			}
		case err != nil:
			t.Fatalf("%q: got %v, want none", text, err)
		default:
			compare(t, text, found)
		}
	})
}

// compare holds what was found in a valid object against encoding/json.
func compare(t *testing.T, text []byte, found []member) {
	t.Helper()
	if want := decode(t, text); !reflect.DeepEqual(found, want) {
		t.Fatalf("%q: got %v, want %v", text, found, want)
	}
	for _, m := range found {
		var want []json.RawMessage
		value := text[m.start:m.end]
		if value[0] != '[' {
			continue
		}
		if err := json.Unmarshal(value, &want); err != nil {
			t.Fatal(err)
		}
		if got := elements(value); len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got elements %q, want %q", value, got, want)
		}
	}
}
