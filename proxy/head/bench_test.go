package head

import "testing"

// typical is what a browser application or a script sends.
const typical = "GET /gw/devices/101,102/telemetry/all?fields=id,name HTTP/1.1\r\nHost: gw.test\r\n" +
	"Authorization: FlespiToken 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\nAccept: application/json\r\n" +
	"Accept-Encoding: gzip, deflate, br\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\r\nX-Flespi-Cid: 500\r\n\r\n"

// repeat is a connection that sends the same message for ever.
type repeat struct {
	script
	message string
	sent    int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.message[r.sent:])
	r.sent = (r.sent + n) % len(r.message)
	return n, nil
}

func BenchmarkParse(b *testing.B) {
	var m message
	buf, r := []byte(typical), rules{maxHead: 64 << 10}
	b.ReportAllocs()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		m.reset()
		end, _ := m.scan.find(buf, r.maxHead)
		if end == 0 || r.parse(&m.head, buf, false) != nil {
			b.Fatal("not taken")
		}
	}
}

func BenchmarkRead(b *testing.B) {
	c := quietListener(b, Config{}).wrap(&repeat{message: typical})
	b.ReportAllocs()
	for b.Loop() {
		if !c.Next() || c.Head().Fault != nil {
			b.Fatal("not taken")
		}
	}
}
