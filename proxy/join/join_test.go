package join

import (
	"errors"
	"strings"
	"testing"

	"aclgate/proxy/jsonscan"
)

// joined feeds each part in pieces of n bytes. A part that fails leaves the error F, one of its
// name in the row beside it.
func joined(n int, parts ...string) string {
	var j Joiner
	j.Reset()
	var dst []byte
	for _, text := range parts {
		j.Begin(true)
		var err error
		for len(text) > 0 && err == nil {
			piece := text[:min(n, len(text))]
			text = text[len(piece):]
			dst, err = j.Feed(dst, []byte(piece))
		}
		if again := j.End(); err == nil || again != err {
			err = again
		}
		if err != nil {
			j.AddErrors([]byte(`"` + err.Error() + `"`))
		}
	}
	return string(j.Close(dst))
}

// Parts as they come, separated by |, and the joined answer.
var rows = []struct{ parts, want string }{
	{`{"result":[]}`, `{"result":[]}`},
	{`{"result":[1]}|{"result":[2,3]}|{"result":[]}|{"result":[4]}`, `{"result":[1,2,3,4]}`},
	{` { "result" : [ {"a" : 1} , {"b":[ ]} ] } `, `{"result":[{"a" : 1},{"b":[ ]}]}`},
	{`{"errors":[{"code":2}],"result":[1]}|{"result":[2],"errors":[{"code":3} , 4]}`, `{"result":[1,2],"errors":[{"code":2},{"code":3},4]}`},
	{`{"errors":[7]}`, `{"result":[],"errors":[7]}`},
	{`{"errors":[],"result":[true,null,-1.5e3,"x"]}`, `{"result":[true,null,-1.5e3,"x"]}`},
	{`{"\u0072esult":[1],"err\u006Frs":[2]}`, `{"result":[1],"errors":[2]}`},
	{`{"result":["]","}",",\"","\\",{"result":[9]},[[{"errors":[8]}]]]}`, `{"result":["]","}",",\"","\\",{"result":[9]},[[{"errors":[8]}]]]}`},
	// Only the outermost level counts, and only these two names.
	{`{"a":{"result":[1]},"results":[2],"resul":3,"Result":[4],"result\u0000":5,"resultresult":6,"\"result":7,"ré":8,"result":[0]}`, `{"result":[0]}`},
	{`{"result":[1],"pagination":{"next":2},"warnings":["x"],"n":1e5,"s":"\"}]"}`, `{"result":[1]}`},
	// What fails leaves its whole rows and errors; those of the others stay.
	{`{"result":[1,2,{"a":|{"result":[3]}`, `{"result":[1,2,3],"errors":["` + jsonscan.ErrCut.Error() + `"]}`},
	{`{"result":[1,2|{"result":[3]}`, `{"result":[1,3],"errors":["` + jsonscan.ErrCut.Error() + `"]}`},
	{`{"errors":[{"code":1},{"co|{"result":[3]}`, `{"result":[3],"errors":[{"code":1},"` + jsonscan.ErrCut.Error() + `"]}`},
	{`{"result":[1]|{"result":[2]}`, `{"result":[1,2],"errors":["` + jsonscan.ErrCut.Error() + `"]}`},
	{`|{"result":[2]}|<html>`, `{"result":[2],"errors":["` + jsonscan.ErrNotObject.Error() + `","` + jsonscan.ErrNotObject.Error() + `"]}`},
	{`{"result":[1],"errors":null}|{"result":[2]}`, `{"result":[1,2],"errors":["` + jsonscan.ErrNotArray.Error() + `"]}`},
}

func TestJoin(t *testing.T) {
	for _, row := range rows {
		for n := 1; n <= len(row.parts)+1; n++ {
			if got := joined(n, strings.Split(row.parts, "|")...); got != row.want {
				t.Errorf("%s in pieces of %d: got %s, want %s", row.parts, n, got, row.want)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	faults := map[error][]string{
		jsonscan.ErrNotObject: {"", " \n", "[]", "null", "1", `"x"`, "<html>", "\xef\xbb\xbf{}", "\x1f\x8b", "}"},
		jsonscan.ErrNotArray:  {`{"result":null}`, `{"result":{}}`, `{"result":"[]"}`, `{"result":1}`, `{"errors":null}`, `{"errors":{}}`},
		jsonscan.ErrTwice:     {`{"result":[],"result":[]}`, `{"result":[],"a":1,"\u0072esult":1}`, `{"errors":[],"errors":[]}`},
		ErrNothing:            {`{}`, `{"errors":[]}`, `{"a":[1]}`},
		jsonscan.ErrSecond:    {`{"result":[]}{}`, `{} x`, `{},`, `{}]`, "{}\x00"},
		jsonscan.ErrCut:       {"{", `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":"`, `{"a":"\`, `{"result":[`, `{"result":[1`, `{"result":[1,`, `{"result":[{"a`, `{"result":[]`, `{"errors":[[`},
		jsonscan.ErrMalformed: {`{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a":1]`, `{"a":[}`, `{"a":{]`, `{1:1}`, `{"a":1 "b":2}`, `{"a":'x'}`, `{"a"::1}`, `{"\q":1}`, `{"\u00g0":1}`, "{\"a\nb\":1}",
			`{"result":[1,]}`, `{"result":[,1]}`, `{"result":[1,,2]}`, `{"result":[{}{}]}`, `{"result":[}`, `{"result":[1}`, `{"result":[:]}`, `{"result":["x"1]}`, `{"result":[[}]}`, `{"result":[1;2]}`,
			`{"errors":[1,]}`, `{"errors":[1 2]}`, `{"errors":[{]}]}`, `{"result":[]]`},
	}
	for want, texts := range faults {
		for _, text := range texts {
			for _, n := range []int{1, len(text) + 1} {
				got := joined(n, text)
				if !strings.HasSuffix(got, `"`+want.Error()+`"]}`) {
					t.Errorf("%s in pieces of %d: got %s, want %v", text, n, got, want)
				}
			}
		}
	}
}

// The rows of a part that failed do not count, whatever they are; its errors do.
func TestUnwanted(t *testing.T) {
	for text, want := range map[string]string{
		`{"errors":[{"code":6}],"result":[1]}`: `{"result":[],"errors":[{"code":6}]}`,
		`{"result":null,"errors":[1,2]}`:       `{"result":[],"errors":[1,2]}`,
		`{"result":[[]]}`:                      `{"result":[]}`,
	} {
		var j Joiner
		j.Reset()
		j.Begin(false)
		dst, err := j.Feed(nil, []byte(text))
		if err != nil || j.End() != nil || len(dst) > 0 {
			t.Errorf("%s: got %s, %v, %v", text, dst, err, j.End())
		}
		if got := string(j.Close(dst)); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

// A row that is too long to be held goes out piece by piece, and is partial as long as it lasts.
func TestLongRow(t *testing.T) {
	long := `{"a":"` + strings.Repeat("x", 2*MaxHeld) + `"}`
	if got := joined(4096, `{"result":[1,`+long+`,2]}`); got != `{"result":[1,`+long+`,2]}` {
		t.Errorf("got %.60s… of %d bytes", got, len(got))
	}
	for _, row := range []struct {
		text    string
		partial bool
	}{
		{long[:MaxHeld], false}, {long[:MaxHeld+1], true}, {long[:len(long)-1], true}, {long[:len(long)-1] + "]", true}, {long, false}, {long + "x", false},
	} {
		for _, n := range []int{1, 999, 1 << 20} {
			var j Joiner
			j.Reset()
			j.Begin(true)
			var dst []byte
			text := []byte(`{"result":[1,` + row.text)
			for len(text) > 0 {
				dst, _ = j.Feed(dst, text[:min(n, len(text))])
				text = text[min(n, len(text)):]
			}
			if j.End() == nil || j.PartialRow() != row.partial {
				t.Errorf("%d bytes in pieces of %d: got partial row %v, want %v", len(row.text), n, j.PartialRow(), row.partial)
			}
			if !row.partial && j.Rows() != strings.Count(string(dst[len(`{"result":`):]), ",")+1 {
				t.Errorf("%d bytes in pieces of %d: got %d rows", len(row.text), n, j.Rows())
			}
		}
	}
}

// Errors are kept up to a bound, and counted beyond it. Those of the gateway's own are always kept.
func TestManyErrors(t *testing.T) {
	const size = 100
	one := `"` + strings.Repeat("e", size-2) + `"`
	var j Joiner
	j.Reset()
	for range 5 {
		j.Begin(true)
		if _, err := j.Feed(nil, []byte(`{"result":[],"errors":[`+strings.Repeat(one+",", 999)+one+`]}`)); err != nil || j.End() != nil {
			t.Fatal(err, j.End())
		}
		if j.Found() != 1000 {
			t.Errorf("got %d errors of a part, want 1000", j.Found())
		}
	}
	j.AddErrors([]byte("1,2"))
	got := string(j.Close(nil))
	kept := strings.Count(got, one)
	if kept+j.LeftOut() != 5000 || kept != MaxErrors/(size+1) {
		t.Errorf("got %d errors kept and %d left out, want %d of 5000 kept", kept, j.LeftOut(), MaxErrors/(size+1))
	}
	if !strings.HasSuffix(got, one+`,1,2]}`) {
		t.Errorf("got …%s", got[len(got)-20:])
	}
}

func TestDepth(t *testing.T) {
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, row := range []struct {
		depth int
		want  error
	}{{jsonscan.MaxDepth, nil}, {jsonscan.MaxDepth + 1, jsonscan.ErrTooDeep}} {
		var j Joiner
		j.Reset()
		j.Begin(true)
		_, err := j.Feed(nil, []byte(`{"result":[`+nest(row.depth)+`]}`))
		if !errors.Is(err, row.want) {
			t.Errorf("%d deep: got %v, want %v", row.depth, err, row.want)
		}
	}
}

// A fault stays, and the next answer knows nothing of it.
func TestReset(t *testing.T) {
	var j Joiner
	j.Reset()
	j.Begin(true)
	j.Feed(nil, []byte(`{"result":[1,{"a":[`+strings.Repeat("1,", MaxHeld)))
	j.Feed(nil, []byte(`}`))
	if dst, err := j.Feed(nil, []byte(`]}`)); err != jsonscan.ErrMalformed || len(dst) > 0 || !j.PartialRow() {
		t.Errorf("got %s, %v, partial row %v after a fault", dst, err, j.PartialRow())
	}
	j.Reset()
	j.Begin(true)
	dst, err := j.Feed(nil, []byte(`{"result":[2]}`))
	if got := string(j.Close(dst)); err != nil || j.End() != nil || got != `{"result":[2]}` {
		t.Errorf("after Reset: got %s, %v", got, err)
	}
}
