package listing

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json/jsontext"

	"aclgate/upstream"
)

// itemColumns is what the index asks for.
var itemColumns = Columns{Names: []string{"id", "cid"}, Required: 1}

// readRows returns the rows of a listing as text: "7:11 9:-", a dash for no id.
func readRows(src io.Reader, c Columns) (string, *Rows) {
	r := new(Rows)
	r.Reset(src, c)
	var out []string
	for r.Next() {
		var cells []string
		for i := range c.Names {
			cell := "-"
			if r.Row().Is[i] || r.Row().ID[i] != 0 {
				cell = fmt.Sprint(r.Row().ID[i])
			}
			cells = append(cells, cell)
		}
		out = append(out, strings.Join(cells, ":"))
	}
	return strings.Join(out, " "), r
}

var goodRows = []struct{ name, text, want string }{
	{"empty", `{"result":[]}`, ""},
	{"one", `{"result":[{"id":7,"cid":11}]}`, "7:11"},
	{"order of fields", `{"result":[{"cid":11,"id":7},{"id":9}]}`, "7:11 9:-"},
	{"white space", " \r\n\t{ \"result\" : [ { \"id\" : 7 , \"cid\" : 11 } , { \"id\" : 8 } ] } \n", "7:11 8:-"},
	{"result is not first", `{"errors":[],"count":{"a":[1,{"result":[{"id":1}]}]},"result":[{"id":7}]}`, "7:-"},
	{"result is not last", `{"result":[{"id":7}],"pagination":{"limit":1000,"offset":0}}`, "7:-"},
	{"fields of every kind", `{"result":[{"x":{"id":1,"y":[[],{},{"id":2}]},"id":7,"s":"\"}]\\","n":-0.5e+3,"t":true,"f":false,"z":null}]}`, "7:-"},
	{"an escaped name", `{"result":[{"\u0069d":7,"c\u0069\u0064":1}]}`, "7:1"},
	{"an escaped result", `{"\u0072esult":[{"id":7}]}`, "7:-"},
	{"names like the one", `{"result":[{"ID":1,"id ":2,"i":3,"idd":4,"id":7}]}`, "7:-"},
	{"a long name", `{"result":[{"` + strings.Repeat("id", 500) + `":1,"id":7}]}`, "7:-"},
	{"largest id", `{"result":[{"id":9223372036854775807}]}`, "9223372036854775807:-"},
	{"cid of another kind", `{"result":[{"id":1,"cid":"11"},{"id":2,"cid":null},{"id":3,"cid":0},{"id":4,"cid":1.0},` +
		`{"id":5,"cid":1e1},{"id":6,"cid":-3},{"id":7,"cid":9223372036854775808},{"id":8,"cid":[1]},{"id":9,"cid":18446744073709551617}]}`,
		"1:- 2:- 3:- 4:- 5:- 6:- 7:- 8:- 9:-"},
	{"bytes that are no text", "{\"result\":[{\"n\":\"\xff\xc0\",\"id\":7}]}", "7:-"},
}

func TestRows(t *testing.T) {
	for _, row := range goodRows {
		t.Run(row.name, func(t *testing.T) {
			got, r := readRows(strings.NewReader(row.text), itemColumns)
			if got != row.want || r.Err() != nil {
				t.Fatalf("got %q, %v; want %q", got, r.Err(), row.want)
			}
			if r.Failed() {
				t.Error("errors were seen")
			}
			// However it is cut into pieces, and wherever it ends too soon.
			if got, r := readRows(iotest.OneByteReader(strings.NewReader(row.text)), itemColumns); got != row.want || r.Err() != nil {
				t.Errorf("in single bytes: got %q, %v", got, r.Err())
			}
			for n := range strings.TrimRight(row.text, " \n") {
				if _, r := readRows(strings.NewReader(row.text[:n]), itemColumns); !errors.Is(r.Err(), ErrRows) {
					t.Errorf("cut to %q: got %v", row.text[:n], r.Err())
				}
			}
		})
	}
}

var badRows = []struct{ name, text string }{
	{"nothing", ""},
	{"an array", `[{"id":1}]`},
	{"a byte order mark", "\ufeff" + `{"result":[]}`},
	{"no result", `{}`},
	{"no result, but others", `{"results":[]}`},
	{"result is no array", `{"result":{"id":1}}`},
	{"result is null", `{"result":null}`},
	{"two results", `{"result":[{"id":1}],"result":[{"id":2}]}`},
	{"two results, one escaped", `{"result":[],"res\u0075lt":[]}`},
	{"two errors", `{"errors":[],"errors":[],"result":[]}`},
	{"errors are no array", `{"errors":{"code":1},"result":[]}`},
	{"a second value", `{"result":[]}{"result":[]}`},
	{"a byte after it", "{\"result\":[]}\x00"},
	{"a row is a number", `{"result":[7]}`},
	{"a row is null", `{"result":[{"id":1},null]}`},
	{"a row without id", `{"result":[{"id":1},{"cid":1}]}`},
	{"an empty row", `{"result":[{}]}`},
	{"an id as text", `{"result":[{"id":"7"}]}`},
	{"an id as float", `{"result":[{"id":7.0}]}`},
	{"an id with exponent", `{"result":[{"id":7e0}]}`},
	{"an id of zero", `{"result":[{"id":0}]}`},
	{"a negative id", `{"result":[{"id":-7}]}`},
	{"an id with leading zero", `{"result":[{"id":07}]}`},
	{"an id that is too large", `{"result":[{"id":9223372036854775808}]}`},
	{"an id that wraps", `{"result":[{"id":18446744073709551623}]}`},
	{"id twice", `{"result":[{"id":7,"id":9}]}`},
	{"id twice, one escaped", `{"result":[{"id":7,"\u0069d":9}]}`},
	{"cid twice", `{"result":[{"id":7,"cid":1,"cid":2}]}`},
	{"a comma too many", `{"result":[{"id":1},]}`},
	{"a comma too many in a row", `{"result":[{"id":1,}]}`},
	{"a comma too many at the end", `{"result":[],}`},
	{"no comma", `{"result":[{"id":1}{"id":2}]}`},
	{"no colon", `{"result" []}`},
	{"wrong brackets", `{"result":[{"id":1,"x":[{]}]}]}`},
	{"a bare word", `{"result":[{"id":1,"x":nul}]}`},
	{"a bad escape", `{"result":[{"id":1,"x":"\x"}]}`},
	{"a bad unicode escape", `{"result":[{"id":1,"x":"\u00g0"}]}`},
	{"a line end in a string", "{\"result\":[{\"id\":1,\"x\":\"\n\"}]}"},
	{"a line end in a name", "{\"result\":[{\"id\":1,\"\n\":1}]}"},
	{"a number that is none", `{"result":[{"id":1,"x":-}]}`},
	{"a fraction that is none", `{"result":[{"id":1,"x":1.}]}`},
	{"an exponent that is none", `{"result":[{"id":1,"x":1e}]}`},
	{"a comment", `{"result":[/**/]}`},
	{"too deep", `{"result":[{"id":1,"x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}]}`},
}

func TestRowsRefused(t *testing.T) {
	for _, row := range badRows {
		if _, r := readRows(strings.NewReader(row.text), itemColumns); !errors.Is(r.Err(), ErrRows) {
			t.Errorf("%s: got %v", row.name, r.Err())
		}
	}
}

func TestRowsErrors(t *testing.T) {
	rows := []struct {
		text string
		want bool
	}{
		{`{"result":[]}`, false},
		{`{"errors":null,"result":[]}`, false},
		{`{"errors":[ ],"result":[]}`, false},
		{`{"errors":[{"code":6,"id":[1,{}]},{}],"result":[{"id":1}]}`, true},
		{`{"result":[],"errors":[1]}`, true},
	}
	for _, row := range rows {
		if _, r := readRows(strings.NewReader(row.text), itemColumns); r.Failed() != row.want || r.Err() != nil {
			t.Errorf("%s: got %v, %v", row.text, r.Failed(), r.Err())
		}
	}
}

// Ensure that what stands in a row, beside it or in its name may be as long as it likes, and that
// none of it is held.
func TestRowsOfAnySize(t *testing.T) {
	const long = 10 << 20
	for name, around := range map[string][2]string{
		"a string before the id": {`{"result":[{"x":"`, `","id":7,"cid":11}]}`},
		"a string after the id":  {`{"result":[{"id":7,"cid":11,"x":"`, `"}]}`},
		"a string deep inside":   {`{"result":[{"id":7,"x":{"y":[1,{"z":"`, `"}]},"cid":11}]}`},
		"a name":                 {`{"result":[{"id":7,"`, `":1,"cid":11}]}`},
		"another member":         {`{"x":"`, `","result":[{"id":7,"cid":11}]}`},
		"an error":               {`{"errors":[{"reason":"`, `"}],"result":[{"id":7,"cid":11}]}`},
	} {
		src := io.MultiReader(strings.NewReader(around[0]), io.LimitReader(unending{}, long), strings.NewReader(around[1]))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, r := readRows(src, itemColumns)
		runtime.ReadMemStats(&after)
		if got != "7:11" || r.Err() != nil {
			t.Errorf("%s: got %q, %v", name, got, r.Err())
		}
		if held := after.TotalAlloc - before.TotalAlloc; held > 1<<20 {
			t.Errorf("%s: %d bytes were taken for %d", name, held, long)
		}
	}
}

func TestPagination(t *testing.T) {
	rows := []struct {
		text string
		want Pagination
	}{
		{`{"limit":1000,"offset":0,"count":3}`, Pagination{true, 1000, 0, 3}},
		{`{"count":0,"x":[{}],"\u006cimit":7,"offset":1e0,"offset":0}`, Pagination{}},
		{`{"limit":1000,"offset":0}`, Pagination{}},
		{`{"limit":1000,"offset":0,"count":"3"}`, Pagination{}},
		{`{"limit":1000,"offset":0,"count":-3}`, Pagination{}},
		{`{"limit":1000,"offset":0,"count":3,"count":3}`, Pagination{}},
		{`{"limit":1,"offset":0,"count":3},"pagination":{"limit":1,"offset":0,"count":4}`, Pagination{}},
		{`null`, Pagination{}},
		{`[1]`, Pagination{}},
		{`{}`, Pagination{}},
	}
	for _, row := range rows {
		for _, text := range []string{`{"result":[{"id":1}],"pagination":` + row.text + `}`, `{"pagination":` + row.text + `,"result":[{"id":1}]}`} {
			if _, r := readRows(strings.NewReader(text), itemColumns); r.Pagination() != row.want || r.Err() != nil {
				t.Errorf("%s: got %+v, %v", text, r.Pagination(), r.Err())
			}
		}
	}
}

// unending is a backend that never stops.
type unending struct{}

func (unending) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// The error of the stream must come out as it is: it says whether the backend was slow.
func TestRowsStreamFails(t *testing.T) {
	slow := &upstream.Error{Kind: upstream.ErrTimeout}
	text := `{"result":[{"id":1},{"id":2}]}`
	for n := range len(text) {
		src := io.MultiReader(strings.NewReader(text[:n]), iotest.ErrReader(slow))
		if _, r := readRows(src, itemColumns); !errors.Is(r.Err(), upstream.ErrTimeout) || errors.Is(r.Err(), ErrRows) {
			t.Errorf("after %q: got %v", text[:n], r.Err())
		}
	}
}

func TestRowsColumns(t *testing.T) {
	text := `{"result":[{"device_id":3,"group_id":1},{"group_id":2,"device_id":4}]}`
	c := Columns{Names: []string{"group_id", "device_id"}, Required: 2}
	if got, r := readRows(strings.NewReader(text), c); got != "1:3 2:4" || r.Err() != nil {
		t.Errorf("got %q, %v", got, r.Err())
	}
	c.Required = 3
	c.Names = append(slices.Clone(c.Names), "asset_id")
	if _, r := readRows(strings.NewReader(text), c); !errors.Is(r.Err(), ErrRows) {
		t.Errorf("a field that is missing: got %v", r.Err())
	}
}

func TestRowsAllocateNothing(t *testing.T) {
	text := `{"result":[{"id":7,"cid":11,"name":"x"},{"id":8,"cid":12}]}`
	src := strings.NewReader(text)
	var r Rows
	r.Reset(src, itemColumns)
	if n := testing.AllocsPerRun(100, func() {
		src.Reset(text)
		r.Reset(src, itemColumns)
		for r.Next() {
		}
	}); n != 0 || r.Err() != nil || r.Count() != 2 {
		t.Errorf("got %v allocations, %v, %d rows", n, r.Err(), r.Count())
	}
}

// BenchmarkRows reads listings, and has jsontext read their tokens alone.
func BenchmarkRows(b *testing.B) {
	rows := []struct{ name, row string }{
		{"narrow", `{"id":%d,"cid":11}`},
		{"wide", `{"configuration":{"ident":"352625333222111","settings_polling":"once"},"id":%d,"name":"truck seven","cid":11,"enabled":true}`},
	}
	for _, row := range rows {
		var all []string
		for i := range 100_000 {
			all = append(all, fmt.Sprintf(row.row, 1_000_000+i))
		}
		text := `{"result":[` + strings.Join(all, ",") + `]}`
		b.Run(row.name, func(b *testing.B) {
			var r Rows
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				r.Reset(strings.NewReader(text), itemColumns)
				for r.Next() {
				}
			}
			if r.Err() != nil || r.Count() != 100_000 {
				b.Fatal(r.Err(), r.Count())
			}
		})
		b.Run(row.name+"/jsontext", func(b *testing.B) {
			var d jsontext.Decoder
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				d.Reset(strings.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
				for _, err := d.ReadToken(); err != io.EOF; _, err = d.ReadToken() {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
