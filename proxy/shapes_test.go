package proxy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// shape is a request that was seen in the wild.
type shape struct {
	ID   string
	Play *struct {
		Method, URL string
		Headers     map[string]string
		Body        *string
	}
}

// Requests that real clients and users send, by a master of a root account: each is read and
// routed. What is closed is code 8; one names a method that its path does not take.
func TestShapes(t *testing.T) {
	w := textWired(t, plain(`{"result":[]}`))
	w.accounts([2]int64{1, 0}, [2]int64{501, 1}, [2]int64{12345, 1})
	played := 0
	for _, row := range readLines[shape](t, "testdata/shapes.jsonl") {
		if row.Play == nil {
			continue
		}
		played++
		var fields []string
		for name, value := range row.Play.Headers {
			fields = append(fields, name+": "+value)
		}
		slices.Sort(fields)
		body := ""
		if row.Play.Body != nil {
			body = *row.Play.Body
		}
		got := w.call(rootKey, row.Play.Method, row.Play.URL, body, fields...)
		sent := w.backend.take()
		switch {
		case row.ID == "fr-06":
			if got.status != 405 || got.header.Get("Allow") != "POST" {
				t.Errorf("%s: got %d, want 405", row.ID, got.status)
			}
		case got.status == 403 && got.body == bodyNotPermitted && closedShape(row.Play.URL):
		case row.Play.URL == "/auth/info" && got.status == 200:
		case got.status != 200 || len(sent) != 1 || sent[0].body != body || sent[0].method() != row.Play.Method:
			t.Errorf("%s: %s %s: got %d %s and %d requests at the backend", row.ID, row.Play.Method, row.Play.URL, got.status, got.body, len(sent))
		case body != "" && !json.Valid([]byte(sent[0].body)):
			t.Errorf("%s: forwarded %q", row.ID, sent[0].body)
		}
	}
	if played < 25 {
		t.Errorf("got %d shapes to play", played)
	}
}

// closedShape reports whether a path is one that SPEC 4 closes to everyone.
func closedShape(url string) bool {
	return strings.HasPrefix(url, "/platform/tokens") || strings.HasPrefix(url, "/platform/customer/tokens") ||
		strings.HasPrefix(url, "/platform/realms/") && strings.Contains(url, "/users")
}
