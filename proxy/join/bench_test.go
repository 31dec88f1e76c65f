package join

import (
	"strings"
	"testing"
)

// parts are what backends send: devices, telemetry, long texts, many errors.
func parts() map[string]string {
	device := `{"id":1183204,"name":"truck \"7\"","cid":11,"device_type_id":12,"configuration":{"ident":"352093081234567","phone":""},"messages_ttl":31536000},`
	telemetry := `{"id":1183204,"telemetry":{"position.altitude":{"ts":1718182921.341,"value":34.5},"position.valid":{"ts":1718182921.341,"value":true}}},`
	return map[string]string{
		"devices":   `{"result":[` + strings.Repeat(device, 2000) + `{}]}`,
		"telemetry": `{"result":[` + strings.Repeat(telemetry, 2000) + `{}]}`,
		"numbers":   `{"result":[` + strings.Repeat(`1183204,`, 20000) + `1]}`,
		"text":      `{"result":["` + strings.Repeat("x", 1<<20) + `"]}`,
		"errors":    `{"errors":[` + strings.Repeat(`{"code":6,"id":12345},`, 5000) + `{}],"result":[]}`,
	}
}

// feed passes one part in pieces as a connection gives them.
func feed(j *Joiner, dst, text []byte) ([]byte, error) {
	j.Begin(true)
	for len(text) > 0 {
		n := min(len(text), 32<<10)
		dst, _ = j.Feed(dst[:0], text[:n])
		text = text[n:]
	}
	return dst, j.End()
}

func TestNoAllocs(t *testing.T) {
	var j Joiner
	dst := make([]byte, 0, 2<<20)
	for name, text := range parts() {
		text := []byte(text)
		var err error
		got := testing.AllocsPerRun(20, func() {
			j.Reset()
			dst, err = feed(&j, dst, text)
		})
		if err != nil || got != 0 {
			t.Errorf("%s: got %v allocations, %v, want none", name, got, err)
		}
	}
}

func BenchmarkFeed(b *testing.B) {
	for name, text := range parts() {
		b.Run(name, func(b *testing.B) {
			text := []byte(text)
			dst := make([]byte, 0, 2<<20)
			var j Joiner
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				j.Reset()
				var err error
				if dst, err = feed(&j, dst, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
