package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"aclgate/bench/backend"
	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/policy/routes"
	"aclgate/policy/store"
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
admin: {address: %q, token_file: admin.token}
upstream: {urls: [%q], token_file: upstream.token}
store: {kind: %s, path: %s}
log: {level: error}
mqtt: {address: %q, upstream: {url: "mqtt://%s", token_file: upstream.token}, dialect: flespi, namespace: cid}
`

// demoFlags are what the flags of demo set.
type demoFlags struct{ listen, backend, admin, mqtt, store string }

// demoStores are the kinds of store that the demo has, and their paths.
var demoStores = map[string]string{demoFile: "policy.yaml", "sqlite": "aclgate.db"}

const demoFile = string(config.StoreFile)

func (e *env) demo() *cobra.Command {
	var at demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Play the whole main job here: a fake backend and broker, the gateway, four tokens",
		Long: `Start a fake telematics backend with its MQTT broker, the gateway in front of
them and the four tokens of the vendor's ACL tutorial, all on this machine. Each
request that you send, and each step of an MQTT session, shows in one line what
became of it. Ctrl-C ends it; nothing is left behind.

With --store sqlite the tokens are in a database, and the demo prints commands
that revoke and make tokens while it runs.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if demoStores[at.store] == "" {
				return errors.New("--store: expected file or sqlite")
			}
			for flag, text := range map[string]string{"listen": at.listen, "backend": at.backend, "mqtt": at.mqtt, "admin": at.admin} {
				if err := addressFlag(flag, text); err != nil {
					return err
				}
			}
			return e.runDemo(cmd.Context(), at)
		},
	}
	c.Flags().StringVar(&at.listen, "listen", "127.0.0.1:8080", "address of the API")
	c.Flags().StringVar(&at.backend, "backend", "127.0.0.1:9000", "address of the fake backend")
	c.Flags().StringVar(&at.mqtt, "mqtt", "127.0.0.1:1885", "address for MQTT: many a machine has a broker at 1883")
	c.Flags().StringVar(&at.admin, "admin", "127.0.0.1:9090", "address of the admin listener")
	c.Flags().StringVar(&at.store, "store", demoFile, "where the tokens are: file, or sqlite for a database")
	return c
}

func (e *env) runDemo(ctx context.Context, at demoFlags) error {
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
	messages, err := demoBroker()
	if err != nil {
		return failed(err)
	}
	defer messages.Close()
	s, err := writeDemo(ctx, folder, at, url, messages.Addr())
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
		Version: version(), Revision: revision(), Served: screen.show, ServedMQTT: screen.showTopic, Hasten: hasten, LogLost: logs.Lost,
		Ready: func(api, admin net.Addr) { screen.intro(api, admin, demoIntro{url, at.mqtt, at.store, s.Name()}) },
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
		return fmt.Errorf("%w: name others with --listen, --backend, --mqtt or --admin", err)
	}
	return err
}

// writeDemo writes the demo's files and reads them as serve would.
func writeDemo(ctx context.Context, folder string, at demoFlags, url, broker string) (*config.Settings, error) {
	file := filepath.Join(folder, "aclgate.yaml")
	operator, _ := store.NewKey()
	for name, text := range map[string]string{
		"policy.yaml":    demoPolicy,
		"upstream.token": demoKey + "\n",
		"admin.token":    operator + "\n",
		"aclgate.yaml":   fmt.Sprintf(demoSettings, at.listen, at.admin, url, at.store, demoStores[at.store], at.mqtt, broker),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	s, faults := config.Load(file)
	if err := faults.Err(); err != nil || at.store == demoFile {
		return s, err
	}
	return s, fillDemo(ctx, s)
}

// fillDemo makes the demo's database of its policy.
func fillDemo(ctx context.Context, s *config.Settings) error {
	db, err := app.NewDatabase(ctx, s.Store.Path.Path)
	if err != nil {
		return err
	}
	cat, err := routes.Default()
	if err != nil {
		return errors.Join(err, db.Close())
	}
	t, faults := store.ReadTransfer("policy.yaml", []byte(demoPolicy), cat, s.Policy.MaxDepth)
	if err := faults.Err(); err != nil {
		return errors.Join(err, db.Close())
	}
	_, err = store.Write(ctx, app.LiveOptions(s, db), "demo", func(tx *store.Tx) error {
		_, err := t.Import(tx, true, nil)
		return err
	})
	return errors.Join(err, db.Close())
}
