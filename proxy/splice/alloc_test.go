package splice

import (
	"bytes"
	"strings"
	"testing"
)

// answers are what backends send: messages, telemetry, long texts.
func answers() map[string]string {
	row := `{"channel.id":1183,"ident":"352093081234567","position.altitude":34.5,"position.valid":true,"server.timestamp":1718182921.341,"protocol":"a \"b\" \\"},`
	return map[string]string{
		"messages": `{"result":[` + strings.Repeat(row, 2000) + `{}]}`,
		"text":     `{"result":"` + strings.Repeat("x", 1<<20) + `"}`,
		"escapes":  `{"result":"` + strings.Repeat(`\\\"`, 1<<18) + `"}`,
		"flat":     `{` + strings.Repeat(`"telemetry":1234,`, 10000) + `"a":1}`,
		"errors":   `{"errors":[` + strings.Repeat(`{"code":6,"id":12345},`, 5000) + `{}],"result":[]}`,
	}
}

func TestNoAllocs(t *testing.T) {
	var s Splicer
	dst := make([]byte, 0, 4<<20)
	errs := []byte(denied)
	for name, text := range answers() {
		text := []byte(text)
		var err error
		got := testing.AllocsPerRun(20, func() {
			s.Reset(errs)
			dst = dst[:0]
			for rest := text; len(rest) > 0; {
				n := min(len(rest), 32<<10)
				dst, _ = s.Feed(dst, rest[:n])
				rest = rest[n:]
			}
			err = s.Finish()
		})
		if err != nil || got != 0 {
			t.Errorf("%s: got %v allocations, %v, want none", name, got, err)
		}
		got = testing.AllocsPerRun(20, func() {
			dst, err = Whole(dst[:0], text, errs)
		})
		if err != nil || got != 0 {
			t.Errorf("Whole of %s: got %v allocations, %v, want none", name, got, err)
		}
	}
}

func BenchmarkFeed(b *testing.B) {
	for name, text := range answers() {
		b.Run(name, func(b *testing.B) {
			text := bytes.Clone([]byte(text))
			dst := make([]byte, 0, 2*len(text))
			var s Splicer
			errs := []byte(denied)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				s.Reset(errs)
				for rest := text; len(rest) > 0; {
					n := min(len(rest), 32<<10)
					dst, _ = s.Feed(dst[:0], rest[:n])
					rest = rest[n:]
				}
				if err := s.Finish(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
