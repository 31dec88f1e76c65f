package body

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// show walks text and prints what Elements says, an element a line.
func show(s *Scanner, text string, names Keys) (string, error) {
	var b strings.Builder
	err := s.Elements([]byte(text), names, func(e *Element) error {
		fmt.Fprintf(&b, "%s %d", text[e.Start:e.End+1], e.Members)
		for i := range names {
			if v := e.Values[i]; v.Present() {
				fmt.Fprintf(&b, " %s=%c:%s", names[i], v.Kind, v.Raw)
			}
		}
		b.WriteByte('\n')
		return nil
	})
	return b.String(), err
}

func TestElements(t *testing.T) {
	names := NewKeys("id", "cid", "topic")
	rows := []struct {
		text, want string
	}{
		{"", ""}, {" null ", ""}, {"[]", ""},
		{"{}", "{} 0\n"},
		{` { "cid" : 777 } `, "{ \"cid\" : 777 } 1 cid=0:777\n"},
		{`{"c\u0069d":1e2,"x":{"id":9}}`, "{\"c\\u0069d\":1e2,\"x\":{\"id\":9}} 2 cid=0:1e2\n"},
		{`[{"id":null},{"cid":"7","a":["}",{"cid":1}]}, {}]`, "{\"id\":null} 1 id=n:null\n{\"cid\":\"7\",\"a\":[\"}\",{\"cid\":1}]} 2 cid=\":\"7\"\n{} 0\n"},
		{`{"topic":"a\"}","id":[1, 2],"cid":{"a":"]"}}`, "{\"topic\":\"a\\\"}\",\"id\":[1, 2],\"cid\":{\"a\":\"]\"}} 3 id=[:[1, 2] cid={:{\"a\":\"]\"} topic=\":\"a\\\"}\"\n"},
		{`{"id":true,"cid":-0}`, "{\"id\":true,\"cid\":-0} 2 id=t:true cid=0:-0\n"},
		{`{"idx":1,"ci":2,"":3,"topics":4}`, "{\"idx\":1,\"ci\":2,\"\":3,\"topics\":4} 4\n"},
	}
	var s Scanner
	for _, row := range rows {
		if _, err := s.Check([]byte(row.text)); err != nil {
			t.Errorf("Check(%q): %v", row.text, err)
		}
		if got, err := show(&s, row.text, names); err != nil || got != row.want {
			t.Errorf("Elements(%q): got %q, %v, want %q", row.text, got, err, row.want)
		}
	}
}

// A decoder that matches keys without case would take each of these for the judged key.
func TestCaseVariant(t *testing.T) {
	names := NewKeys("cid", "id", "topic", "ask")
	rows := []struct {
		text string
		want string // the judged key, "" if none is meant
		at   int
	}{
		{`{"CID":777}`, "cid", 1}, {`{"a":1, "Cid":777}`, "cid", 8}, {`{"\u0043id":1}`, "cid", 1}, {`[{"cid":1},{"iD":2}]`, "id", 12},
		{`{"Topic":1}`, "topic", 1}, {"{\"a\u017fk\":1}", "ask", 1}, {"{\"as\u212a\":1}", "ask", 1}, {`{"\u0061\u017f\u212a":1}`, "ask", 1},
		{"{\"\u0130d\":1}", "id", 1}, {"{\"c\u0131d\":1}", "cid", 1},
		{`{"x":{"CID":1}}`, "", 0}, {`{"cid":1,"x":["CID"]}`, "", 0}, {`{"CIDs":1,"aid":2,"i":3,"c\\id":4}`, "", 0}, {"{\"c\u00efd\":1}", "", 0},
	}
	var s Scanner
	for _, row := range rows {
		_, err := show(&s, row.text, names)
		if row.want == "" {
			if err != nil {
				t.Errorf("Elements(%q): got %v, want none", row.text, err)
			}
			continue
		}
		var e *SyntaxError
		if !errors.As(err, &e) || e.Fault != CaseVariant || e.Offset != row.at || e.Reason != "a case variant of the key "+row.want {
			t.Errorf("Elements(%q): got %v, want a case variant of %s at byte %d", row.text, err, row.want, row.at)
		}
	}
}

// The first faulty element decides, so the next one is not looked at.
func TestElementsStops(t *testing.T) {
	stop, seen := errors.New("stop"), 0
	var s Scanner
	err := s.Elements([]byte(`[{"cid":1},{"cid":2},{"CID":3}]`), NewKeys("cid"), func(e *Element) error {
		seen++
		if id, _ := e.Values[0].ID(); id == 2 {
			return stop
		}
		return nil
	})
	if err != stop || seen != 2 {
		t.Errorf("got %v after %d elements, want %v after 2", err, seen, stop)
	}
}

func TestID(t *testing.T) {
	rows := []struct {
		kind Kind
		raw  string
		want int64
		ok   bool
	}{
		{Number, "1", 1, true}, {Number, "777", 777, true}, {Number, "9223372036854775807", 9223372036854775807, true},
		{Number, "9223372036854775808", 0, false}, {Number, "9999999999999999999", 0, false}, {Number, "10000000000000000000", 0, false}, {Number, "18446744073709551617", 0, false},
		{Number, "0", 0, false}, {Number, "-1", 0, false}, {Number, "-0", 0, false}, {Number, "01", 0, false}, {Number, "1.0", 0, false}, {Number, "1e2", 0, false}, {Number, "1E400", 0, false},
		{Number, "", 0, false}, {String, `"7"`, 0, false}, {String, "7", 0, false}, {Null, "null", 0, false}, {Array, "[7]", 0, false}, {Empty, "", 0, false},
	}
	for _, row := range rows {
		got, ok := Value{Kind: row.kind, Raw: []byte(row.raw)}.ID()
		if ok != row.ok || ok && got != row.want {
			t.Errorf("ID of %q: got %d, %v, want %d, %v", row.raw, got, ok, row.want, row.ok)
		}
	}
}

func TestAppendString(t *testing.T) {
	rows := []struct {
		kind      Kind
		raw, want string
	}{
		{String, `""`, ""}, {String, `"$SYS\/\u0061"`, "$SYS/a"}, {String, `"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t"}, {String, `"\ud834\udd1e\u20AC"`, "\U0001d11e\u20ac"},
		{String, `"\\u0041"`, `\u0041`}, {Number, "12", ""}, {Empty, "", ""},
	}
	for _, row := range rows {
		got := Value{Kind: row.kind, Raw: []byte(row.raw)}.AppendString([]byte("x"))
		if string(got) != "x"+row.want {
			t.Errorf("AppendString of %s: got %q, want %q", row.raw, got, "x"+row.want)
		}
	}
}

func TestTopKeys(t *testing.T) {
	rows := []struct {
		text, want string
	}{
		{"", ""}, {"null", ""}, {"{}", ""}, {`{"count":5,"reverse":{"cid":1}}`, "count reverse "},
		{`[{"\u0063id":1},{"devices":[{"x":1}],"a":"{"}]`, "cid devices a "},
	}
	var s Scanner
	for _, row := range rows {
		var got strings.Builder
		err := s.TopKeys([]byte(row.text), func(key []byte) error {
			got.Write(key)
			got.WriteByte(' ')
			return nil
		})
		if err != nil || got.String() != row.want {
			t.Errorf("TopKeys(%q): got %q, %v, want %q", row.text, got.String(), err, row.want)
		}
	}
	stop := errors.New("stop")
	if err := s.TopKeys([]byte(`{"a":1}`), func([]byte) error { return stop }); err != stop {
		t.Errorf("got %v, want %v", err, stop)
	}
}

func TestAppendWithCID(t *testing.T) {
	rows := []struct {
		text, want string
	}{
		{"", ""}, {" null\n", " null\n"}, {"[]", "[]"},
		{"{}", `{"cid":11}`}, {"{ }", `{ "cid":11}`}, {`{"a":1}`, `{"a":1,"cid":11}`}, {"{\"a\" : 1\n} ", "{\"a\" : 1\n,\"cid\":11} "},
		{`{"cid":5}`, `{"cid":5}`}, {`{"c\u0069d":5}`, `{"c\u0069d":5}`}, {`{"a":{"cid":5}}`, `{"a":{"cid":5},"cid":11}`},
		{`[{"name":"x"}, {"cid":3},{}]`, `[{"name":"x","cid":11}, {"cid":3},{"cid":11}]`},
		{`{"a":"}"}`, `{"a":"}","cid":11}`}, {`{"a":"\"}"}`, `{"a":"\"}","cid":11}`}, {`{"cid":null}`, `{"cid":null}`},
	}
	var s Scanner
	for _, row := range rows {
		if got := s.AppendWithCID([]byte("x"), []byte(row.text), 11); string(got) != "x"+row.want {
			t.Errorf("AppendWithCID(%q): got %q, want %q", row.text, got, "x"+row.want)
		}
	}
}

func TestNewKeysTooMany(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("got no panic, want one")
		}
	}()
	NewKeys("a", "b", "c", "d", "e")
}
