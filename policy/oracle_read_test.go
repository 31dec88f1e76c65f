package policy_test

import (
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// The oracle is a second opinion: SPEC 2 to 4 once more, by strings.Split, maps and loops, sharing
// no code with the engine, not even the catalogue's reader. This file reads a request;
// oracle_test.go judges it.

type yamlCatalogue struct {
	Collections []*yamlCollection
}

type yamlCollection struct {
	URI    string
	ID     string
	Scoped bool
	Open   bool
	Routes []struct {
		Path    string
		Methods []string
		Links   []string
		Closed  string
		Slash   bool
		Public  bool
		PerItem bool `yaml:"per_item"`
		Query   []string
	}
}

// route is one line of the catalogue with its full path.
type route struct {
	of       *yamlCollection
	pattern  []string // segments; {} is a selector
	methods  []string
	places   []string // for each {}: the collection whose ids it holds, "" for local
	own      bool     // the first {} names the collection's own items
	creates  bool     // it is the collection's own path
	sub      string   // the submodule, "" for none
	linkLast bool     // the last segment names items of another collection
	closed   string
	slash    bool
	public   bool
	perItem  bool // the answer has one element per item
	query    []string
}

var oracleRoutes = sync.OnceValue(func() []*route {
	text, err := os.ReadFile("routes/flespi-routes.yaml")
	if err != nil {
		panic(err)
	}
	var c yamlCatalogue
	if err := yaml.Unmarshal(text, &c); err != nil {
		panic(err)
	}
	var all []*route
	for _, col := range c.Collections {
		for _, y := range col.Routes {
			path := col.URI + strings.TrimSuffix(y.Path, "/")
			r := &route{of: col, pattern: strings.Split(path, "/"), methods: y.Methods, closed: y.Closed, slash: y.Slash, public: y.Public, perItem: y.PerItem, query: y.Query}
			r.creates = y.Path == "/" && col.ID != "none"
			r.own = strings.HasPrefix(y.Path, "/{}") && col.ID != "none"
			if r.own {
				r.places = []string{col.URI}
				r.sub = strings.Trim(strings.Split(y.Path+"//", "/")[2], "/")
			}
			for _, l := range y.Links {
				r.places = append(r.places, strings.TrimPrefix(l, "local"))
			}
			last := len(r.places) - 1
			r.linkLast = strings.HasSuffix(y.Path, "{}") && last >= 1 && r.places[last] != ""
			all = append(all, r)
		}
	}
	return all
})

func collectionOf(uri string) *yamlCollection {
	for _, r := range oracleRoutes() {
		if r.of.URI == uri {
			return r.of
		}
	}
	return nil
}

func isInt(uri string) bool {
	c := collectionOf(uri)
	return c != nil && c.ID == "int"
}

// routesAt returns the routes with the shape of the segments. Two shapes can fit
// (…/intervals/calculate and …/intervals/{}): a literal wins.
func routesAt(segments []string) []*route {
	var fitting []*route
	best := ""
	for _, r := range oracleRoutes() {
		if len(r.pattern) != len(segments) {
			continue
		}
		fits, shape := true, ""
		for i, p := range r.pattern {
			if p == "{}" {
				shape += "s"
			} else {
				shape += "l"
			}
			fits = fits && (p == "{}" || p == segments[i])
		}
		switch {
		case !fits || shape > best && best != "":
		case shape == best:
			fitting = append(fitting, r)
		default:
			best, fitting = shape, []*route{r}
		}
	}
	return fitting
}

// reading is the request as the oracle understands it.
type reading struct {
	segments []string
	shape    *route // nil: unknown
	route    *route // nil: unknown, or known with another method
	sels     []selection
	query    [][2]string // without cid
	cid      int64
	faults   []string // bad-target, bad-selector, bad-query: every one that applies
}

type selection struct {
	kind       string // all, ids, fields, expression, conditions, local
	collection string
	ids        []int64
	text       string // of conditions what follows the ids
	at         int    // which segment
}

func (r *reading) fault(word string) { r.faults = append(r.faults, word) }

func read(w *world, method, target string) *reading {
	r := &reading{}
	path, query, _ := strings.Cut(target, "?")
	rawPath := regexp.MustCompile("^[!-~]*$").MatchString(path) && !strings.ContainsAny(path, `#\`)
	rawQuery := utf8.ValidString(query) && !strings.ContainsFunc(query, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '#' })
	if !rawPath || !rawQuery {
		r.fault("bad-target")
		r.fault("bad-query")
	}
	if !strings.HasPrefix(path, "/") {
		r.fault("bad-target")
		return r
	}
	if method == "GET" && len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	for _, raw := range strings.Split(path[1:], "/") {
		text, err := url.PathUnescape(raw)
		if err != nil || !plainText(text) || text == "" || text == "." || text == ".." || strings.ContainsAny(text, `\;%`) {
			r.fault("bad-target")
		}
		r.segments = append(r.segments, text)
	}
	for _, at := range routesAt(r.segments) {
		r.shape = at
		if slices.Contains(at.methods, method) {
			r.route = at
		}
	}
	r.readSelectors()
	r.readQuery(w, method, query)
	return r
}

func plainText(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(s)
}

func (r *reading) readSelectors() {
	next := 0
	for i, text := range r.segments {
		if r.shape == nil || r.shape.pattern[i] != "{}" {
			if strings.ContainsAny(text, "/#?") {
				r.fault("bad-target")
			}
			continue
		}
		s := readSelection(r.shape.places[next], text, r.shape.slash)
		s.at = i
		if s.kind == "" {
			r.fault("bad-selector")
			r.fault("bad-target")
		}
		r.sels = append(r.sels, s)
		next++
	}
}

var (
	idList    = regexp.MustCompile(`^[1-9][0-9]*(,[1-9][0-9]*)*$`)
	fieldTest = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*(==|=)[^=]+$`)
)

// readSelection reads one decoded selector; kind "" is a fault.
func readSelection(collection, text string, slash bool) selection {
	s := selection{collection: collection, text: text}
	if !isInt(collection) {
		if !strings.Contains(text, "?") && (!strings.ContainsAny(text, "/#") || slash && goodParts(text)) {
			s.kind = "local"
		}
		return s
	}
	switch {
	case strings.ContainsAny(text, "/#"):
	case text == "all":
		s.kind = "all"
	case idList.MatchString(text):
		if ids, ok := distinct(text); ok {
			s.kind, s.ids = "ids", ids
		}
	case strings.HasPrefix(text, "{"):
		if goodExpression(text) {
			s.kind = "expression"
		}
	case goodFields(text):
		s.kind = "fields"
	case strings.HasPrefix(text, "all,") && goodFields(text[4:]):
		s.kind, s.text = "fields", text[4:]
	default:
		s.readConditions(text)
	}
	return s
}

var listed = regexp.MustCompile(`^([1-9][0-9]*(?:,[1-9][0-9]*)*),([A-Za-z_].*)$`)

// readConditions reads an id list with conditions behind it.
func (s *selection) readConditions(text string) {
	parts := listed.FindStringSubmatch(text)
	if parts == nil || !goodFields(parts[2]) {
		return
	}
	if ids, ok := distinct(parts[1]); ok {
		s.kind, s.ids, s.text = "conditions", ids, parts[2]
	}
}

// printed is the selector as it is forwarded where nothing narrows it.
func (s selection) printed() string {
	switch s.kind {
	case "ids":
		return joinIDs(s.ids)
	case "conditions":
		return joinIDs(s.ids) + "," + s.text
	}
	return s.text
}

func goodParts(text string) bool {
	for _, part := range strings.Split(text, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

func distinct(text string) ([]int64, bool) {
	var ids []int64
	for _, word := range strings.Split(text, ",") {
		id, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, false
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, true
}

func goodFields(text string) bool {
	for _, test := range strings.Split(text, ",") {
		_, value, _ := strings.Cut(test, "=")
		if !fieldTest.MatchString(test) || len(strings.TrimPrefix(value, "=")) > 1024 {
			return false
		}
	}
	return true
}

// goodExpression wants one {…}: outside of quotes as many brackets close as open, and the last one,
// a }, does so at the very end.
func goodExpression(text string) bool {
	depth, quote := 0, rune(0)
	for i, c := range text {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case strings.ContainsRune("{[(", c):
			depth++
		case strings.ContainsRune("}])", c):
			depth--
			if depth == 0 && i != len(text)-1 {
				return false
			}
		}
		if depth > 32 {
			return false
		}
	}
	return depth == 0 && strings.HasSuffix(text, "}") && len(text) <= 4096
}

func (r *reading) readQuery(w *world, method, query string) {
	pairs := slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool { return pair == "" })
	if len(pairs) > 64 {
		r.fault("bad-query")
		return
	}
	known := append([]string{"fields", "data", "limit", "offset", "cid"}, w.settings.query...)
	if r.shape != nil {
		known = append(known, r.shape.query...)
	}
	anywhere := slices.Clone(known)
	for _, route := range oracleRoutes() {
		anywhere = append(anywhere, route.query...)
	}
	seen := map[string]bool{}
	for _, pair := range pairs {
		rawName, raw, found := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(rawName)
		value, err := url.QueryUnescape(raw)
		if nameErr != nil || err != nil || strings.Contains(query, ";") {
			r.fault("bad-query")
			return
		}
		if found && !slices.Contains(known, name) && method == "GET" && utf8.ValidString(name) && utf8.ValidString(value) && droppable(name, anywhere) {
			continue
		}
		if slices.Contains([]string{"data=", "limit=", "offset="}, name+"="+value) && found {
			continue
		}
		if !found || !slices.Contains(known, name) || seen[name] || !goodValue(name, value) {
			r.fault("bad-query")
			return
		}
		seen[name] = true
		if name == "cid" {
			r.cid, _ = strconv.ParseInt(value, 10, 64)
			continue
		}
		r.query = append(r.query, [2]string{name, value})
	}
}

func goodValue(name, value string) bool {
	if !plainText(value) || name != "data" && strings.ContainsAny(value, "&;#?%") {
		return false
	}
	switch name {
	case "limit", "offset":
		return value == "0" || oneID(value)
	case "cid":
		return oneID(value)
	}
	return true
}

// droppable reports whether a name that the route does not know may be left out.
func droppable(name string, anywhere []string) bool {
	never := []string{"_method", "token", "access_token", "key", "api_key", "apikey", "auth", "authorization"}
	return slices.Contains(anywhere, name) ||
		!slices.ContainsFunc(append(never, anywhere...), func(n string) bool { return strings.EqualFold(n, name) })
}

func oneID(text string) bool {
	ids, ok := distinct(text)
	return ok && len(ids) == 1 && !strings.HasPrefix(text, "0") && regexp.MustCompile(`^[0-9]+$`).MatchString(text)
}

func TestOracleReadsTheWholeCatalogue(t *testing.T) {
	for _, r := range oracleRoutes() {
		if n := strings.Count(strings.Join(r.pattern, "/"), "{}"); n != len(r.places) {
			t.Errorf("%v: %d selectors, %d of them explained", r.pattern, n, len(r.places))
		}
	}
}
