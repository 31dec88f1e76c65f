package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "aclgate/"

// rule is one row of the table of packages: what a package may import of ours, and what it must
// never import, with the reason.
type rule struct {
	may    []string // of ours; "*": anything
	never  []string // imports of its own
	reach  []string // not even through others
	reason string
}

const (
	fasthttp = "github.com/valyala/fasthttp"
	yaml     = "go.yaml.in/yaml/v3"

	prometheus = "github.com/prometheus"
	driver     = "modernc.org/sqlite"
	pgx        = "github.com/jackc/pgx"
	goRedis    = "github.com/redis/go-redis"
)

// table says for every package what it may know.
var table = map[string]rule{
	"policy": {
		never:  []string{"net", "net/http", "os", "io", "io/fs", "time", "log", "log/slog", "encoding/json", yaml},
		reach:  []string{fasthttp},
		reason: "policy is pure: bytes in, verdict out; time and address are arguments",
	},
	"policy/topic": {
		may: []string{"policy"}, never: []string{"net", "net/http", "os", "io", "io/fs", "time", "log", "log/slog", "encoding/json", yaml},
		reach:  []string{fasthttp, module + "upstream", module + "proxy"},
		reason: "topics are judged by the engine of policy, and as purely: topic in, reason out",
	},
	"policy/routes": {
		may: []string{"policy", "config/strict"}, reach: []string{fasthttp},
		reason: "the catalogue is data; it knows nothing of connections",
	},
	"policy/realm": {
		may: []string{"policy", "policy/record"}, never: []string{"net", "net/http", "os", "io", "io/fs", "time", "log", "log/slog", "encoding/json", yaml},
		reach:  []string{fasthttp, module + "policy/store", module + "upstream", module + "proxy"},
		reason: "what realms and users are is pure: documents in, rights out; hashing, sessions and requests are others' concern",
	},
	"policy/store": {
		may: []string{"policy", "policy/routes", "policy/topic", "policy/realm", "policy/record", "config/strict"}, never: []string{"database/sql"}, reach: []string{fasthttp, driver, pgx},
		reason: "where tokens live must not hang on how they arrive",
	},
	"policy/store/sqlite": {
		may: []string{"policy/store"}, reach: []string{fasthttp, module + "upstream", module + "proxy"},
		reason: "an engine is rows and revisions; it is the only place that knows its database",
	},
	"policy/store/postgres": {
		may: []string{"policy/store"}, never: []string{driver}, reach: []string{fasthttp, module + "upstream", module + "proxy"},
		reason: "an engine is rows and revisions; it is the only place that knows its database",
	},
	"policy/store/postgres/pgtest": {
		reach:  []string{fasthttp, driver, pgx, module + "policy"},
		reason: "who starts servers for tests must not share the driver that is tested",
	},
	"policy/store/memory": {
		may: []string{"policy/store"}, never: []string{"os", "net"}, reach: []string{fasthttp, driver, pgx},
		reason: "the engine of tests needs nothing but memory",
	},
	"policy/store/enginetest": {
		may: []string{"policy/store"}, never: []string{"os", "net"}, reach: []string{fasthttp, driver, pgx},
		reason: "what every engine has to pass knows none of them",
	},
	"policy/cache": {
		may: []string{"policy", "policy/store"}, reach: []string{fasthttp},
		reason: "the cache is memory in front of a store, never truth, and no part of HTTP",
	},
	"policy/record": {
		may: []string{"policy"}, never: []string{"net", "net/http", "os", "io", "io/fs", "time", "log", "log/slog", "encoding/json", yaml},
		reach:  []string{fasthttp, module + "policy/store", module + "upstream", module + "proxy"},
		reason: "documents are read and printed from bytes to bytes, without an idea of who asks or where they are kept",
	},
	"policy/admin": {
		may: []string{"policy", "policy/realm", "policy/record"}, never: []string{"net", "net/http", "os", "io", "io/fs", "time", "log", "log/slog", "encoding/json", yaml},
		reach:  []string{fasthttp, module + "policy/store", module + "upstream", module + "proxy"},
		reason: "who may administer what is pure: a caller, a state of the world and a time in, a fault out",
	},
	"policy/explain": {
		may: []string{"policy", "policy/routes", "policy/topic"}, never: []string{"net", "net/http"},
		reason: "a decision as text is explained from values, without a connection",
	},
	"policy/cases": {
		may: []string{"policy", "policy/explain", "policy/topic"}, never: []string{"net", "net/http"}, reach: []string{fasthttp, yaml},
		reason: "policy tests are judged by the engine itself; reading their files is the command's",
	},
	"upstream": {
		may: []string{"policy", "config/tlsfiles", "upstream/share", "upstream/socket", "upstream/wake"}, reach: []string{module + "policy/store", module + "proxy"},
		reason: "the client of the backend sends what it is given; it knows neither tokens nor what is asked of the backend, nor why",
	},
	"upstream/listing": {
		may: []string{"policy", "upstream", "upstream/share"}, reach: []string{module + "policy/store", module + "proxy"},
		reason: "rows are read without an idea of what they are for",
	},
	"upstream/index": {
		may: []string{"policy", "upstream", "upstream/listing", "upstream/share", "upstream/wake"}, reach: []string{module + "policy/store", module + "proxy"},
		reason: "which account an item belongs to depends on neither credentials nor requests",
	},
	"upstream/probe": {
		may: []string{"policy", "upstream", "upstream/listing", "upstream/wake"}, reach: []string{module + "policy/store", module + "proxy"},
		reason: "the scope header is checked whether or not there is an index",
	},
	"upstream/upstreamtest": {
		may: []string{"bench/backend", "policy", "policy/routes", "upstream"}, reach: []string{module + "policy/store", module + "proxy"},
		reason: "it serves the tests of all who ask the backend, so it knows none of them",
	},
	"upstream/survey": {
		may: []string{"policy"}, reach: []string{module + "policy/store", module + "proxy", module + "config", fasthttp},
		reason: "a backend is looked at before there are settings, as any client of it would",
	},
	"deploy": {
		reason: "files to be written out; they need nothing",
	},
	"upstream/broker": {
		may: []string{"proxy/mqtt/wire", "config/tlsfiles"}, never: []string{module + "proxy", module + "proxy/mqtt"}, reach: []string{module + "policy", fasthttp},
		reason: "a connection to the broker carries packets; whose, and what they may say, is known before",
	},
	"upstream/share": {
		may: []string{"policy"}, never: []string{"net", "os", "time"}, reach: []string{fasthttp},
		reason: "who may hold how much is counted, whatever it is that is held; of policy it needs who is below whom",
	},
	"upstream/socket": {
		reach:  []string{fasthttp},
		reason: "system calls and deadlines know no protocol",
	},
	"upstream/wake": {
		reach:  []string{fasthttp},
		reason: "when a loop goes on does not depend on what it does",
	},
	"proxy/head": {
		may:    []string{"upstream/socket"},
		reach:  []string{fasthttp},
		reason: "heads are checked before fasthttp sees them, which lets most faults pass",
	},
	"proxy/body": {
		reach:  []string{fasthttp},
		reason: "bodies are read strictly by a reader of their own, from bytes alone",
	},
	"proxy/jsonscan": {
		reach:  []string{fasthttp},
		reason: "where an answer's members are is read from bytes alone, in one place",
	},
	"proxy/splice": {
		may: []string{"proxy/jsonscan"}, reach: []string{fasthttp},
		reason: "merging is from bytes to bytes",
	},
	"proxy/join": {
		may: []string{"proxy/jsonscan"}, reach: []string{fasthttp},
		reason: "answers are joined from bytes to bytes",
	},
	"proxy/limit": {
		may: []string{"policy"}, reach: []string{fasthttp},
		reason: "limits count; they know nothing of HTTP",
	},
	"proxy/login/jwt/jwttest": {
		reach:  []string{fasthttp, module + "policy", module + "proxy/login"},
		reason: "who signs tokens for tests must not share the reader that is tested",
	},
	"proxy/login/jwt": {
		may: []string{"policy/record"}, reach: []string{fasthttp, module + "upstream", module + "policy/store"},
		reason: "whether a token is an issuer's hangs on its bytes and the issuer's keys; who it is about, and what they may do, is others' concern",
	},
	"proxy/login": {
		may: []string{"policy", "policy/realm", "policy/record", "policy/store", "proxy/login/jwt"}, reach: []string{fasthttp, module + "upstream"},
		reason: "who a user is hangs on records alone; how a login arrives, and what is behind the gateway, is others' concern",
	},
	"proxy/quota": {
		may: []string{"policy"}, reach: []string{fasthttp},
		reason: "what accounts use is counted, whoever asks; what bounds them others read from the store",
	},
	"proxy/debt": {
		may: []string{"proxy/limit", "proxy/quota"}, reach: []string{fasthttp, goRedis, pgx, module + "policy/store"},
		reason: "what gateways tell each other does not depend on where they meet",
	},
	"proxy/debt/redis": {
		may: []string{"proxy/debt"}, reach: []string{fasthttp, pgx, module + "policy/store"},
		reason: "a place to meet is sums and a clock; it is the only package that knows Redis",
	},
	"proxy/debt/redis/redistest": {
		reach:  []string{fasthttp, goRedis, module + "policy", module + "proxy/debt"},
		reason: "who starts servers for tests must not share the driver that is tested",
	},
	"proxy": {
		may:    []string{"policy", "proxy/head", "proxy/body", "proxy/splice", "proxy/join", "proxy/limit", "proxy/login", "proxy/login/jwt", "proxy/platform", "proxy/quota", "upstream", "upstream/listing", "upstream/index", "upstream/share", "metrics", "metrics/record", "config"},
		never:  []string{yaml, "encoding/json"},
		reason: "the straight line parses neither settings nor JSON values on the hot path",
	},
	"proxy/mqtt": {
		may: []string{"policy", "policy/topic", "proxy/mqtt/wire", "upstream/broker", "metrics", "metrics/record"}, never: []string{yaml, "encoding/json"}, reach: []string{fasthttp},
		reason: "a session is packets, the law and a connection to the broker; settings and HTTP are others' concern",
	},
	"proxy/mqtt/wire": {
		never: []string{"net", "os", "time"}, reach: []string{module + "policy", fasthttp},
		reason: "packets are bytes in and bytes out; it has no idea of rights, and whoever sends packets uses it",
	},
	"proxy/mqtt/ws": {
		may: []string{"proxy/head"}, reach: []string{module + "policy", fasthttp},
		reason: "a door: who may come in, and what passes, is decided behind it",
	},
	"proxy/platform": {
		may:    []string{"policy", "policy/admin", "policy/realm", "policy/record", "policy/store"},
		never:  []string{"net", "net/http", "os", "encoding/json", yaml},
		reach:  []string{fasthttp, driver, pgx, module + "upstream", module + "proxy"},
		reason: "the administration API is calls in and answers out, over a small interface of the store; HTTP, settings and databases are others'",
	},
	"proxy/admin": {
		may: []string{"policy", "policy/explain", "policy/store", "proxy/login", "proxy/platform", "metrics", "metrics/record"}, reach: []string{module + "upstream"},
		reason: "nothing of the admin listener reaches the backend",
	},
	"metrics": {
		may:    []string{"policy", "metrics/record"},
		reason: "metrics count what records say of requests, by labels that the policy's types close",
	},
	"metrics/record": {
		may: []string{"policy"}, reach: []string{prometheus, fasthttp},
		reason: "a record is made of the policy's words and of nothing else; who reads an audit log needs no metrics",
	},
	"config": {
		may:    []string{"config/strict"},
		reason: "settings are values; whoever needs them reads them",
	},
	"config/tlsfiles": {
		reason: "certificates are read in one place, for the listener and for the backend",
	},
	"config/strict": {
		reason: "how a file is read does not depend on what it holds",
	},
	"bench/backend": {
		reach:  []string{module + "proxy", module + "policy"},
		reason: "it must not share the parser that it checks",
	},
	"bench/broker": {
		reach:  []string{module + "proxy", module + "policy"},
		reason: "it must not share the parser that it checks",
	},
	"bench": {may: []string{"*"}, reason: "the harness drives all of it"},
	"cmd/aclgate": {
		may: []string{
			"bench", "bench/backend", "bench/broker", "bench/competitors", "bench/report", "bench/storebench", "bench/stub", "bench/sys", "bench/workload", "cmd/internal/app", "config",
			"config/strict", "config/tlsfiles", "deploy", "metrics", "metrics/record", "policy", "policy/cases", "policy/explain", "policy/record", "policy/routes", "policy/store", "policy/topic",
			"upstream/probe", "upstream/survey",
		},
		reason: "commands turn flags into calls and results into text; they join no parts of a gateway",
	},
	"cmd/internal/app": {
		may: []string{"*"}, never: []string{"github.com/spf13/cobra", yaml}, reach: []string{module + "bench"},
		reason: "the only place that joins all packages; how it is called, by a command or a test, is not its concern",
	},
}

// rowOf finds the row of a package: its own, or below bench that of bench.
func rowOf(path string) (rule, bool) {
	row, found := table[path]
	if !found && strings.HasPrefix(path, "bench/") {
		row, found = table["bench"]
	}
	return row, found
}

type listed struct {
	ImportPath, Dir        string
	Imports, Deps, GoFiles []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	all, err := listPackages()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// listPackages asks the go command once for all tests.
var listPackages = sync.OnceValues(func() (all []listed, err error) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Imports,Deps,GoFiles", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list the packages: %w", err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("cannot read the list of packages: %w", err)
		}
		all = append(all, p)
	}
})

// TestImports: every package imports what the table lets it, and the table has a row for every
// package.
func TestImports(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		row, found := rowOf(path)
		if !found {
			t.Errorf("%s has no row in the table: say what it may import, and why", path)
			continue
		}
		for _, i := range p.Imports {
			ours, own := strings.CutPrefix(i, module)
			if own && !slices.Contains(row.may, ours) && !slices.Contains(row.may, "*") {
				t.Errorf("%s imports %s, which it may not: %s", path, ours, row.reason)
			}
			if slices.Contains(row.never, i) {
				t.Errorf("%s imports %s, which it must not: %s", path, i, row.reason)
			}
		}
		for _, banned := range row.reach {
			if slices.ContainsFunc(p.Deps, func(d string) bool { return d == banned || strings.HasPrefix(d, banned+"/") }) {
				t.Errorf("%s depends on %s, which it must not even through others: %s", path, banned, row.reason)
			}
		}
	}
}

// TestNoGlobalRegistry: collectors go into the registry that was passed in. One that is global is
// shared by whatever else lives in the process, and by tests.
func TestNoGlobalRegistry(t *testing.T) {
	t.Parallel()
	global := []string{"DefaultRegisterer", "DefaultGatherer", "MustRegister", "Register"}
	for _, p := range packages(t) {
		for _, i := range p.Imports {
			if strings.HasSuffix(i, "/prometheus/promauto") {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if x, isName := sel.X.(*ast.Ident); isName && x.Name == "prometheus" && slices.Contains(global, sel.Sel.Name) {
					t.Errorf("%s/%s uses prometheus.%s", p.ImportPath, name, sel.Sel.Name)
				}
				return true
			})
		}
	}
}
