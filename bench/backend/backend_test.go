package backend

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves w until the test ends and returns the server and its URL.
func start(t testing.TB, w *World, opt Options) (*Server, string) {
	t.Helper()
	s := New(w, opt)
	url, err := s.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		s.Close()
	})
	return s, url
}

// ask plays "METHOD TARGET [BODY]" with optional header pairs and returns the status and the body.
func ask(t testing.TB, url, line string, header ...string) (int, string) {
	t.Helper()
	method, rest, _ := strings.Cut(line, " ")
	target, body, _ := strings.Cut(rest, " ")
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	// Opaque goes onto the request line as it is.
	req.URL.Opaque = target
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := io.Copy(&b, resp.Body); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return resp.StatusCode, b.String()
}

type row struct {
	line   string
	status int
	want   string
}

func play(t *testing.T, url string, rows []row, header ...string) {
	t.Helper()
	for _, r := range rows {
		status, got := ask(t, url, r.line, header...)
		if status != r.status || got != r.want {
			t.Errorf("%s:\n got %d %s\nwant %d %s", r.line, status, got, r.status, r.want)
		}
	}
}

func result(rows string) string { return `{"result":[` + rows + `]}` }

// TestTutorial plays, in order, the requests of the vendor's tutorial as a gateway forwards them:
// what a token does not see has been narrowed away, what it may not do has not come here at all.
func TestTutorial(t *testing.T) {
	_, url := start(t, DemoWorld(), Options{})
	play(t, url, []row{
		{"GET /gw/channels/all?fields=id", 200, result(`{"id":2024},{"id":2025},{"id":2026}`)},
		{"GET /gw/channels/2025,2026?fields=id", 200, result(`{"id":2025},{"id":2026}`)},
		{`PUT /gw/channels/2025,2026?fields=id,enabled {"enabled": false}`, 200,
			result(`{"enabled":false,"id":2025},{"enabled":false,"id":2026}`)},
		{"GET /gw/channels/all?fields=id,enabled", 200,
			result(`{"enabled":true,"id":2024},{"enabled":false,"id":2025},{"enabled":false,"id":2026}`)},
		{"GET /storage/containers/all?fields=id", 200, result(`{"id":5126},{"id":5127},{"id":5128}`)},
		{"GET /storage/abques/all?fields=id", 200, result(`{"id":7756},{"id":7757},{"id":7758}`)},
		{`POST /storage/containers [{"name": "container 42"}]`, 200,
			result(`{"flags":0,"id":5129,"name":"container 42"}`)},
		{"GET /storage/containers/5129", 200, result(`{"flags":0,"id":5129,"name":"container 42"}`)},
	}, "x-flespi-cid", "1")
}

// TestLiteral shows that the path is taken as it is spelled.
func TestLiteral(t *testing.T) {
	_, url := start(t, DemoWorld(), Options{})
	absent := `{"errors":[{"code":4,"reason":"not found: GET"}],"result":[]}`
	play(t, url, []row{
		{"GET /gw/channels/20%324?fields=id", 200, result(`{"id":2024}`)},
		{"GET /%67w/channels/2024?fields=id", 200, result(`{"id":2024}`)},
		{"GET /gw/channels/2024%2C2025?fields=id", 200, result(`{"id":2024},{"id":2025}`)},
		{"GET /gw//channels/2024", 404, absent},
		{"GET /gw/./channels/2024", 404, absent},
		{"GET /gw%2Fchannels/2024", 404, absent},
		{"GET /GW/channels/2024", 404, absent},
		{"GET /gw/channels/2024/", 404, absent},
		{"GET /gw/channels/2024/nothing", 404, absent},
		{"GET /gw/channels", 404, absent},
		{"GET /gw/nothing/1", 404, absent},
		{"GET /gw/devices/101/commands", 404, absent},
		{"GET /gw/channels/%zz", 400, `{"errors":[{"code":2,"reason":"bad percent-encoding"}],"result":[]}`},
		{"GET /gw/channels/2024%252C2025", 400, `{"errors":[{"code":2,"reason":"wrong item id"}],"result":[]}`},
		{"GET /gw/channels/1?fields=id&fields=name", 400,
			`{"errors":[{"code":2,"reason":"parameter given twice"}],"result":[]}`},
		{"GET /gw/channels/all?limit=-1", 400,
			`{"errors":[{"code":2,"reason":"limit and offset are numbers"}],"result":[]}`},
		{"GET /gw/channel-protocols/1?fields=id,name,cid", 200, result(`{"id":1,"name":"teltonika"}`)},
		{"DELETE /gw/channel-protocols/1", 404, strings.Replace(absent, "GET", "DELETE", 1)},
		{"GET /platform/billing", 200, result("")},
		{"GET /auth/info?x=1", 200, result(`{"access":{"type":1},"accessed":1760416212,"blocked":0,"cid":1,` +
			`"created":1707335420,"enabled":true,"expire":0,"id":1,"info":"backend","ttl":31536000}`)},
	})
}

func TestKey(t *testing.T) {
	_, url := start(t, DemoWorld(), Options{Key: "sesame"})
	for _, r := range []struct {
		auth string
		want int
	}{
		{"FlespiToken sesame", 200},
		{"", 401},
		{"FlespiToken sesam", 401},
		{"flespitoken sesame", 401},
		{"Bearer sesame", 401},
		{"sesame", 401},
	} {
		if got, body := ask(t, url, "GET /gw/channels/all", "Authorization", r.auth); got != r.want {
			t.Errorf("%q: got %d %s, want %d", r.auth, got, body, r.want)
		}
	}
}

// BenchmarkHandle is the backend's own share of a request: it sits beside the gateway on the same
// cores when that is measured.
func BenchmarkHandle(b *testing.B) {
	w := DemoWorld()
	for i := range int64(100_000) {
		w.demo("gw/devices", demoDevice(1000+i, DemoFleet, "bulk"))
	}
	s := New(w, Options{Key: "sesame"})
	for _, target := range []string{"/gw/devices/101", "/gw/devices/101?fields=id,name", "/gw/devices/1001,1002,1003,1004?fields=id",
		"/gw/devices/all?fields=id,cid&limit=1000&offset=90000", "/gw/devices/name=truck-*?fields=id", "/gw/groups/12/devices/all"} {
		b.Run(target, func(b *testing.B) {
			var ctx fasthttp.RequestCtx
			ctx.Request.Header.SetRequestURI(target)
			ctx.Request.Header.Set("Authorization", "FlespiToken sesame")
			ctx.Request.Header.Set("x-flespi-cid", "11")
			b.ReportAllocs()
			for b.Loop() {
				ctx.Response.Reset()
				s.handle(&ctx)
			}
			if ctx.Response.StatusCode() != 200 {
				b.Fatalf("got %d %s", ctx.Response.StatusCode(), ctx.Response.Body())
			}
		})
	}
}

// Ensure that the sender of an upload sees what arrived, part by part.
func TestUploadedParts(t *testing.T) {
	_, url := start(t, DemoWorld(), Options{})
	const body = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"t.bin\"\r\n\r\nabc"
	for end, want := range map[string]string{
		"\r\n--b--\r\n": `{"result":[{"field":"file","name":"t.bin","sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","size":3}]}`,
		"":              `{"result":[]}`,
	} {
		resp, err := http.Post(url+"/gw/devices/101/media", `multipart/form-data; boundary="b"`, strings.NewReader(body+end))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != want {
			t.Errorf("ending %q: got %s and %v, want %s", end, got, err, want)
		}
		resp.Body.Close()
	}
}
