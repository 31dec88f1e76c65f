package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// clients says which programs of bench/clients are tried beside Go's own: those that can run, or
// all of them, so that a missing one fails.
var clients = flag.String("clients", "", "also play real clients of other languages: installed, or all")

// clientCase is one request of bench/clients/requests.jsonl, and how a gateway may differ.
type clientCase struct {
	ID, Method, Target, Send, Body string
	Params                         [][2]string
	Pad                            int
	Differs                        []difference
}

// difference is an outcome that is not the backend's, for the reason that docs/compatibility.md
// gives in the row that begins with Row.
type difference struct {
	Clients []string // that see it; none: any
	Direct  int      // status without the gateway
	Gate    int      // and with it
	Row     string
}

// outcome is what a client makes of an answer; a status of 0 says that it has none.
type outcome struct {
	status int
	body   string
}

func (o outcome) String() string {
	return fmt.Sprintf("%d %s", o.status, strings.ToValidUTF8(o.body[:min(len(o.body), 200)], "?"))
}

// sameAs reports whether a program cannot tell o from p: the same answer, no answer, or an error
// of the same status in flespi's format, whatever its words.
func (o outcome) sameAs(p outcome) bool {
	if o == p || o.status == 0 && p.status == 0 {
		return true
	}
	return o.status == p.status && o.status >= 400 && isError(o.body) && isError(p.body)
}

func isError(body string) bool {
	var v struct {
		Errors []struct{ Reason string } `json:"errors"`
	}
	return json.Unmarshal([]byte(body), &v) == nil && len(v.Errors) > 0 && v.Errors[0].Reason != ""
}

// player sends all cases to base with the key.
type player func(ctx context.Context, base, key string, cases []clientCase) (map[string]outcome, error)

func readClientCases(t *testing.T) []clientCase {
	t.Helper()
	text, err := os.ReadFile("../../bench/clients/requests.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var cases []clientCase
	for line := range strings.Lines(string(text)) {
		c := clientCase{Send: "none"}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		c.Body += strings.Repeat(" ", c.Pad)
		cases = append(cases, c)
	}
	return cases
}

// playGo is Go's way: net/http, with readers of unknown length where a body is streamed.
func playGo(ctx context.Context, base, key string, cases []clientCase) (map[string]outcome, error) {
	got := map[string]outcome{}
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, c := range cases {
		o, err := sendGo(ctx, client, base, key, &c)
		if err != nil {
			o = outcome{body: err.Error()}
		}
		got[c.ID] = o
	}
	return got, nil
}

func sendGo(ctx context.Context, client *http.Client, base, key string, c *clientCase) (outcome, error) {
	target := base + c.Target
	if len(c.Params) > 0 {
		values := url.Values{}
		for _, p := range c.Params {
			values.Add(p[0], p[1])
		}
		target += "?" + values.Encode()
	}
	body, kind := goBody(c)
	req, err := http.NewRequestWithContext(ctx, c.Method, target, body)
	if err != nil {
		return outcome{}, err
	}
	req.Header.Set("Authorization", "FlespiToken "+key)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if c.Method == http.MethodOptions {
		req.Header.Set("Origin", "https://app.test")
		req.Header.Set("Access-Control-Request-Method", "PUT")
	}
	resp, err := client.Do(req)
	if err != nil {
		return outcome{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return outcome{resp.StatusCode, string(text)}, err
}

// goBody returns the body of a case and its Content-Type, if it needs one.
func goBody(c *clientCase) (io.Reader, string) {
	switch c.Send {
	case "whole":
		return strings.NewReader(c.Body), ""
	case "stream":
		return io.MultiReader(strings.NewReader(c.Body)), ""
	case "multipart":
		r, w := io.Pipe()
		form := multipart.NewWriter(w)
		go func() {
			part, err := form.CreateFormFile("file", "track.bin")
			if err == nil {
				_, err = io.WriteString(part, c.Body)
			}
			_ = w.CloseWithError(errors.Join(err, form.Close()))
		}()
		return r, form.FormDataContentType()
	}
	return nil, ""
}

// playCurl is curl's way: one process a request.
func playCurl(ctx context.Context, base, key string, cases []clientCase) (map[string]outcome, error) {
	if _, err := exec.LookPath("curl"); err != nil {
		return nil, err
	}
	got := map[string]outcome{}
	for _, c := range cases {
		args := []string{"-sS", "-g", "-m", "20", "-w", "%{stderr}%{http_code}", "-H", "Authorization: FlespiToken " + key}
		switch c.Method {
		case http.MethodHead:
			args = append(args, "-I", "-o", os.DevNull)
		case http.MethodOptions:
			args = append(args, "-X", c.Method, "-H", "Origin: https://app.test", "-H", "Access-Control-Request-Method: PUT")
		default:
			args = append(args, "-X", c.Method)
		}
		switch c.Send {
		case "whole":
			args = append(args, "--data-binary", "@-")
		case "stream":
			args = append(args, "-H", "Transfer-Encoding: chunked", "--data-binary", "@-")
		case "multipart":
			args = append(args, "-F", "file=@-;filename=track.bin")
		}
		if len(c.Params) > 0 {
			args = append(args, "-G")
		}
		for _, p := range c.Params {
			args = append(args, "--data-urlencode", p[0]+"="+p[1])
		}
		cmd := exec.CommandContext(ctx, "curl", append(args, base+c.Target)...)
		var out, errs bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.Body), &out, &errs
		if err := cmd.Run(); err != nil {
			got[c.ID] = outcome{body: errs.String()}
			continue
		}
		status, err := strconv.Atoi(errs.String())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.ID, err)
		}
		got[c.ID] = outcome{status, out.String()}
	}
	return got, nil
}

// playProgram has a program of bench/clients send the cases: a line each on its standard input,
// and a line each for the outcomes on its standard output.
func playProgram(command ...string) player {
	return func(ctx context.Context, base, key string, cases []clientCase) (map[string]outcome, error) {
		ctx, stop := context.WithTimeout(ctx, 3*time.Minute)
		defer stop()
		var in, errs bytes.Buffer
		code := base64.StdEncoding.EncodeToString
		for _, c := range cases {
			var params []string
			for _, p := range c.Params {
				params = append(params, p[0], p[1])
			}
			fmt.Fprintf(&in, "%s\t%s\t%s\t%s\t%s\t%s\n", c.ID, c.Method, c.Send, code([]byte(c.Target)),
				code([]byte(strings.Join(params, "\x00"))), code([]byte(c.Body)))
		}
		cmd := exec.CommandContext(ctx, command[0], append(command[1:], base, key)...)
		cmd.Dir, cmd.Stdin, cmd.Stderr = "../../bench/clients", &in, &errs
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(errs.String()))
		}
		return readOutcomes(out)
	}
}

func readOutcomes(out []byte) (map[string]outcome, error) {
	got := map[string]outcome{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		if len(f) != 3 {
			return nil, fmt.Errorf("%q is no outcome", lines.Text())
		}
		status, err := strconv.Atoi(f[1])
		if err != nil {
			return nil, err
		}
		body, err := base64.StdEncoding.DecodeString(f[2])
		if err != nil {
			return nil, err
		}
		got[f[0]] = outcome{status, string(body)}
	}
	return got, lines.Err()
}

// clientPlayers are the clients by name.
var clientPlayers = []struct {
	name string
	play player
}{
	{"go net/http", playGo},
	{"curl", playCurl},
	{"node http", playProgram("node", "client.js", "http")},
	{"node http, raw path", playProgram("node", "client.js", "http-path")},
	{"node fetch", playProgram("node", "client.js", "fetch")},
	{"node undici", playProgram("node", "client.js", "undici")},
	{"node axios", playProgram("node", "client.js", "axios")},
	{"python requests", playProgram("python3", "client.py", "requests")},
	{"python httpx", playProgram("python3", "client.py", "httpx")},
	{"python aiohttp", playProgram("python3", "client.py", "aiohttp")},
	{"python urllib", playProgram("python3", "client.py", "urllib")},
	{"java HttpClient", playProgram("java", "Client.java", "HttpClient")},
	{"java HttpURLConnection", playProgram("java", "Client.java", "HttpURLConnection")},
	{"ruby net/http", playProgram("ruby", "client.rb", "net/http")},
	{"php curl", playProgram("php", "client.php", "curl")},
	{"php streams", playProgram("php", "client.php", "streams")},
	{"perl HTTP::Tiny", playProgram("perl", "client.pl", "HTTP::Tiny")},
	{"perl LWP", playProgram("perl", "client.pl", "LWP")},
}

// Ensure that a client sees at the gateway what it sees at the backend: each sends the same list
// once directly to the fake backend of the demo and once through its gateway, and the outcomes are
// equal, or docs/compatibility.md says why not.
func TestClients(t *testing.T) {
	t.Parallel()
	cases := readClientCases(t)
	rows := compatibilityRows(t)
	seen := map[string]bool{}
	for _, c := range clientPlayers {
		t.Run(c.name, func(t *testing.T) {
			if c.name != "go net/http" {
				tryClient(t, c.play)
			}
			direct, through := playBoth(t, c.play, cases)
			unanswered := 0
			for i := range cases {
				d, g := direct[cases[i].ID], through[cases[i].ID]
				compare(t, c.name, &cases[i], d, g, seen, rows)
				if d.status == 0 {
					unanswered++
					t.Logf("%s: no answer: %v", cases[i].ID, d)
				}
			}
			if unanswered > len(cases)/4 {
				t.Errorf("%d of %d requests have no answer: the client shows too little", unanswered, len(cases))
			}
		})
	}
	if *clients == "all" {
		for _, c := range cases {
			for _, d := range c.Differs {
				if !seen[d.Row] {
					t.Errorf("%s: no client sees the difference of the row %q", c.ID, d.Row)
				}
			}
		}
	}
}

// tryClient skips what was not asked for or cannot run: a client without cases still loads its
// library.
func tryClient(t *testing.T, play player) {
	t.Helper()
	if *clients == "" {
		t.Skip("not asked for")
	}
	switch _, err := play(t.Context(), "http://127.0.0.1:1", "k", nil); {
	case err != nil && *clients == "installed":
		t.Skipf("not installed: %v", err)
	case err != nil:
		t.Fatal(err)
	}
}

// playBoth lets a client play its cases on two demos that are alike: at the backend of the one and
// at the gateway of the other.
func playBoth(t *testing.T, play player, cases []clientCase) (direct, through map[string]outcome) {
	t.Helper()
	var got [2]map[string]outcome
	for i, key := range []string{demoKey, "demo-master"} {
		listen, backend, admin := freeAddr(t), freeAddr(t), freeAddr(t)
		p := start(t, "demo", "--listen", listen, "--backend", backend, "--admin", admin)
		p.await("http://"+admin+"/readyz", 200)
		var err error
		if got[i], err = play(t.Context(), "http://"+[]string{backend, listen}[i], key, cases); err != nil {
			t.Fatal(err)
		}
		p.end()
	}
	return got[0], got[1]
}

// compare judges one case.
func compare(t *testing.T, client string, c *clientCase, direct, through outcome, seen map[string]bool, rows string) {
	t.Helper()
	if direct.sameAs(through) {
		return
	}
	for _, d := range c.Differs {
		if d.Direct == direct.status && d.Gate == through.status && (d.Clients == nil || slices.Contains(d.Clients, client)) {
			if !strings.Contains(rows, "\n| "+d.Row) {
				t.Errorf("%s: docs/compatibility.md has no row %q", c.ID, d.Row)
			}
			seen[d.Row] = true
			return
		}
	}
	t.Errorf("%s: %s %s, sent as %s\n directly: %v\n gateway:  %v", c.ID, c.Method, c.Target, c.Send, direct, through)
}

func compatibilityRows(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
