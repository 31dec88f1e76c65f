package jsonscan

import (
	"fmt"
	"strings"
	"testing"
)

// member is what walk found of a member.
type member struct {
	start, end int  // of the value in the text
	errors     bool // that is its key
}

// walk reads a text in pieces of n bytes. It returns the members that are complete, and what is
// wrong with the text, at its end if nowhere else.
func walk(text []byte, n int) (found []member, err error) {
	var o Object
	o.Reset(nil)
	start := 0
	for i := 0; i < len(text) && err == nil; {
		at, size := o.At, 0
		size, err = o.Step(text[i:min((i/n+1)*n, len(text))])
		if i += size; at == Ready && o.At == InValue {
			start = i
		}
		if at == InValue && o.At == After {
			found = append(found, member{start: start, end: i, errors: o.key.is("errors")})
		}
	}
	if err == nil {
		err = o.End()
	}
	return found, err
}

var rows = []struct {
	text  string
	found string // values, joined by a bar, after a ! those of errors
	err   error
}{
	{`{}`, ``, nil},
	{" \t\r\n{ \n} ", ``, nil},
	{`{"a":1,"errors":[2] , "b" : {"errors":3}}`, `1|![2]|{"errors":3}`, nil},
	{`{"err\u006Frs":"}","\u0065rror\u0073":"\"}","a":"\\"}`, `!"}"|!"\"}"|"\\"`, nil},
	{`{"errors ":1,"error":2,"errorss":3,"errorserrorserrors":4,"Errors":5,"\"errors":6,"error\\u0073":7,"érrors":8,"\u0165rrors":9,"errors\u0000":0}`, `1|2|3|4|5|6|7|8|9|0`, nil},
	{`{"a":[[{"b":"]"}],[]],"c":-1.5E+3,"d":true,"e":null}`, `[[{"b":"]"}],[]]|-1.5E+3|true|null`, nil},
	{``, ``, ErrNotObject}, {" \n", ``, ErrNotObject}, {`[]`, ``, ErrNotObject}, {`"x"`, ``, ErrNotObject}, {"\xef\xbb\xbf{}", ``, ErrNotObject},
	{`{}{}`, ``, ErrSecond}, {`{},`, ``, ErrSecond}, {"{}\x00", ``, ErrSecond}, {`{"a":1}]`, `1`, ErrSecond},
	{`{`, ``, ErrCut}, {`{"a`, ``, ErrCut}, {`{"a\`, ``, ErrCut}, {`{"a\u00`, ``, ErrCut}, {`{"a"`, ``, ErrCut}, {`{"a":`, ``, ErrCut}, {`{"a":1`, ``, ErrCut}, {`{"a":"x\"}`, ``, ErrCut}, {`{"a":{}`, `{}`, ErrCut}, {`{"a":1,`, `1`, ErrCut},
	{`{,}`, ``, ErrMalformed}, {`{"a":1,}`, `1`, ErrMalformed}, {`{"a"}`, ``, ErrMalformed}, {`{"a":}`, ``, ErrMalformed}, {`{"a"::1}`, ``, ErrMalformed}, {`{"a":1:2}`, `1`, ErrMalformed}, {`{"a":1 "b":2}`, `1`, ErrMalformed}, {`{"a":1]`, `1`, ErrMalformed}, {`{1:1}`, ``, ErrMalformed}, {`{"a":'x'}`, ``, ErrMalformed},
	{`{"a":[}`, ``, ErrMalformed}, {`{"a":{]`, ``, ErrMalformed}, {`{"a":[{]}]}`, ``, ErrMalformed},
	{`{"\q":1}`, ``, ErrMalformed}, {`{"\u00g0":1}`, ``, ErrMalformed}, {"{\"a\nb\":1}", ``, ErrMalformed},
}

func TestObject(t *testing.T) {
	for _, row := range rows {
		for n := 1; n <= len(row.text)+1; n++ {
			found, err := walk([]byte(row.text), n)
			var got []string
			for _, m := range found {
				text := row.text[m.start:m.end]
				if m.errors {
					text = "!" + text
				}
				got = append(got, text)
			}
			if strings.Join(got, "|") != row.found || err != row.err {
				t.Errorf("%s in pieces of %d: got %s, %v, want %s, %v", row.text, n, got, err, row.found, row.err)
			}
		}
	}
}

func TestDepth(t *testing.T) {
	for deep, want := range map[int]error{MaxDepth: nil, MaxDepth + 1: ErrTooDeep} {
		text := `{"a":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + `}`
		if _, err := walk([]byte(text), len(text)); err != want {
			t.Errorf("%d deep: got %v, want %v", deep, err, want)
		}
	}
}

func TestNoAllocs(t *testing.T) {
	text := []byte(`{"key":` + strings.Repeat(`[{"a\"":"b\\"},`, 100) + `"c"` + strings.Repeat("]", 100) + `,"errors":["",{}]}`)
	arrays := []string{"errors"}
	var o Object
	if got := testing.AllocsPerRun(100, func() {
		o.Reset(arrays)
		for rest := text; len(rest) > 0; {
			n, err := o.Step(rest)
			if rest = rest[n:]; err != nil {
				t.Fatal(err)
			}
		}
	}); got != 0 || o.At != Done || !o.Seen(0) {
		t.Errorf("got %v allocations at %v, want none at the end", got, o.At)
	}
}

// ExampleObject prints the elements of an object's arrays.
func ExampleObject() {
	var o Object
	o.Reset([]string{"a", "b"})
	for rest := []byte(`{"a": [1, [2]], "c": [3], "b": ["}"]}`); len(rest) > 0; {
		at := o.At
		n, _ := o.Step(rest)
		if at == InElement {
			fmt.Printf("%d %s\n", o.Array, rest[:n])
		}
		rest = rest[n:]
	}
	// Output:
	// 0 1
	// 0 [2]
	// 1 "}"
}
