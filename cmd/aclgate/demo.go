package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"aclgate/bench/backend"
	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/metrics/record"
)

// demoKey is the gateway's own credential at the demo's backend.
const demoKey = "demo-upstream-credential"

// demoPolicy holds the tokens of the vendor's published ACL tutorial.
const demoPolicy = `accounts:
  - {id: 1, name: operator}
  - {id: 11, name: ACME Fleet, parent: 1}
  - {id: 12, name: Harbour Depot, parent: 1}
tokens:
  - {id: 1, key: demo-master, info: demo-master, cid: 1, expire: 2099-01-01T00:00:00Z, access: {type: master}}
  - id: 2
    key: demo-channels
    info: demo-channels
    cid: 1
    expire: 2099-01-01T00:00:00Z
    access: {type: acl, acl: [{uri: gw/channels, methods: [GET, PUT], ids: [2025, 2026]}]}
  - id: 3
    key: demo-storage
    info: demo-storage
    cid: 1
    expire: 2099-01-01T00:00:00Z
    access: {type: acl, acl: [{uri: storage, methods: [GET]}]}
  - id: 4
    key: demo-containers
    info: demo-containers
    cid: 1
    expire: 2099-01-01T00:00:00Z
    access: {type: acl, acl: [{uri: storage/containers, methods: [GET, POST, PUT, DELETE]}]}
`

const demoSettings = `listen: {address: %q}
admin: {address: %q}
upstream: {urls: [%q], token_file: upstream.token}
store: {kind: file, path: policy.yaml}
log: {level: error}
`

// demoAddresses are what the flags of demo set.
type demoAddresses struct{ listen, backend, admin string }

func (e *env) demo() *cobra.Command {
	var at demoAddresses
	c := &cobra.Command{
		Use:   "demo",
		Short: "Play the whole main job here: a fake backend, the gateway, four tokens",
		Long: `Start a fake telematics backend, the gateway in front of it and the four tokens
of the vendor's ACL tutorial, all on this machine. Each request that you send
shows in one line what became of it. Ctrl-C ends it; nothing is left behind.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runDemo(cmd.Context(), at) },
	}
	c.Flags().StringVar(&at.listen, "listen", "127.0.0.1:8080", "address of the API")
	c.Flags().StringVar(&at.backend, "backend", "127.0.0.1:9000", "address of the fake backend")
	c.Flags().StringVar(&at.admin, "admin", "127.0.0.1:9090", "address of the admin listener")
	return c
}

func (e *env) runDemo(ctx context.Context, at demoAddresses) error {
	folder, err := os.MkdirTemp("", "aclgate-demo-")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(folder)
	fake := backend.New(backend.DemoWorld(), backend.Options{Key: demoKey})
	url, err := fake.Start(at.backend)
	if err != nil {
		return failed(elsewhere(app.ListenError("the backend's address", at.backend, err)))
	}
	defer fake.Close()
	s, err := writeDemo(folder, at, url)
	if err != nil {
		return failed(err)
	}
	shown, logs := app.NewLogWriter(e.stdout), app.NewLogWriter(e.stderr)
	defer shown.Close()
	defer logs.Close()
	screen := &demoScreen{w: shown, names: map[int64]string{1: "demo-master", 2: "demo-channels", 3: "demo-storage", 4: "demo-containers"}}
	hasten := make(chan os.Signal, 1)
	ctx, stop := untilSignal(ctx, hasten) // the folder has to be taken away
	defer stop()
	a, err := app.New(s, newLogger(s.Log, logs, terminal(e.stderr)), app.Options{
		Version: version(), Revision: revision(), Served: screen.show, Hasten: hasten, LogLost: logs.Lost,
		Ready: func(api, admin net.Addr) { screen.intro(api, admin, url) },
	})
	if err != nil {
		return failed(err)
	}
	defer a.Close()
	if err := a.Serve(ctx); err != nil {
		return failed(elsewhere(err))
	}
	return nil
}

// elsewhere adds what helps where an address is taken.
func elsewhere(err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: name others with --listen, --backend or --admin", err)
	}
	return err
}

// writeDemo writes the demo's files and reads them as serve would.
func writeDemo(folder string, at demoAddresses, url string) (*config.Settings, error) {
	file := filepath.Join(folder, "aclgate.yaml")
	for name, text := range map[string]string{
		"policy.yaml":    demoPolicy,
		"upstream.token": demoKey + "\n",
		"aclgate.yaml":   fmt.Sprintf(demoSettings, at.listen, at.admin, url),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	s, faults := config.Load(file)
	return s, faults.Err()
}

// demoScreen shows requests as they are answered.
type demoScreen struct {
	mu    sync.Mutex
	w     io.Writer
	names map[int64]string
}

func (d *demoScreen) intro(listen, admin net.Addr, backendURL string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	api := "http://" + listen.String()
	fmt.Fprintf(d.w, `aclgate demo
  API      %s
  backend  %s  (fake: channels 2024-2026, containers 5126-5128, abques 7756-7758)
           takes one key, the gateway's own: %s
  admin    http://%s/metrics

What the tokens may do:
  demo-master      everything
  demo-channels    GET and PUT of the channels 2025 and 2026
  demo-storage     GET of all that is stored: containers, abques
  demo-containers  GET, POST, PUT and DELETE of containers

Try, in another terminal:
  curl -s -H 'Authorization: FlespiToken demo-master'     '%s/gw/channels/all?fields=id'
  curl -s -H 'Authorization: FlespiToken demo-channels'   '%s/gw/channels/all?fields=id'
  curl -s -H 'Authorization: FlespiToken demo-channels'   '%s/gw/channels/2024?fields=id'
  curl -s -H 'Authorization: FlespiToken demo-storage'    '%s/gw/channels/all?fields=id'
  curl -s -H 'Authorization: FlespiToken demo-containers' '%s/storage/containers' -d '[{"name": "container 42"}]'

What becomes of each request (Ctrl-C ends the demo):
`, api, backendURL, demoKey, admin, api, api, api, api, api)
}

// show prints one request in one line: who asked for what, the verdict and why, and what the
// backend got.
func (d *demoScreen) show(r *record.Record, method, asked, sent []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	who := d.names[r.TokenID]
	if who == "" {
		who = "-"
	}
	outcome := r.Reason.String()
	switch {
	case len(sent) > 0 && r.Denied > 0:
		outcome = fmt.Sprintf("%d denied, backend gets %s", r.Denied, sent)
	case len(sent) > 0 && string(sent) != string(asked):
		outcome = "backend gets " + string(sent)
	case len(sent) > 0:
		outcome = "as asked"
	}
	fmt.Fprintf(d.w, "%-15s %-6s %-36s %-6s %d  %s\n", who, shown(method), shown(asked), r.Verdict, r.Status, outcome)
}

// shown returns what a client asked for, fit for a terminal: "?" for what was not read, because the
// head was broken before it.
func shown(asked []byte) string {
	const most = 80
	if len(asked) == 0 {
		return "?"
	}
	b := make([]byte, 0, most)
	for _, c := range asked[:min(len(asked), most)] {
		if c <= ' ' || c > '~' {
			c = '?'
		}
		b = append(b, c)
	}
	return string(b)
}
