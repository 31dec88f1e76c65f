package wire

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"
	"testing/iotest"
)

// samples are good packets of clients and servers, and beginnings of what is bad.
var samples = []string{
	"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01p",
	"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x0a\x00\x01p",
	"\x10\x2f\x00\x04MQTT\x05\xee\x00\x0a\x05\x11\x00\x00\x00\x09\x00\x01p\x0a\x18\x00\x00\x00\x05\x08\x00\x02re\x00\x00\x01w\x00\x01!\x00\x01u\x00\x02pw",
	"\x20\x09\x01\x00\x06\x21\x00\x05\x22\x00\x01",
	"\x30\x0a\x00\x01pmessage",
	"\x3b\x1c\x00\x05topic\x00\x09\x10\x0b\x01\x0b\x80\x01\x26\x00\x01a\x00\x01b\x01\x01pay",
	"\x40\x02\x00\x01", "\x50\x03\x00\x01\x10", "\x62\x04\x00\x01\x92\x00", "\x70\x02\x00\x01",
	"\x82\x0b\x00\x01\x02\x0b\x05\x00\x02a#\x2d", "\x82\x15\x00\x01\x00\x00\x0f$share/g/a/+/b\x01",
	"\x90\x05\x00\x01\x00\x01\x87", "\xa2\x07\x00\x01\x00\x00\x02+/", "\xb0\x05\x00\x01\x00\x11\x00",
	"\xc0\x00", "\xd0\x00", "\xe0\x00", "\xe0\x07\x04\x05\x11\x00\x00\x00\x00", "\xf0\x08\x18\x06\x15\x00\x03abc",
	"\x30\xff\xff\xff\x7f", "\x82\x02\x00\x01",
}

func seed(f *testing.F) {
	for _, s := range samples {
		for version := range 3 {
			f.Add([]byte(s), uint8(version), s[0]&0x10 == 0)
		}
	}
}

// first reads the first packet of b as a typed value.
func first(b []byte, v Version, s Sender) (Frame, packet, error) {
	if len(b) > 0 && Type(b[0]>>4) == CONNECT {
		v = 0
	}
	f, err := NewReader(bytes.NewReader(b), s, v, 1<<20).Next()
	if err != nil {
		return f, nil, err
	}
	p := newPacket(f.Type)
	return f, p, p.Parse(f)
}

func context(version uint8, client bool) (Version, Sender) {
	if client {
		return V31 + Version(version%3), Client
	}
	return V31 + Version(version%3), Server
}

// FuzzRoundTrip: what is read and printed reads as the same value, and prints as the same bytes.
func FuzzRoundTrip(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte, version uint8, client bool) {
		v, s := context(version, client)
		frame, p, err := first(b, v, s)
		if err != nil {
			return
		}
		printed, err := p.Append(nil, v)
		if err != nil {
			t.Fatalf("cannot print %+v: %v", p, err)
		}
		if len(printed) > frame.Size() {
			t.Errorf("%x was printed as %x, which is longer", b, printed)
		}
		_, again, err := first(printed, v, s)
		if err != nil {
			t.Fatalf("%x was printed as %x, which does not read: %v", b, printed, err)
		}
		if !reflect.DeepEqual(p, again) {
			t.Errorf("%x reads as %+v, printed %x, which reads as %+v", b, p, printed, again)
		}
		if twice, _ := again.Append([]byte("x"), v); string(twice) != "x"+string(printed) {
			t.Errorf("printed %x, then %x", printed, twice)
		}
	})
}

// FuzzCut: however a stream is cut into reads, it has the same packets and ends in the same way.
func FuzzCut(f *testing.F) {
	f.Add([]byte(samples[0]+samples[4]+samples[10]+samples[15]), uint8(1), true)
	f.Add([]byte(samples[3]+samples[5]+samples[12]+samples[16]), uint8(2), false)
	f.Add(bytes.Repeat([]byte(samples[4]), 100), uint8(2), false)
	f.Fuzz(func(t *testing.T, b []byte, version uint8, client bool) {
		v, s := context(version, client)
		if client {
			v = 0
		}
		whole, endWhole := frames(bytes.NewReader(b), v, s)
		single, endSingle := frames(iotest.OneByteReader(bytes.NewReader(b)), v, s)
		halves, endHalves := frames(iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(b))), v, s)
		if !reflect.DeepEqual(whole, single) || !reflect.DeepEqual(whole, halves) {
			t.Errorf("%x reads as %q, byte by byte as %q, in halves as %q", b, whole, single, halves)
		}
		if endWhole != endSingle || endWhole != endHalves {
			t.Errorf("%x ends in %q, byte by byte in %q, in halves in %q", b, endWhole, endSingle, endHalves)
		}
	})
}

// frames returns the types and bodies of a stream's packets, and how it ends.
func frames(src io.Reader, v Version, s Sender) (all []string, end string) {
	r := NewReader(src, s, v, 4<<10)
	for {
		f, err := r.Next()
		if err != nil {
			return all, err.Error()
		}
		all = append(all, f.Type.String()+string(f.flags)+string(f.body))
		var c Connect
		if f.Type == CONNECT && c.Parse(f) == nil {
			r.Accept(c.Version, 4<<10)
		}
	}
}

// FuzzDirty: a value that was used for one packet reads the next as a fresh one does.
func FuzzDirty(f *testing.F) {
	for i := range samples {
		f.Add([]byte(samples[i]), []byte(samples[(i+1)%len(samples)]), uint8(2), true)
	}
	f.Add([]byte(samples[5]), []byte(samples[4]), uint8(2), false)
	f.Fuzz(func(t *testing.T, one, two []byte, version uint8, client bool) {
		v, s := context(version, client)
		frame, p, err := first(one, v, s)
		if err != nil {
			return
		}
		next, fresh, err := first(two, v, s)
		if next.Type != frame.Type || err != nil {
			return
		}
		if err := p.Parse(next); err != nil {
			t.Fatalf("%x reads after %x as %v", two, one, err)
		}
		// FuzzRoundTrip says that nothing of a value is missing from what it prints.
		want, _ := fresh.Append(nil, v)
		if got, err := p.Append(nil, v); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%x reads after %x as %+v, alone as %+v", two, one, p, fresh)
		}
	})
}

// TestEnds: where a stream ends says how it ends.
func TestEnds(t *testing.T) {
	for _, row := range []struct {
		stream string
		want   error
	}{
		{"", io.EOF},
		{"\xc0\x00", io.EOF},
		{"\xc0", io.ErrUnexpectedEOF},
		{"\x30\x0a\x00\x01pm", io.ErrUnexpectedEOF},
	} {
		r := NewReader(bytes.NewReader([]byte(row.stream)), Client, V311, 1<<10)
		var err error
		for err == nil {
			_, err = r.Next()
		}
		if !errors.Is(err, row.want) || errors.Is(row.want, io.EOF) != errors.Is(err, io.EOF) {
			t.Errorf("%x: got %v, want %v", row.stream, err, row.want)
		}
	}
}
