package splice

import (
	"errors"
	"strings"
	"testing"

	"aclgate/proxy/jsonscan"
)

const denied = `{"code":6,"id":2024,"reason":"access denied to '\/channels\/2024'"}`

// stream feeds text in parts of n bytes.
func stream(text, errs string, n int) (string, error) {
	var s Splicer
	s.Reset([]byte(errs))
	var dst []byte
	var err error
	for len(text) > 0 && err == nil {
		part := text[:min(n, len(text))]
		text = text[len(part):]
		dst, err = s.Feed(dst, []byte(part))
	}
	if again := s.Finish(); err == nil || again != err {
		err = again
	}
	return string(dst), err
}

// spliced are answers as they come, as they stream and as Whole writes them. E stands for the new
// errors.
var spliced = []struct {
	text, streamed, whole string
}{
	{`{}`, `{"errors":[E]}`, `{"errors":[E]}`},
	{` { } `, ` { "errors":[E]} `, ` {"errors":[E] } `},
	{`{"result":[]}`, `{"result":[],"errors":[E]}`, `{"errors":[E],"result":[]}`},
	{"{\n \"result\" : 1\n}\n", "{\n \"result\" : 1\n,\"errors\":[E]}\n", "{\"errors\":[E],\n \"result\" : 1\n}\n"},
	{`{"result":1}`, `{"result":1,"errors":[E]}`, `{"errors":[E],"result":1}`},
	{`{"result":"x"}`, `{"result":"x","errors":[E]}`, `{"errors":[E],"result":"x"}`},
	{`{"result":null}`, `{"result":null,"errors":[E]}`, `{"errors":[E],"result":null}`},
	{`{"errors":[]}`, `{"errors":[E]}`, `{"errors":[E]}`},
	{`{"errors":[ ],"result":[]}`, `{"errors":[ E],"result":[]}`, `{"errors":[ E],"result":[]}`},
	{`{"errors":[{"code":1}],"result":[1]}`, `{"errors":[{"code":1},E],"result":[1]}`, `{"errors":[{"code":1},E],"result":[1]}`},
	{`{"result":[],"errors":[{"a":["]"]}, "]" ] }`, `{"result":[],"errors":[{"a":["]"]}, "]" ,E] }`, `{"result":[],"errors":[{"a":["]"]}, "]" ,E] }`},
	{`{"errors":[1]}`, `{"errors":[1,E]}`, `{"errors":[1,E]}`},
	{`{"\u0065rror\u0073":[]}`, `{"\u0065rror\u0073":[E]}`, `{"\u0065rror\u0073":[E]}`},
	// None of these is the key errors of the outermost level.
	{`{"a":{"errors":[]}}`, `{"a":{"errors":[]},"errors":[E]}`, `{"errors":[E],"a":{"errors":[]}}`},
	{`{"a":"\"errors\":[]"}`, `{"a":"\"errors\":[]","errors":[E]}`, `{"errors":[E],"a":"\"errors\":[]"}`},
	{`{"a":"}","b":"\\","c":["}{",{"]":"\\\"}"}]}`, `{"a":"}","b":"\\","c":["}{",{"]":"\\\"}"}],"errors":[E]}`, `{"errors":[E],"a":"}","b":"\\","c":["}{",{"]":"\\\"}"}]}`},
	{`{"Errors":1,"errors ":2,"error":3,"errorss":4,"\"errors":5,"errors\n":6}`, `{"Errors":1,"errors ":2,"error":3,"errorss":4,"\"errors":5,"errors\n":6,"errors":[E]}`, `{"errors":[E],"Errors":1,"errors ":2,"error":3,"errorss":4,"\"errors":5,"errors\n":6}`},
	{`{"error\\u0073":1,"\u0165rrors":2}`, `{"error\\u0073":1,"\u0165rrors":2,"errors":[E]}`, `{"errors":[E],"error\\u0073":1,"\u0165rrors":2}`},
}

func TestSplice(t *testing.T) {
	for _, row := range spliced {
		want := strings.ReplaceAll(row.streamed, "E]", denied+"]")
		for n := 1; n <= len(row.text); n++ {
			if got, err := stream(row.text, denied, n); err != nil || got != want {
				t.Errorf("%s in parts of %d: got %s, %v, want %s", row.text, n, got, err, want)
			}
		}
		want = "x" + strings.ReplaceAll(row.whole, "E]", denied+"]")
		if got, err := Whole([]byte("x"), []byte(row.text), []byte(denied)); err != nil || string(got) != want {
			t.Errorf("Whole(%s): got %s, %v, want %s", row.text, got, err, want)
		}
		if got, err := stream(row.text, "", len(row.text)); err != nil || got != row.text {
			t.Errorf("%s without errors: got %s, %v, want it unchanged", row.text, got, err)
		}
		if got, err := Whole(nil, []byte(row.text), nil); err != nil || string(got) != row.text {
			t.Errorf("Whole(%s) without errors: got %s, %v, want it unchanged", row.text, got, err)
		}
	}
}

func TestFaults(t *testing.T) {
	rows := map[error][]string{
		jsonscan.ErrNotObject: {"", " \n", "[]", "null", "1", `"x"`, "<html>", "\xef\xbb", "\xef{}", "\xef\xbb{}", "\x1f\x8b", "}", "\xef\xbb\xbf{}", " \xef\xbb\xbf"},
		jsonscan.ErrNotArray:  {`{"errors":null}`, `{"errors":{}}`, `{"errors":"[]"}`, `{"errors":1,"result":[]}`, `{"errors":}`},
		jsonscan.ErrTwice:     {`{"errors":[],"errors":[]}`, `{"errors":[],"a":1,"\u0065rrors":1}`},
		jsonscan.ErrSecond:    {"{}{}", "{} x", "{},", "{}]", "{}}", "{}\x00", `{"errors":[]}{`},
		jsonscan.ErrCut:       {"{", `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":"`, `{"a":"\`, `{"a":"\"}`, `{"a":{}`, `{"a":[`, `{"a":["]}`, `{"errors":[`, `{"errors":[{"a`, `{"errors":[]`},
		jsonscan.ErrMalformed: {`{"a":1,}`, `{,}`, `{"a"}`, `{"a",`, `{"a":}`, `{"a":,`, `{"a":1]`, `{"a":[]]`, `{"a":[}`, `{"a":{]`, `{"a":[{]}]}`, `{]`, `{[`, `{1:1}`, `{a:1}`, `{"a":1 "b":2}`, `{"a":1 2}`,
			`{"a":'x'}`, `{"a":/**/1}`, `{"a"::1}`, `{"a":1:2}`, `{"a":1"b"`, `{"a":""""`, `{"\q":1}`, `{"\u00g0":1}`, "{\"a\nb\":1}", `{"errors":[1,]}`, `{"errors":[,1]}`, `{"errors":[1,,2]}`, `{"errors":[{}{}]}`, `{"errors":[1 2]}`, `{"errors":[1 2]`,
			`{"errors":[}`, `{"errors":[1}`, `{"errors":[:]}`, `{"errors":[{}"x"]}`, `{"errors":["x"1]}`, `{"a":1;}`, "{\"a\":1\x00}"},
	}
	for want, texts := range rows {
		for _, text := range texts {
			whole, err := stream(text, denied, len(text)+1)
			if err != want {
				t.Errorf("%s: got %v, want %v", text, err, want)
			}
			if got, err := stream(text, denied, 1); err != want || got != whole {
				t.Errorf("%s by the byte: got %s, %v, want %s, %v", text, got, err, whole, want)
			}
			if got, err := Whole([]byte("x"), []byte(text), []byte(denied)); err != want || string(got) != "x" {
				t.Errorf("Whole(%s): got %s, %v, want x, %v", text, got, err, want)
			}
		}
	}
}

func TestFaultStays(t *testing.T) {
	var s Splicer
	s.Reset([]byte(denied))
	if _, err := s.Feed(nil, []byte(`{"errors":1`)); err != jsonscan.ErrNotArray {
		t.Fatalf("got %v, want %v", err, jsonscan.ErrNotArray)
	}
	dst, err := s.Feed([]byte("x"), []byte(`,"a":1}`))
	if err != jsonscan.ErrNotArray || string(dst) != "x" || s.Finish() != jsonscan.ErrNotArray {
		t.Errorf("got %s, %v, %v, want x and %v", dst, err, s.Finish(), jsonscan.ErrNotArray)
	}
	s.Reset(nil)
	if dst, err := s.Feed(nil, []byte("{}")); err != nil || string(dst) != "{}" || s.Finish() != nil {
		t.Errorf("after Reset: got %s, %v, want {}", dst, err)
	}
}

func TestDepth(t *testing.T) {
	nest := func(n int) string {
		return `{"a":` + strings.Repeat(`[{"b":`, n/2) + "1" + strings.Repeat("}]", n/2) + "}"
	}
	if _, err := stream(nest(jsonscan.MaxDepth), denied, 1000); err != nil {
		t.Errorf("got %v, want none", err)
	}
	if _, err := stream(nest(jsonscan.MaxDepth+2), denied, 1000); err != jsonscan.ErrTooDeep {
		t.Errorf("got %v, want %v", err, jsonscan.ErrTooDeep)
	}
}

// A key may be as long as the backend likes: nothing of it is kept.
func TestLongKey(t *testing.T) {
	text := `{"` + strings.Repeat("errors", 1<<16) + `":1}`
	got, err := stream(text, denied, 4096)
	if want := strings.TrimSuffix(text, "}") + `,"errors":[` + denied + "]}"; err != nil || got != want {
		t.Errorf("got %d bytes, %v, want %d", len(got), err, len(want))
	}
}

// An answer of the largest permitted first part shows its fault before a byte of it was sent.
func TestPreScan(t *testing.T) {
	text := `{"result":"` + strings.Repeat("x", 60<<10) + `","errors":null`
	var s Splicer
	s.Reset([]byte(denied))
	if _, err := s.Feed(nil, []byte(text)); !errors.Is(err, jsonscan.ErrNotArray) {
		t.Errorf("got %v, want %v", err, jsonscan.ErrNotArray)
	}
}
