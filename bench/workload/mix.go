package workload

import (
	"embed"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"aclgate/bench/stub"
	"aclgate/config/strict"
)

//go:embed mixes/*.yaml
var builtin embed.FS

// Mix is what a YAML file says about the traffic to play.
type Mix struct {
	Name  string
	About string

	Tokens int
	Pick   Pick
	Skew   float64 // of Zipf

	Devices int     // the median per token
	Spread  float64 // sigma of the log-normal distribution around it; 0: all tokens equal
	Most    int     // per token

	// Paths is how many access paths lead to the devices of a token: its account's own, and grants. 0:
	// the policy says nothing of whose devices are.
	Paths int

	MaxURL   int64 // upstream.max_url_bytes; 0: the default
	Cache    int64 // cache.max_bytes; 0: the default
	Requests []Ask
}

// Pick says how the next call's token is chosen.
type Pick string

// The ways to choose.
const (
	Uniform Pick = "uniform"
	Zipf    Pick = "zipf"
	Sweep   Pick = "sweep" // in turn, so that the longest unused one is next
	One     Pick = "one"
)

// Ask is one kind of call of a mix.
type Ask struct {
	Weight  int64
	What    What
	IDs     int64 // how many, of own, foreign and mixed; at most what the token has
	Method  string
	Path    string // {} is the selector, {calc} the token's calculator
	Body    string
	Unknown bool // made with a key that no token has
}

// What says which items a call names.
type What string

// The things to ask for.
const (
	Own     What = "own"
	All     What = "all"
	Foreign What = "foreign"
	Mixed   What = "mixed"
)

// Names returns the names of the built-in mixes.
func Names() []string {
	files, err := builtin.ReadDir("mixes")
	if err != nil {
		return nil
	}
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = strings.TrimSuffix(f.Name(), ".yaml")
	}
	return names
}

// Open returns the built-in mix of that name, or reads the file of that name if it has a dot in it.
// The error names every fault of the file.
func Open(name string) (*Mix, error) {
	if strings.Contains(name, ".") {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("cannot read mix: %w", err)
		}
		return Read(name, text)
	}
	text, err := builtin.ReadFile(path.Join("mixes", name+".yaml"))
	if err != nil {
		return nil, fmt.Errorf("no mix is called %q; there are %s, and files ending in .yaml", name, strings.Join(Names(), ", "))
	}
	return Read(name+".yaml", text)
}

const (
	mostTokens  = 1_000_000
	mostDevices = 100_000
	mostWeight  = 1000
	mostPaths   = 10
)

// Read reads a mix. name is the file's, for messages.
func Read(name string, text []byte) (*Mix, error) {
	mix := &Mix{Pick: Uniform, Skew: 1.1, Most: mostDevices}
	root, report := strict.Parse(name, text)
	m := root.Map("name", "about", "tokens", "devices", "max_url", "cache", "paths", "requests")
	strict.Into(&mix.Name, m.Need("name"), strict.Word)
	strict.Into(&mix.About, m.Get("about"), strict.Str)
	tokens := m.Need("tokens").Map("count", "pick", "skew")
	into(&mix.Tokens, tokens.Need("count"), mostTokens)
	strict.Into(&mix.Pick, tokens.Get("pick"), strict.Enum(Uniform, Zipf, Sweep, One))
	strict.Into(&mix.Skew, tokens.Get("skew"), above(1))
	devices := m.Need("devices").Map("median", "spread", "most")
	into(&mix.Devices, devices.Need("median"), mostDevices)
	strict.Into(&mix.Spread, devices.Get("spread"), above(0))
	into(&mix.Most, devices.Get("most"), mostDevices)
	strict.Into(&mix.MaxURL, m.Get("max_url"), strict.Bytes(1<<10, 1<<20))
	strict.Into(&mix.Cache, m.Get("cache"), strict.Bytes(1<<20, 1<<40))
	into(&mix.Paths, m.Get("paths"), mostPaths)
	if mix.Paths > 0 && (mix.Spread > 0 || mix.Tokens*mix.Devices > stub.Listed) {
		m.Get("paths").Fault("expected no spread, and at most %d devices in all: the backend lists no more", stub.Listed)
	}
	strict.Into(&mix.Requests, m.Need("requests"), strict.ListOf(readAsk))
	if requests := m.Get("requests"); requests.Kind() == strict.List && len(requests.List()) == 0 {
		requests.Fault("expected at least one request")
	}
	if err := report.Faults().Err(); err != nil {
		return nil, err
	}
	return mix, nil
}

func into(dst *int, n *strict.Node, most int64) {
	v := int64(*dst)
	strict.Into(&v, n, strict.Int(1, most))
	*dst = int(v)
}

// above returns the reader of a number that is more than lo, such as 1.1.
func above(lo float64) func(*strict.Node) (float64, bool) {
	return strict.Parsed("a number", func(s string) (float64, error) {
		var v float64
		if n, err := fmt.Sscanf(s, "%g", &v); n != 1 || err != nil || v <= lo || v > 10 {
			return 0, fmt.Errorf("it has to be more than %g and at most 10", lo)
		}
		return v, nil
	})
}

func readAsk(n *strict.Node) (Ask, bool) {
	a := Ask{IDs: 1, Method: "GET"}
	m := n.Map("weight", "ask", "ids", "method", "path", "body", "token")
	strict.Into(&a.Weight, m.Need("weight"), strict.Int(1, mostWeight))
	strict.Into(&a.What, m.Need("ask"), strict.Enum(Own, All, Foreign, Mixed))
	strict.Into(&a.IDs, m.Get("ids"), strict.Int(1, 1000))
	strict.Into(&a.Method, m.Get("method"), strict.Enum("GET", "POST", "PUT", "DELETE"))
	strict.Into(&a.Path, m.Need("path"), readPath)
	strict.Into(&a.Body, m.Get("body"), strict.Word)
	token := "known"
	strict.Into(&token, m.Get("token"), strict.Enum("known", "unknown"))
	a.Unknown = token == "unknown"
	return a, a.Path != "" && a.What != ""
}

// readPath reads a path with exactly one selector of devices, which is what the backend repeats.
func readPath(n *strict.Node) (string, bool) {
	text, ok := strict.Word(n)
	if ok && (strings.Count(text, "/devices/{}") != 1 || strings.Count(text, "{}") != 1 || !strings.HasPrefix(text, "/") ||
		slices.ContainsFunc([]byte(text), func(c byte) bool { return c <= ' ' || c >= 0x7f })) {
		n.Fault("expected a path with one /devices/{} in it")
		return "", false
	}
	return text, ok
}

// usesCalcs reports whether a path of the mix names a calculator.
func (m *Mix) usesCalcs() bool {
	return slices.ContainsFunc(m.Requests, func(a Ask) bool { return strings.Contains(a.Path, "{calc}") })
}

// Denies reports whether some call of the mix has to be denied, wholly or in part, so that a proxy
// which checks nothing plays another game.
func (m *Mix) Denies() bool {
	return slices.ContainsFunc(m.Requests, func(a Ask) bool {
		return a.What == Foreign || a.What == Mixed || a.Unknown || a.Method == "DELETE"
	})
}
