package bench

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"
)

// Every write of the bench is a whole request, and changes something: no token gets the text that it
// has.
func TestWriteCalls(t *testing.T) {
	info, puts := map[string]string{}, 0
	calls := writeCalls()
	for pass := range 2 {
		for i := range calls {
			req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(calls[i].Bytes)))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(req.Body)
			if err != nil || int64(len(body)) != req.ContentLength {
				t.Fatalf("got %s, %v", body, err)
			}
			if req.Method == http.MethodPut {
				if puts++; info[req.URL.Path] == string(body) {
					t.Errorf("pass %d: %s stays %s", pass, req.URL.Path, body)
				}
				info[req.URL.Path] = string(body)
			}
		}
	}
	if len(info) != writtenTokens || puts != 4*writtenTokens {
		t.Errorf("%d changes of %d tokens", puts, len(info))
	}
}
