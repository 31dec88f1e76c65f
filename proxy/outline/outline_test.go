package outline

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

// walk reads a text in pieces of n bytes. It returns the members that are
// complete, and what is wrong with the text, at its end if nowhere else.
func walk(text []byte, n int) (found []member, err error) {
	var o Object
	var v Value
	inside := false
	for i := 0; i < len(text); {
		piece := text[i:min((i/n+1)*n, len(text))]
		size := 0
		switch {
		case inside:
			if size, err = v.Scan(piece); v.Done() {
				inside, found[len(found)-1].end = false, i+size
			}
		case o.Opens(piece[0]):
			if !v.Start(piece[0], 1) {
				return found, ErrMalformed
			}
			inside, o.At = true, After
			found = append(found, member{start: i, errors: o.Key.Is("errors")})
		default:
			size, err = o.Step(piece)
		}
		if i += size; err != nil {
			break
		}
	}
	if inside {
		found = found[:len(found)-1]
	}
	if err == nil {
		err = o.End()
	}
	return found, err
}

var rows = []struct {
	text  string
	found string // values, joined by a bar, behind a ! those of errors
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

// The objects and arrays around a value count too.
func TestDepth(t *testing.T) {
	for _, row := range []struct {
		open, deep int
		want       error
	}{{0, MaxDepth, nil}, {0, MaxDepth + 1, ErrTooDeep}, {2, MaxDepth - 2, nil}, {2, MaxDepth - 1, ErrTooDeep}} {
		text := strings.Repeat("[", row.deep) + strings.Repeat("]", row.deep)
		var v Value
		if !v.Start(text[0], row.open) {
			t.Fatal("an array begins no value")
		}
		n, err := v.Scan([]byte(text))
		if err != row.want || v.Done() != (err == nil) || err == nil && n != len(text) || err != nil && n != MaxDepth-row.open {
			t.Errorf("%d deep inside %d: got %d, %v, want %v", row.deep, row.open, n, err, row.want)
		}
	}
}

func TestNoAllocs(t *testing.T) {
	text := []byte(`{"key":` + strings.Repeat(`[{"a\"":"b\\"},`, 100) + `"c"` + strings.Repeat("]", 100) + `,"errors":""}`)
	var o Object
	var v Value
	if got := testing.AllocsPerRun(100, func() {
		o = Object{}
		for rest := text; len(rest) > 0; {
			n, err := 0, error(nil)
			if o.Opens(rest[0]) {
				v.Start(rest[0], 1)
				n, err = v.Scan(rest)
				o.At = After
			} else {
				n, err = o.Step(rest)
			}
			if rest = rest[n:]; err != nil {
				t.Fatal(err)
			}
		}
	}); got != 0 || o.At != Done {
		t.Errorf("got %v allocations at %v, want none at the end", got, o.At)
	}
}

// ExampleObject lists the lengths of an object's values.
func ExampleObject() {
	var o Object
	var v Value
	for rest := []byte(`{"a": [1, 2], "b": "}"}`); len(rest) > 0; {
		n := 0
		if o.Opens(rest[0]) {
			v.Start(rest[0], 1)
			n, _ = v.Scan(rest)
			o.At = After
			fmt.Println(n, o.Key.Is("b"))
		} else {
			n, _ = o.Step(rest)
		}
		rest = rest[n:]
	}
	// Output:
	// 6 false
	// 3 true
}
