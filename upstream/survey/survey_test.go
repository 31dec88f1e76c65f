package survey

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"aclgate/bench/backend"
	"aclgate/policy"
	"aclgate/policy/routes"
)

func catalogue(t *testing.T) *policy.Catalogue {
	t.Helper()
	cat, err := routes.Load("")
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

func started(t *testing.T, o backend.Options) string {
	t.Helper()
	s := backend.New(backend.DemoWorld(), o)
	url, err := s.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return url
}

// What a backend is can be seen from outside.
func TestRun(t *testing.T) {
	for name, row := range map[string]struct {
		options backend.Options
		obeys   Obeys
		owned   bool
	}{
		"knows accounts":     {backend.Options{Key: "own-key-1"}, Yes, true},
		"ignores the header": {backend.Options{Key: "own-key-1", IgnoreCID: true}, No, true},
		"knows no accounts":  {backend.Options{Key: "own-key-1", IgnoreCID: true, NoCIDField: true}, NotSeen, false},
		"without paging":     {backend.Options{Key: "own-key-1", NoPaging: true}, Yes, true},
	} {
		got, err := Run(context.Background(), started(t, row.options), "own-key-1", catalogue(t), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Obeys != row.obeys || (got.Owned == got.Items) != row.owned || (got.Owned == 0) == row.owned || got.Items == 0 {
			t.Errorf("%s: got %+v", name, got)
		}
		if row.owned && (len(got.CIDs) < 2 || !slices.Contains(got.Collections, "gw/devices")) {
			t.Errorf("%s: got cids %v of %v", name, got.CIDs, got.Collections)
		}
	}
}

// Without an answer that tells something there is a reason.
func TestRunFails(t *testing.T) {
	_, err := Run(context.Background(), started(t, backend.Options{Key: "own-key-1"}), "another-key", catalogue(t), nil)
	if !errors.Is(err, ErrUnauthorized) {
		t.Errorf("got %v, want %v", err, ErrUnauthorized)
	}
	for _, row := range []struct {
		handler http.HandlerFunc
		want    string
	}{
		{func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
		}, "it answers 302"},
		{func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "it answers 500"},
		{func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("<html>")) }, "it answers 200"},
	} {
		s := httptest.NewServer(row.handler)
		if _, err := Run(context.Background(), s.URL, "", catalogue(t), nil); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("got %v, want %q in it", err, row.want)
		}
		s.Close()
		if _, err := Run(context.Background(), s.URL, "", catalogue(t), nil); err == nil || !strings.Contains(err.Error(), "cannot ask the backend") {
			t.Errorf("got %v of a backend that is down", err)
		}
	}
}

// A URL with http for a backend that speaks TLS is named as such.
func TestTLSIsNamed(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	plain := strings.Replace(s.URL, "https://", "http://", 1)
	if _, err := Run(context.Background(), plain, "", catalogue(t), nil); !errors.Is(err, ErrTLS) {
		t.Errorf("got %v, want %v", err, ErrTLS)
	}
	if WantsTLS(context.Background(), s.URL) {
		t.Error("https is what it should be")
	}
	bare := httptest.NewServer(http.NotFoundHandler())
	defer bare.Close()
	if WantsTLS(context.Background(), bare.URL) {
		t.Error("a backend without TLS is said to have it")
	}
	secure := strings.Replace(bare.URL, "http://", "https://", 1)
	if _, err := Run(context.Background(), secure, "", catalogue(t), nil); !errors.Is(err, ErrPlain) {
		t.Errorf("got %v, want %v", err, ErrPlain)
	}
	if WantsPlain(context.Background(), s.URL) || WantsPlain(context.Background(), bare.URL) {
		t.Error("a backend with TLS, or one that is asked by http, is said to have none")
	}
}

// What is no backend of this API is said to be none: it may be the wrong URL, and "no items yet" would
// have one account made of whatever comes later.
func TestNoBackend(t *testing.T) {
	for want, answer := range map[string]http.HandlerFunc{
		"the wrong URL: it answers 404": http.NotFound,
		"the wrong URL: it answers 302": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) },
		"something else than a list":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello</html>")) },
	} {
		s := httptest.NewServer(answer)
		found, err := Run(context.Background(), s.URL, "", catalogue(t), nil)
		s.Close()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v, want %q", found, err, want)
		}
	}
	_, err := Run(context.Background(), "http://127.0.0.1:1", "", catalogue(t), nil)
	if err == nil || !strings.HasPrefix(err.Error(), "cannot ask the backend: dial tcp 127.0.0.1:1") {
		t.Errorf("got %v", err)
	}
	if err := inWords(&url.Error{Op: "Get", URL: "http://a/b", Err: context.DeadlineExceeded}); !strings.Contains(err.Error(), "does not answer within 10s") {
		t.Errorf("got %v", err)
	}
}

// The accounts of a backend that has them come with their tree, the root first.
func TestAccounts(t *testing.T) {
	answers := map[string]string{
		"/platform/customer":        `{"result":[{"id":400,"name":"operator"}]}`,
		"/platform/subaccounts/all": `{"result":[{"id":500,"name":"fleet","cid":400},{"id":501,"name":"depot","cid":500},{"id":502}]}`,
		"/gw/devices/all":           `{"result":[{"id":1,"cid":500}]}`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if text, found := answers[r.URL.Path]; found {
			_, _ = w.Write([]byte(text))
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	defer s.Close()
	got, err := Run(context.Background(), s.URL, "", catalogue(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Account{{ID: 400, Name: "operator"}, {500, 400, "fleet"}, {501, 500, "depot"}, {ID: 502, Parent: 400}}
	if !slices.Equal(got.Accounts, want) || got.Obeys != NotSeen || got.String() != "read 1 item of 1 collection (gw/devices): 1 has a cid" {
		t.Errorf("got %+v, %s", got, got)
	}
}
