package backend

import (
	"errors"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// truck is looked into by the rows below.
func truck(t testing.TB) *item {
	t.Helper()
	it, err := newItem(Item{ID: 101, CID: 11, Fields: Fields{
		"name": "truck-1", "enabled": true, "speed": 42.5, "big": int64(9007199254740993), "note": nil,
		"configuration": Fields{"ident": "352625", "deep": Fields{"x": 1}},
		"position.lat":  54,
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

var matches = []struct {
	sel  string
	want bool
}{
	{"name=truck-1", true},
	{"name==truck-1", true},
	{"name=Truck-1", false},
	{"name=truck*", true},
	{"name=*k-?", true},
	{"name=?", false},
	{"name=*", true},
	{"note=*", false},
	{"missing=*", false},
	{"id=101", true},
	{"id=1*", true},
	{"cid=11,enabled=true", true},
	{"cid=11,enabled=false", false},
	{"speed=42.5", true},
	{"configuration.ident=352*", true},
	{"configuration.deep.x=1", true},
	{"configuration=*", false},
	{"position.lat=54", true},

	{`{name=="truck-1"}`, true},
	{`{name=='truck-1' && id==101}`, true},
	{`{ name != "truck-1" || id > 100 }`, true},
	{`{id<101}`, false},
	{`{id<=101&&id>=101}`, true},
	{`{!(id<101)}`, true},
	{`{!enabled}`, false},
	{`{enabled==true}`, true},
	{`{$configuration.ident ~ "35*"}`, true},
	{`{missing}`, false},
	{`{missing==null}`, true},
	{`{missing!="x"}`, true},
	{`{missing>0}`, false},
	{`{name>0}`, false},
	{`{speed>42 && speed<43}`, true},
	{`{speed==42.5e0}`, true},
	{`{big==9007199254740993}`, true},
	{`{big==9007199254740992}`, false},
	{`{id>-1}`, true},
	{`{false||true&&false}`, false},
	{`{name=="a\"b"}`, false},
}

func TestMatch(t *testing.T) {
	it := truck(t)
	for _, r := range matches {
		sel, err := parseSelector(r.sel)
		if err != nil {
			t.Errorf("%s: %v", r.sel, err)
			continue
		}
		if got := sel.match(it); got != r.want {
			t.Errorf("%s: got %v, want %v", r.sel, got, r.want)
		}
	}
}

// Ensure that conditions may follow what names items.
func TestConditionsAfterIDs(t *testing.T) {
	for _, r := range []struct {
		sel  string
		ids  []int64
		want bool
	}{
		{"101,7,name=truck-1", []int64{101, 7}, true},
		{"7,cid=11,name=car-*", []int64{7}, false},
		{"all,cid=11", nil, true},
		{"all,cid=12", nil, false},
	} {
		sel, err := parseSelector(r.sel)
		if err != nil || !slices.Equal(sel.ids, r.ids) || sel.match(truck(t)) != r.want {
			t.Errorf("%s: got ids %v and %v, want %v and a match: %v", r.sel, sel.ids, err, r.ids, r.want)
		}
	}
}

func TestWrongSelectors(t *testing.T) {
	for _, s := range []string{"", "ALL", "0", "01", "-1", "+1", "1,", ",1", "1,,2", "1,all", "1,name", "name=x,1", ",name=x", "01,name=x", "all,name", "all,1,name=x", "1 ", "9223372036854775808",
		"name=", "=x", "name=x,", "na me=x", "{", "{}", "{a==}", "{a==1", "{(a}", "{a b}", `{"open}`, "{a&&}", "{1x}", "{a===1}",
		"{" + strings.Repeat("(", 2*maxExprDepth) + "1" + strings.Repeat(")", 2*maxExprDepth) + "}",
		"{" + strings.Repeat("!", 2*maxExprDepth) + "1}"} {
		_, err := parseSelector(s)
		if !errors.Is(err, errSelector) && !errors.Is(err, errID) {
			t.Errorf("%q: got %v, want a refusal", s, err)
		}
	}
}

// FuzzIDs: an id list is what its reprint says, each id once.
func FuzzIDs(f *testing.F) {
	f.Add("1,2,3")
	f.Add("2,2,1")
	f.Add("9223372036854775807")
	f.Fuzz(func(t *testing.T, s string) {
		ids, err := parseIDs(s)
		if err != nil {
			return
		}
		var want []string
		for _, part := range strings.Split(s, ",") {
			if !slices.Contains(want, part) {
				want = append(want, part)
			}
		}
		var got []string
		for _, id := range ids {
			got = append(got, strconv.FormatInt(id, 10))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	})
}

// FuzzGlob: on names without path.Match's own special characters, both agree.
func FuzzGlob(f *testing.F) {
	f.Add("*k-?", "truck-1")
	f.Add("a*b*c", "aXbXbXc")
	f.Add("**", "")
	f.Fuzz(func(t *testing.T, mask, s string) {
		// path.Match works on runes and stops at slashes.
		for i := 0; i < len(mask+s); i++ {
			if c := (mask + s)[i]; c >= 0x80 || strings.IndexByte(`/[\`, c) >= 0 {
				return
			}
		}
		want, err := path.Match(mask, s)
		if err != nil {
			return
		}
		if got := glob(mask, s); got != want {
			t.Errorf("%q, %q: got %v, want %v", mask, s, got, want)
		}
	})
}

// FuzzExpr: an expression and its negation never both select.
func FuzzExpr(f *testing.F) {
	f.Add(`name=="truck-1"`)
	f.Add(`!(id<5)||missing && speed>=42.5`)
	it := truck(f)
	f.Fuzz(func(t *testing.T, s string) {
		m, err := parseExpr("{" + s + "}")
		if err != nil {
			return
		}
		n, err := parseExpr("{!(" + s + ")}")
		if err != nil {
			if strings.Count(s, "(")+strings.Count(s, "!") > maxExprDepth-3 {
				return // one level deeper is too deep
			}
			t.Fatalf("%q: its negation: %v", s, err)
		}
		if m(it) == n(it) {
			t.Errorf("%q: got %v for it and its negation", s, m(it))
		}
	})
}

// FuzzTarget: what is escaped byte by byte comes back as it was, in the segment and in the query.
func FuzzTarget(f *testing.F) {
	f.Add("a/b", "x=1&y")
	f.Add("..", "%+ ")
	f.Fuzz(func(t *testing.T, seg, value string) {
		segs, q, err := parseTarget(nil, "/gw/"+escape(seg)+"?fields="+escape(value))
		if err != nil {
			if errors.Is(err, errUTF8) {
				return
			}
			t.Fatalf("%q %q: %v", seg, value, err)
		}
		if len(segs) != 2 || segs[1] != seg || q.fields != value {
			t.Errorf("%q %q: got %q %q", seg, value, segs, q.fields)
		}
	})
}

func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		const hex = "0123456789abcdef"
		b.WriteByte('%')
		b.WriteByte(hex[s[i]>>4])
		b.WriteByte(hex[s[i]&15])
	}
	return b.String()
}
