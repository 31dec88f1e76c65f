package splice

import (
	"bytes"
	"encoding/json"
	"testing"

	"aclgate/proxy/jsonscan"
)

var seeds = []string{
	`{}`, ` { } `, `{"result":[{"id":1}]}`, `{"errors":[{"code":6}],"result":[]}`, `{"errors":[ ]}`, `{"errors":[[]],"errors":[]}`, `{"errors":null}`,
	`{"\u0065rrors":["]"],"a":"\\\"}"}`, `{"a":{"errors":[1]},"b":-1.5e3,"c":"\ud800"}`, "\xef\xbb\xbf{}", `[]`, `{}{}`, `{"a":[}`, `{"errors":[1,]}`,
	`{"errors":["\\",{"a":[{}]}],"z":true}`, "{\"\xff\":1,\"errors\xc3\xa9\":2}",
}

// Any split of the stream gives the same bytes and the same error, and what is sent for valid input
// without fault is the decoded object with errors added.
func FuzzSplice(f *testing.F) {
	for i, seed := range seeds {
		f.Add([]byte(seed), uint16(i), uint16(2*i))
	}
	errs := `{"code":6,"id":1},{"code":6,"id":2}`
	f.Fuzz(func(t *testing.T, text []byte, first, second uint16) {
		want, wantErr := stream(string(text), errs, len(text)+1)
		if got, err := stream(string(text), errs, 1); got != want || err != wantErr {
			t.Fatalf("%q by the byte: got %q, %v, want %q, %v", text, got, err, want, wantErr)
		}
		if got, err := inThree(text, errs, int(first), int(second)); got != want || err != wantErr {
			t.Fatalf("%q cut at %d and %d: got %q, %v, want %q, %v", text, first, second, got, err, want, wantErr)
		}
		if got, err := stream(string(text), "", len(text)+1); err != wantErr || err == nil && got != string(text) {
			t.Fatalf("%q without errors: got %q, %v, want it unchanged, %v", text, got, err, wantErr)
		}
		whole, err := Whole(nil, text, []byte(errs))
		if err != wantErr {
			t.Fatalf("Whole(%q): got %v, want %v", text, err, wantErr)
		}
		if !json.Valid(text) {
			return
		}
		members, fault := oracle(t, text, errs)
		if wantErr != fault {
			t.Fatalf("%q: got %v, want %v", text, wantErr, fault)
		}
		if fault == nil {
			compare(t, []byte(want), members)
			compare(t, whole, toFront(members))
		}
	})
}

// inThree feeds text in up to three parts.
func inThree(text []byte, errs string, first, second int) (string, error) {
	first = min(first, len(text))
	second = min(first+second, len(text))
	var s Splicer
	s.Reset([]byte(errs))
	var dst []byte
	for _, part := range [][]byte{text[:first], text[first:second], text[second:]} {
		dst, _ = s.Feed(dst, part)
	}
	return string(dst), s.Finish()
}

// member is one member of an object, in compact spelling.
type member struct {
	key, value string
	added      bool
}

// decode reads the members of a valid object in their order.
func decode(t *testing.T, text []byte) []member {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	var members []member
	for d.More() {
		key, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		var value bytes.Buffer
		if err := json.Compact(&value, raw); err != nil {
			t.Fatal(err)
		}
		members = append(members, member{key: key.(string), value: value.String()})
	}
	return members
}

// oracle decodes a valid text and adds errs, or names the first fault.
func oracle(t *testing.T, text []byte, errs string) ([]member, error) {
	t.Helper()
	if bytes.TrimLeft(text, " \t\r\n")[0] != '{' {
		return nil, jsonscan.ErrNotObject
	}
	members := decode(t, text)
	seen := false
	for i, m := range members {
		switch {
		case m.key != "errors":
		case seen:
			return nil, jsonscan.ErrTwice
		case m.value[0] != '[':
			return nil, jsonscan.ErrNotArray
		case m.value == "[]":
			seen, members[i].value = true, "["+errs+"]"
		default:
			seen, members[i].value = true, m.value[:len(m.value)-1]+","+errs+"]"
		}
	}
	if !seen {
		members = append(members, member{"errors", "[" + errs + "]", true})
	}
	return members, nil
}

// toFront is where Whole writes a new member.
func toFront(members []member) []member {
	last := len(members) - 1
	if !members[last].added {
		return members
	}
	return append([]member{members[last]}, members[:last]...)
}

func compare(t *testing.T, text []byte, want []member) {
	t.Helper()
	if !json.Valid(text) {
		t.Fatalf("got %q, which is not valid", text)
	}
	got := decode(t, text)
	if len(got) != len(want) {
		t.Fatalf("%q: got %v, want %v", text, got, want)
	}
	for i := range got {
		if got[i].key != want[i].key || got[i].value != want[i].value {
			t.Fatalf("%q: got %v, want %v", text, got, want)
		}
	}
}
