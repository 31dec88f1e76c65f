package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"aclgate/config"
	"aclgate/metrics/record"
	"aclgate/policy"
)

// maxClients is how many callers of a group are named.
const maxClients = 3

func (e *env) auditSummary() *cobra.Command {
	var since durationFlag
	var top int
	var output outputFlag
	c := &cobra.Command{
		Use:   "summary",
		Short: "Group what was refused by reason, name and client, and say what would let it pass",
		Long: `Read the whole audit log, older files included, and group the requests that were
refused, or that lost a query parameter: by reason, by the name of the parameter
or header or the route, and by who sent them. So are the actions of MQTT that
were refused, by the kind of topic; of messages the log has only those that
clients sent. Below, it prints what to add to the
settings before existing clients are switched to the gateway.

Parameters that were left out of a GET are seen where the log has the request:
set audit.allow_sample: 1 as long as you look for them.

  aclgate audit summary --since 7d`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return e.runSummary(time.Duration(since), top, output) },
	}
	c.Flags().Var(&since, "since", "only the last while: 90s, 15m, 2h, 7d (default: everything)")
	c.Flags().IntVarP(&top, "top", "n", 30, "at most so many groups, 0: all")
	output.add(c)
	return c
}

func (e *env) runSummary(since time.Duration, top int, output outputFlag) error {
	s, err := e.auditSettings()
	if err != nil {
		return err
	}
	from := time.Time{}
	if since > 0 {
		from = time.Now().Add(-since)
	}
	sum := summary{groups: map[refusalKey]*refusals{}}
	reading := e.during("reading the audit log")
	defer reading.end()
	for _, name := range auditFiles(s.Audit) {
		err := eachLineOf(name, math.MaxInt64, func(l *record.Line, _ []byte) bool {
			reading.add()
			if !l.Time.Before(from) {
				sum.add(l)
			}
			return true
		})
		if err != nil {
			return failed(err)
		}
	}
	if output.json() {
		return failed(json.NewEncoder(e.stdout).Encode(sum.report(top)))
	}
	sum.print(e.stdout, top)
	return nil
}

// refusalKey is what the requests of a group share.
type refusalKey struct {
	Reason string `json:"reason"`
	Name   string `json:"name"`
}

// refusals are what was refused for one reason about one name.
type refusals struct {
	refusalKey
	Requests int       `json:"requests"`
	Last     time.Time `json:"last"`
	Example  string    `json:"example"` // method and target, or action and topic, of the last one
	Clients  []string  `json:"clients"` // the first few
	Others   int       `json:"other_clients"`
	Remedy   string    `json:"remedy,omitempty"`

	seen     map[string]bool
	remedies []string // of the kinds of callers
}

// summary collects groups.
type summary struct {
	groups   map[refusalKey]*refusals
	requests int // lines about requests
	actions  int // lines about what MQTT sessions did
}

// add counts one line in each group that it belongs to.
func (s *summary) add(l *record.Line) {
	switch {
	case l.Event != "":
		return
	case l.Action != "":
		s.actions++
		if l.Verdict == "deny" {
			s.count(refusalKey{l.Reason, strings.TrimSpace(l.Action + " " + family(l.Topic))}, l)
		}
		return
	}
	s.requests++
	for name := range strings.SplitSeq(l.Dropped, ",") {
		if name != "" && name != "…" {
			s.count(refusalKey{"dropped", unescaped(name)}, l)
		}
	}
	if reason := cmp.Or(l.DryRunReason, l.Reason); l.Verdict == "deny" || l.DryRun == "deny" {
		s.count(refusalKey{reason, cmp.Or(unescaped(l.Param), l.Header, routed(l))}, l)
	}
}

// routed names a request by method and route; by its path, less what names items, where the route
// is not known.
func routed(l *record.Line) string {
	if l.Reason == policy.UnknownRoute.String() || l.Route == "" {
		return strings.TrimSpace(l.Method + " " + l.Target)
	}
	return l.Method + " " + l.Route
}

// family names topics of a kind, as far as they name no item and are not the clients' own words.
func family(topic string) string {
	const own = "own topic"
	words := strings.Split(topic, "/")
	switch {
	case topic == "":
		return ""
	case words[0] == "#" || words[0] == "+":
		return words[0]
	case words[0] != "flespi" || len(words) < 2:
		return own
	}
	end := 1 // flespi/state/gw/devices
	for end < min(len(words), 4) && words[end] != "" && strings.Trim(words[end], "abcdefghijklmnopqrstuvwxyz-") == "" {
		end++
	}
	return strings.Join(words[:end], "/")
}

func unescaped(name string) string {
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

func (s *summary) count(key refusalKey, l *record.Line) {
	g := s.groups[key]
	if g == nil {
		g = &refusals{refusalKey: key, seen: map[string]bool{}}
		s.groups[key] = g
	}
	g.Requests++
	g.Last, g.Example = l.Time, strings.TrimSpace(cmp.Or(l.Method, l.Action)+" "+cmp.Or(l.Target, l.Topic))
	client := "from " + l.Source
	if l.Token != 0 || l.User != 0 {
		client = callerName(l)
	}
	if remedy := remedyOf(key, l); remedy != "" && !slices.Contains(g.remedies, remedy) {
		g.remedies = append(g.remedies, remedy)
		g.Remedy = strings.Join(g.remedies, "; ")
	}
	switch {
	case g.seen[client]:
	case len(g.Clients) < maxClients:
		g.seen[client], g.Clients = true, append(g.Clients, client)
	default:
		g.seen[client] = true
		g.Others++
	}
}

// remedies are the settings that let pass what a reason refuses. %s is the name.
var remedies = map[string]string{
	"dropped":                     "policy.query: [%s], if the backend knows it",
	policy.BadQuery.String():      "policy.query: [%s], if the backend knows it",
	policy.TooManyIDs.String():    "policy.max_ids",
	policy.MatchTooWide.String():  "policy.max_resolved",
	policy.BodyTooLarge.String():  "listen.max_body_bytes, listen.max_upload_bytes",
	policy.MatchDenied.String():   "scope.match: resolve",
	policy.UnknownRoute.String():  "policy.routes_file, if the backend has this route",
	policy.UnknownMethod.String(): "policy.routes_file, if the backend takes this method",
	policy.NoTopicEntry.String():  "an mqtt entry for it in the token's acl, if it may do this",
	policy.LimitToken.String():    "limits.per_token",
	policy.LimitAccount.String():  "limits.per_account",
	policy.LimitSource.String():   "limits.unauthenticated",
}

// remedyOf says what would let the request of a line pass, and those of its group by callers like this one;
// "": nothing does, or nothing should.
func remedyOf(key refusalKey, l *record.Line) string {
	if key.Reason == policy.NoEntry.String() {
		return entryFor(l)
	}
	remedy := remedies[key.Reason]
	if !strings.Contains(remedy, "%s") {
		return remedy
	}
	if !config.QueryMayPass(key.Name) {
		return ""
	}
	return fmt.Sprintf(remedy, key.Name)
}

// entryFor says where an entry belongs that would permit what the caller of a line asked for.
func entryFor(l *record.Line) string {
	where := "an entry for it in the token's acl, if it may do this"
	switch {
	case l.Roles != nil && l.Issuer != "":
		where = "a role that permits it, in roles of the user or by claims.roles of the realm, if the user may do this"
	case l.Roles != nil:
		where = "a role that permits it, in roles of the user, if the user may do this"
	case l.User != 0:
		where = "an entry for it in token_params of the user or the realm, if the user may do this"
	}
	switch l.Path {
	case record.Cross.String(): // entries and roles count within what is granted
		return "a grant of the account that was asked for which includes it, and " + where
	case record.Granted.String():
		return where + "; of items that are granted the grant has to permit it too"
	}
	return where
}

// report returns the groups, those with the most requests first.
func (s *summary) report(top int) []*refusals {
	all := slices.SortedFunc(maps.Values(s.groups), func(a, b *refusals) int {
		return cmp.Or(b.Requests-a.Requests, cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Name, b.Name))
	})
	if top > 0 && len(all) > top {
		all = all[:top]
	}
	return all
}

func (s *summary) print(w io.Writer, top int) {
	all := s.report(top)
	asked := counted(s.requests, "request", "requests")
	if s.actions > 0 {
		asked += " and " + counted(s.actions, "action", "actions") + " of MQTT"
	}
	fmt.Fprintf(w, "%s in the log, %s of refusals\n", asked, counted(len(s.groups), "group", "groups"))
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "REQUESTS\tREASON\tNAME\tCLIENTS\tLAST\tLETS IT PASS")
	for _, g := range all {
		clients := strings.Join(g.Clients, ", ")
		if g.Others > 0 {
			clients += fmt.Sprintf(" and %d more", g.Others)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\n", g.Requests, g.Reason, g.Name, clients, g.Last.UTC().Format(time.DateTime), cmp.Or(g.Remedy, "-"))
	}
	table.Flush()
	if more := len(s.groups) - len(all); more > 0 {
		fmt.Fprintf(w, "and %d more: -n 0 shows all\n", more)
	}
	s.printSettings(w)
}

// printSettings prints the setting that names the parameters which clients send, whole, so that it
// can be copied.
func (s *summary) printSettings(w io.Writer) {
	var names []string
	for key, g := range s.groups {
		if strings.HasPrefix(g.Remedy, "policy.query") && !slices.Contains(names, key.Name) {
			names = append(names, key.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	fmt.Fprintf(w, "\nIf the backend knows these parameters, add to the settings:\n\n  policy: {query: [%s]}\n", strings.Join(names, ", "))
}
