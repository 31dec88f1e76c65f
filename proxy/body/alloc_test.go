package body

import (
	"strconv"
	"strings"
	"testing"
)

// members returns an object of n members with escapes in keys and values.
func members(n int) string {
	var b strings.Builder
	b.WriteString(`{"cid":11,"id":7`)
	for i := range n {
		b.WriteString(`,"\u006bey` + strconv.Itoa(i) + `":{"name":"a \"b\"","n":[1.5e3,true,null]}`)
	}
	return b.String() + "}"
}

func TestNoAllocs(t *testing.T) {
	texts := []string{"", "null", "{}", `{"enabled": false}`, `[{"name":"container 42"}]`, members(20), "[" + members(3) + "," + members(200) + "]"}
	names := NewKeys("id", "cid")
	dst := make([]byte, 0, 1<<16)
	for _, text := range texts {
		text := []byte(text)
		var sum int64
		var refused error
		got := testing.AllocsPerRun(100, func() {
			s := Get()
			_, refused = s.Check(text)
			s.Elements(text, names, func(e *Element) error {
				id, _ := e.Values[1].ID()
				sum += id
				return nil
			})
			s.TopKeys(text, func(key []byte) error {
				sum += int64(len(key))
				return nil
			})
			dst = s.AppendWithCID(dst[:0], text, 11)
			Put(s)
		})
		// The race detector makes sync.Pool drop values at random.
		if refused != nil || got >= 1 && !raceEnabled {
			t.Errorf("%.40q: got %v allocations, %v, want none", text, got, refused)
		}
	}
}

func TestPutRefusesGiants(t *testing.T) {
	s := new(Scanner)
	if _, err := s.Check([]byte(members(maxPooledKeys * 2))); err != nil {
		t.Fatal(err)
	}
	Put(s)
	if got := Get(); got == s {
		t.Errorf("the pool kept a scanner of %d keys", cap(s.keys))
	}
}

// BenchmarkRead is what a body costs: the check and a walk over its elements.
func BenchmarkRead(b *testing.B) {
	rows := []struct{ name, text string }{
		{"small", `{"name":"device","configuration":{"ident":"123456789012345"},"device_type_id":745}`},
		{"array", "[" + strings.Repeat(members(50)+",", 100) + "{}]"},
		{"keys", members(100_000)},
		{"empties", "[" + strings.Repeat("{},", 300_000) + "{}]"},
	}
	keys := NewKeys("id", "cid", "topic")
	for _, row := range rows {
		b.Run(row.name, func(b *testing.B) {
			text := []byte(row.text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				s := Get()
				if _, err := s.Check(text); err != nil {
					b.Fatal(err)
				}
				if err := s.Elements(text, keys, func(*Element) error { return nil }); err != nil {
					b.Fatal(err)
				}
				Put(s)
			}
		})
	}
}
