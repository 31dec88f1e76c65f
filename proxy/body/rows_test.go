package body

import (
	"errors"
	"strconv"
	"strings"
	"testing"
)

// reason returns the reason of a refusal, "" for nil.
func reason(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *SyntaxError
	if !errors.As(err, &e) {
		t.Fatalf("got a %T, want a *SyntaxError", err)
	}
	return e.Reason
}

func TestCheckAccepts(t *testing.T) {
	rows := []struct {
		text string
		want Kind
	}{
		{"", Empty}, {" \t\r\n", Empty}, {"null", Null}, {" null\n", Null},
		{"{}", Object}, {" { } ", Object}, {"[]", Array}, {"[ ]", Array}, {"[{}]", Array}, {"[{},{}]", Array},
		{`{"a":1}`, Object}, {`{"":0}`, Object}, {`{"a":{"a":{"a":1}}}`, Object}, {`[{"a":1},{"a":2}]`, Array},
		{`{"a":[1,"x",null,true,false,[],{},[[]]]}`, Object},
		// y_number: only the grammar counts, not the size.
		{`{"a":0}`, Object}, {`{"a":-0}`, Object}, {`{"a":-1}`, Object}, {`{"a":1E400}`, Object}, {`{"a":-237462374673276894279832749832423479823246327846}`, Object},
		{`{"a":0e1}`, Object}, {`{"a":0e+1}`, Object}, {`{"a":1e-2}`, Object}, {`{"a":123.456e78}`, Object}, {`{"a":0.0}`, Object}, {`{"a":-0.1E+5}`, Object},
		// y_string
		{`{"a":"\"\\\/\b\f\n\r\t"}`, Object}, {`{"a":"\u0000\u001f\u007F"}`, Object}, {"{\"a\":\"\x7f\"}", Object}, {`{"a":"\uD834\uDd1e"}`, Object},
		{`{"a":"\uFFFF\uFFFE\uFEFF"}`, Object}, {"{\"a\":\"\ufeff\ufffd\"}", Object}, {"{\"\u20ac\U0001d11e\":\"\u2028\"}", Object}, {`{"a":"// /* */ NaN"}`, Object},
		{`{"\ud834\udd1e":1,"\ud834\udd1f":2}`, Object}, {`{"a":"\\u12zz"}`, Object}, {`{"a":1,"A":2}`, Object}, {`{"\u0080":1}`, Object},
		{`{"a":{"id":1},"b":{"id":2},"id":3}`, Object},
	}
	var s Scanner
	for _, row := range rows {
		if got, err := s.Check([]byte(row.text)); err != nil || got != row.want {
			t.Errorf("Check(%q): got %v, %v, want %v", row.text, got, err, row.want)
		}
	}
}

// The reasons of a refusal, as the client reads them.
const (
	top       = "neither null, an object nor an array of objects"
	element   = "an element of the array is not an object"
	comma     = "a comma or the end of the object or array is missing"
	key       = "a key is missing"
	colon     = "a colon is missing"
	value     = "a value is missing"
	number    = "bad number"
	escape    = "bad escape"
	surrogate = "lone surrogate"
	unended   = "a string does not end"
	control   = "control character in a string"
	inKey     = "control character in a key"
	twice     = "duplicate key"
	follows   = "something follows the value"
	encoding  = "not valid UTF-8"
)

// refused are texts by the reason that they are refused for.
var refused = map[string][]string{
	top:     {"1", `"x"`, "true", "NaN", "cid=777&enabled=false", "\x00", "}", "]", ",", "\f{}", "\v", "\u00a0{}", "//\n{}", "'a'"},
	element: {"[1]", "[null]", `["a"]`, "[[]]", "[{},1]", "[{},]", "[,{}]", "[", "[{},"},
	comma:   {`{"a":1`, `{"a":1]`, `[{}}`, `[{}`, `[{}{}]`, `{"a":1 "b":2}`, `{"a":[1 2]}`, `{"a":[1}`, `{"a":[1`, `{"a":{}`, `{"a":1;}`, `{"a":1/**/}`, `{"a":truer}`, `{"a":1a}`, `{"a":0x1}`, `{"a":1_000}`},
	key: {"{", `{"a":1,}`, `{,}`, `{,"a":1}`, `{"a":1,,"b":2}`, `{1:1}`, `{a:1}`, `{'a':1}`, `{null:1}`, `{/*"*/"cid":777/*"*/}`, `{]`, `{[`, `{{}`,
		"{\x00}", `{"a":1,`, "{\u00a0\"a\":1}"},
	colon: {`{"a"`, `{"a"}`, `{"a" 1}`, `{"a",1}`, `{"a"=1}`},
	value: {`{"a":`, `{"a":}`, `{"a"::1}`, `{"a":,}`, `{"a":[,1]}`, `{"a":[1,]}`, `{"a":[1,,2]}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":nul}`, `{"a":True}`,
		`{"a":tru}`, `{"a":.5}`, `{"a":+1}`, `{"a":'x'}`, `{"a":undefined}`, `{"a":[`, "nul", "nulL", `{"a":[}`, `{"a":\u0031}`, "{\"a\":\uff11}"},
	number: {`{"a":-}`, `{"a":01}`, `{"a":-01}`, `{"a":00}`, `{"a":1.}`, `{"a":1.e1}`, `{"a":1e}`, `{"a":1e+}`, `{"a":1E-x}`, `{"a":-Infinity}`, `{"a":--1}`, `{"a":-`, `{"a":1.`, `{"a":1e`, `{"a":-.5}`},
	escape: {`{"a":"\x41"}`, `{"a":"\a"}`, `{"a":"\'"}`, `{"a":"\`, `{"a":"\u"}`, `{"a":"\u12"}`, `{"a":"\u12G4"}`, `{"a":"\U0041"}`, `{"a":"\u+041"}`, `{"\q":1}`, "{\"a\":\"\\\n\"}", "{\"a\":\"\\\u00e9\"}", `{"a":"\u00`},
	surrogate: {`{"a":"\ud800"}`, `{"a":"\uDC00"}`, `{"a":"\ud800\ud800"}`, `{"a":"\ud834x\udd1e"}`, `{"a":"\udd1e\ud834"}`, `{"\ud800":1}`, `{"a":"\ud800\n"}`, `{"a":"\ud800\u0041"}`, `{"a":"\ud800\u"}`,
		`{"a":["\ud834\`, `{"a":"\ud834\\udd1e"}`},
	unended:  {`{"a`, `{"a":"`, `{"a":"b}`, `{"a":"\"`},
	control:  {"{\"a\":\"\n\"}", "{\"a\":\"\x00\"}", "{\"a\":\"\x1f\"}", "{\"a\tb\":1}", "{\"cid\x00\":1}"},
	inKey:    {`{"cid\u0000":777}`, `{"\u001f":1}`, `{"\n":1}`, "{\"\x7f\":1}", `{"\u007F":1}`, `{"a":{"\t":1}}`, `[{"a":[{"\u0000":1}]}]`},
	twice:    {`{"cid":500,"cid":777}`, `{"cid":500,"c\u0069d":777}`, `{"":1,"":2}`, `{"a":1,"b":{},"a":1}`, `{"x":{"a":1,"a":1}}`, `{"x":[0,{"a":1,"\u0061":1}]}`, `[{"b":1},{"a":1,"a":2}]`, `{"/":1,"\/":2}`, "{\"\U0001d11e\":1,\"\\ud834\\uDD1E\":2}", `{"a":{"a":1},"a":2}`},
	follows:  {"{}{}", "{},", "{}x", "[]]", "null null", "nullx", "{}\x00", "null\x00", "{}//", "[{}]\f", "{}\u00a0"},
	encoding: {"\xff", "{\"a\":\"\xff\xfe\"}", "{\"a\":\"\xc0\xaf\"}", "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xf4\x90\x80\x80\"}", "{\"\xe9\":1}", "{}\x80", "\xfe\xff\x00{\x00}"},
	// A text in UTF-16 is either no UTF-8 or full of zero bytes.
	"byte order mark": {"\xef\xbb\xbf", "\xef\xbb\xbf{\"cid\":777}"},
}

func TestCheckRefuses(t *testing.T) {
	var s Scanner
	for want, texts := range refused {
		for _, text := range texts {
			if _, err := s.Check([]byte(text)); reason(t, err) != want {
				t.Errorf("Check(%q): got %q, want %q", text, reason(t, err), want)
			}
			if s.start(nil); len(s.keys) != 0 || s.text != nil || s.src.Len() != 0 {
				t.Errorf("Check(%q): the scanner kept %d keys and %d bytes, want none", text, len(s.keys), len(s.text))
			}
		}
	}
}

func TestCheckOffset(t *testing.T) {
	rows := []struct {
		text string
		want int
	}{
		{`{"a":1,"a":2}`, 7}, {`{"a":1,}`, 7}, {`{"a": NaN}`, 6}, {"{\"a\":\"\u00e9\xff\"}", 8}, {`{} x`, 3}, {`{"a`, 3},
	}
	var s Scanner
	for _, row := range rows {
		_, err := s.Check([]byte(row.text))
		var e *SyntaxError
		if !errors.As(err, &e) || e.Offset != row.want || !strings.Contains(err.Error(), "byte "+strconv.Itoa(row.want)+": "+e.Reason) {
			t.Errorf("Check(%q): got %v, want offset %d", row.text, err, row.want)
		}
	}
}

func TestCheckDepth(t *testing.T) {
	nest := func(n int, open, inner, end string) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(end, n)
	}
	rows := []struct {
		text string
		want string
	}{
		{nest(MaxDepth, `{"a":`, "1", "}"), ""},
		{nest(MaxDepth+1, `{"a":`, "1", "}"), "nested too deeply"},
		{`{"a":` + nest(MaxDepth-1, "[", "", "]") + "}", ""},
		{`{"a":` + nest(MaxDepth, "[", "", "]") + "}", "nested too deeply"},
		{`[{"a":` + nest(MaxDepth-2, "[", "", "]") + "}]", ""},
		{`{"a":` + strings.Repeat("[", 1<<20), "nested too deeply"},
		{strings.Repeat(`{"a":`, 1<<20), "nested too deeply"},
	}
	var s Scanner
	for _, row := range rows {
		if _, err := s.Check([]byte(row.text)); reason(t, err) != row.want {
			t.Errorf("Check(%.40q of %d bytes): got %q, want %q", row.text, len(row.text), reason(t, err), row.want)
		}
	}
}

// Many keys, the same keys again after them, and the same keys in many
// objects: the table grows, finds and forgets.
func TestManyKeys(t *testing.T) {
	const n = 100_000
	var b strings.Builder
	for i := range n {
		b.WriteString(`"k` + strconv.Itoa(i) + `":{"id":1,"cid":2},`)
	}
	rows := []struct {
		text, want string
	}{
		{"{" + b.String() + `"last":0}`, ""},
		{"{" + b.String() + `"k0":0}`, "duplicate key"},
		{"{" + b.String() + `"\u006b99999":0}`, "duplicate key"},
		{`{"a":{` + b.String() + `"a":{"k0":1}},"k0":0}`, ""},
		{"[" + strings.Repeat(`{"id":1,"cid":2},`, n) + "{}]", ""},
	}
	var s Scanner
	for i, row := range rows {
		if _, err := s.Check([]byte(row.text)); reason(t, err) != row.want {
			t.Errorf("row %d: got %q, want %q", i, reason(t, err), row.want)
		}
	}
	if cap(s.keys) > 3*n {
		t.Errorf("got room for %d keys, want at most %d", cap(s.keys), 3*n)
	}
}
