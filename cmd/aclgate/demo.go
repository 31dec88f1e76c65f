package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"aclgate/bench/backend"
	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// demoKey is the gateway's own credential at the demo's backend.
const demoKey = "demo-upstream-credential"

// demoNames are the keys of the demo's tokens, by their ids. On the screen they are names.
var demoNames = map[int64]string{1: "demo-master", 2: "demo-channels", 3: "demo-storage", 4: "demo-containers"}

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
store: {%s}
log: {level: error}
`

// demoReveal has the database keep keys, sealed: the tutorial lists them.
const demoReveal = "platform: {keys: reveal, keys_file: seal.key}\n"

const demoMQTT = `mqtt: {address: %q, upstream: {url: "mqtt://%s", token_file: upstream.token}, dialect: flespi, namespace: cid}
`

// demoFlags are what the flags of demo set.
type demoFlags struct {
	listen, backend, admin, mqtt, store string

	postgres string // DSN of an empty database; "": there is none
	replicas int    // gateways
	tour     bool   // play steps of administration
}

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

The tokens are in a database, and the demo prints commands that list, revoke and
make tokens while it runs. With --store file they are in a policy file.

With --tour it first plays a day of administration, and shows each request with its
answer: the tokens are listed, an account is made with a limit, and a token in it;
the token is used, meets the limit, and is revoked.

With --postgres URL several gateways obey one PostgreSQL database, at addresses
one port apart: what is revoked at one is refused by all. The database has to be
without a store; its login is a superuser, or in the three roles that
"aclgate store roles" makes. The store is taken away at the end, the roles stay.

  aclgate demo --replicas 3 --postgres 'postgres://postgres@127.0.0.1/demo?sslmode=disable'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case demoStores[at.store] == "":
				return errors.New("--store: expected file or sqlite")
			case at.postgres == "" && at.replicas != 1:
				return errors.New("--replicas: several gateways need --postgres, a database that they share")
			case at.postgres != "" && cmd.Flags().Changed("store"):
				return errors.New("--postgres and --store: expected one of them")
			case at.tour && (at.postgres != "" || at.store == demoFile):
				return errors.New("--tour: it needs the database of the demo itself, without --store file and --postgres")
			case at.replicas < 1 || at.replicas > 10:
				return errors.New("--replicas: expected 1 to 10")
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
	c.Flags().BoolVar(&at.tour, "tour", false, "first play steps of administration, live")
	c.Flags().IntVar(&at.replicas, "replicas", 1, "how many gateways, with --postgres")
	c.Flags().StringVar(&at.postgres, "postgres", "", "DSN of an empty PostgreSQL database for the tokens")
	c.Flags().StringVar(&at.store, "store", string(config.StoreSQLite), "where the tokens are: sqlite for a database, or file")
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
	if at.mqtt, err = withPort(at.mqtt); err != nil {
		return failed(elsewhere(app.ListenError("the address for MQTT", at.mqtt, err)))
	}
	all, err := writeDemo(ctx, folder, at, url, messages.Addr())
	if at.postgres != "" && len(all) > 0 {
		defer func() { e.dropStore(all[0]) }()
	}
	if err != nil {
		return failed(err)
	}
	return e.serveDemo(ctx, all, demoIntro{url, at.mqtt, at.kind(), all[0].Name(), at.tour})
}

// serveDemo serves with gateways until the context or the first of them ends.
func (e *env) serveDemo(ctx context.Context, all []*config.Settings, about demoIntro) error {
	shown, logs := app.NewLogWriter(e.stdout), app.NewLogWriter(e.stderr)
	defer shown.Close()
	defer logs.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	hasten := make(chan os.Signal, 1)
	ctx, stop := untilSignal(ctx, hasten) // the folder has to be taken away
	defer stop()
	stage := &demoStage{w: shown, about: about, apis: make([]net.Addr, len(all)), served: make(chan struct{})}
	var group sync.WaitGroup
	ended := make([]error, len(all)+1)
	for i, s := range all {
		screen := stage.screen(i)
		a, err := app.New(s, newLogger(s.Log, logs, terminal(e.stderr)), app.Options{
			Version: version(), Revision: revision(), Served: screen.show, ServedMQTT: screen.showTopic, Hasten: hasten, LogLost: logs.Lost,
			Ready: func(api, admin net.Addr) { stage.ready(i, api, admin) },
		})
		if err != nil {
			cancel()
			group.Wait()
			return failed(err)
		}
		group.Go(func() {
			defer a.Close()
			ended[i] = a.Serve(ctx)
			cancel()
		})
	}
	if about.tour {
		group.Go(func() {
			if ended[len(all)] = stage.tour(ctx); ended[len(all)] != nil {
				cancel()
			}
		})
	}
	group.Wait()
	return failed(elsewhere(errors.Join(ended...)))
}

// elsewhere adds what helps where an address is taken.
func elsewhere(err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: name others with --listen, --backend, --mqtt or --admin", err)
	}
	return err
}

// withPort returns an address with a free port in place of 0, for the lines that say what to try.
func withPort(address string) (string, error) {
	if _, port, _ := net.SplitHostPort(address); port != "0" {
		return address, nil
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return address, err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// kind is the kind of store that the flags name.
func (at *demoFlags) kind() string {
	if at.postgres != "" {
		return string(config.StorePostgres)
	}
	return at.store
}

// settings returns those of the gateway of that number.
func (at *demoFlags) settings(i int, url, broker string) string {
	from := "kind: " + at.store + ", path: " + demoStores[at.store]
	if at.postgres != "" {
		from = fmt.Sprintf("kind: postgres, url_file: postgres.dsn, admin_url_file: postgres.dsn, replica: gateway-%d", i+1)
	}
	text := fmt.Sprintf(demoSettings, nth(at.listen, i), nth(at.admin, i), url, from)
	if at.kind() != demoFile {
		text += demoReveal
	}
	if at.tour {
		text += demoTourSettings
	}
	if i == 0 {
		text += fmt.Sprintf(demoMQTT, at.mqtt, broker)
	}
	return text
}

// nth returns an address so many ports further on.
func nth(address string, n int) string {
	host, text, err := net.SplitHostPort(address)
	port, err2 := strconv.Atoi(text)
	if err != nil || err2 != nil || port == 0 {
		return address
	}
	return net.JoinHostPort(host, strconv.Itoa(port+n))
}

// writeDemo writes the demo's files and reads them as serve would: the settings of each gateway.
func writeDemo(ctx context.Context, folder string, at demoFlags, url, broker string) (all []*config.Settings, err error) {
	operator, _ := store.NewKey()
	var seal [32]byte
	rand.Read(seal[:])
	files := map[string]string{
		"policy.yaml": demoPolicy, "upstream.token": demoKey + "\n", "admin.token": operator + "\n", "postgres.dsn": at.postgres + "\n",
		"seal.key": string(seal[:]),
	}
	var names []string
	for i := range at.replicas {
		name := "aclgate.yaml"
		if i > 0 {
			name = fmt.Sprintf("gateway-%d.yaml", i+1)
		}
		names = append(names, name)
		files[name] = at.settings(i, url, broker)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	for i, name := range names {
		s, faults := config.Load(filepath.Join(folder, name))
		if err := faults.Err(); err != nil {
			return nil, err
		}
		if i == 0 && at.kind() == string(config.StorePostgres) {
			if err := app.NewStore(ctx, s); err != nil {
				return nil, err
			}
		}
		all = append(all, s)
	}
	if at.kind() == demoFile {
		return all, nil
	}
	return all, fillDemo(ctx, all[0])
}

// dropStore takes a store away that was made for a while.
func (e *env) dropStore(s *config.Settings) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := app.DropStore(ctx, s); err != nil {
		fmt.Fprintln(e.stderr, "the store is left behind:", err)
	}
}

// fillDemo makes the demo's database of its policy.
func fillDemo(ctx context.Context, s *config.Settings) error {
	if s.Store.Kind == config.StoreSQLite {
		if _, err := app.Migrate(ctx, s, ""); err != nil {
			return err
		}
	}
	return importInto(ctx, s, "policy.yaml", []byte(demoPolicy), func(tx *store.Tx) error { return sealDemo(s, tx) })
}

// sealDemo keeps the keys of the demo's tokens, so that they are listed as in the tutorial.
func sealDemo(s *config.Settings, tx *store.Tx) error {
	ring, err := app.OpenRing(s)
	if err != nil {
		return err
	}
	for id, key := range demoNames {
		row, err := tx.Get(store.Tokens, id)
		if err != nil {
			return err
		}
		doc, err := record.Parse(row.Doc)
		if err != nil {
			return err
		}
		if err := tx.Seal(id, ring.Seal(doc, key)); err != nil {
			return err
		}
	}
	return nil
}
