package head

import (
	"errors"
	"io"
	"net/http/httputil"
	"strings"
	"testing"
	"testing/iotest"
)

// Ensure that what is written in chunks is read back by somebody else's reader, and that only a
// body that ended well ends.
func TestWriteChunks(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 10_000) // several pieces
	broken := errors.New("broken")
	rows := []struct {
		name string
		body io.Reader
		want string
		err  error
	}{
		{"empty", strings.NewReader(""), "", nil},
		{"one byte", strings.NewReader("x"), "x", nil},
		{"long", strings.NewReader(long), long, nil},
		{"byte by byte", iotest.OneByteReader(strings.NewReader(long[:300])), long[:300], nil},
		{"end with the last bytes", iotest.DataErrReader(strings.NewReader(long)), long, nil},
		{"broken", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), "half", broken},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := &script{cut: whole}
			if err := quietListener(t, Config{}).wrap(s).WriteChunks(row.body); !errors.Is(err, row.err) {
				t.Fatalf("got %v, want %v", err, row.err)
			}
			sent := s.sent.String()
			got, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(sent)))
			if string(got) != row.want {
				t.Errorf("got %d bytes, want %d", len(got), len(row.want))
			}
			if ended := err == nil && strings.HasSuffix(sent, "0\r\n\r\n"); ended != (row.err == nil) {
				t.Errorf("the body ends: %v (%v), want %v", ended, err, row.err == nil)
			}
		})
	}
}
