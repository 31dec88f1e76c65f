package head

import "testing"

// Every byte, at every place of a text that is all right otherwise, is judged as its class says.
func TestAllText(t *testing.T) {
	for name, c := range map[string]*class{"text": &textByte, "plain": &plainByte} {
		for b := 0x20; b <= 0x7e; b++ {
			if !c[b] {
				t.Fatalf("%s lacks %#x, which allText takes for granted", name, b)
			}
		}
		for length := range 20 {
			for _, filler := range []byte{' ', 'a', '~', '\t'} {
				b := make([]byte, length)
				for at := range b {
					for i := range b {
						b[i] = filler
					}
					for x := range 256 {
						b[at] = byte(x)
						if got := c.allText(b); got != c[x] {
							t.Errorf("%s: %q: got %v, want %v", name, b, got, c[x])
						}
					}
				}
			}
		}
	}
}

// FuzzAllText compares with one byte at a time.
func FuzzAllText(f *testing.F) {
	f.Add([]byte("12345678\x7f"))
	f.Add([]byte("\x1f\x80\x00\xff12345678"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, c := range []*class{&textByte, &plainByte} {
			if got, want := c.allText(b), c.all(b); got != want {
				t.Errorf("%q: got %v, want %v", b, got, want)
			}
		}
	})
}
