package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/cases"
	"aclgate/policy/explain"
)

type diffFlags struct {
	old, new, replay string
	exitCode         bool
	output           outputFlag
}

func (e *env) diff() *cobra.Command {
	var f diffFlags
	c := &cobra.Command{
		Use:   "diff --new FILE [--old FILE] [--replay FILE]",
		Short: "Say which decisions a new policy would change, by replaying the audit log",
		Long: `Judge the requests of an audit log by two policy files and say which decisions
differ, grouped by token and by what becomes of them. Nothing is sent.

The log holds every denial, but of the rest only the share audit.allow_sample:
what was not written cannot be replayed. Neither can bodies, nor what a match
compared with, nor requests whose key no token had.

  aclgate diff --new policy.new.yaml`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return e.runDiff(&f) },
	}
	flags := c.Flags()
	flags.StringVar(&f.old, "old", "", "policy file to compare with (default: that of the settings)")
	flags.StringVar(&f.new, "new", "", "policy file that would take effect")
	flags.StringVar(&f.replay, "replay", "", "audit log to replay (default: all files of audit.path)")
	f.output.add(c)
	flags.BoolVar(&f.exitCode, "exit-code", false, "exit with 1 if a decision differs")
	return c
}

func (e *env) runDiff(f *diffFlags) error {
	if f.new == "" {
		return errors.New("name the policy that would take effect: --new FILE")
	}
	s, err := e.loadSettings()
	if err != nil {
		return err
	}
	r := &replay{skipped: map[string]int{}, groups: map[group]*changed{}}
	if r.old, err = readWorld(s, f.old); err != nil {
		return err
	}
	if r.new, err = readWorld(s, f.new); err != nil {
		return err
	}
	files := []string{f.replay}
	if f.replay == "" {
		files = auditFiles(s.Audit)
	}
	if len(files) == 0 {
		return failed(errors.New("there is no audit log to replay: name one by --replay"))
	}
	r.progress = e.during("replaying the audit log")
	defer r.progress.end()
	for _, file := range files {
		if err := r.file(file); err != nil {
			return failed(err)
		}
	}
	if f.output.json() {
		err = e.printJSON(r.json())
	} else {
		r.print(e)
	}
	if err != nil {
		return failed(err)
	}
	if f.exitCode && len(r.groups) > 0 {
		return &exitError{code: exitFailed}
	}
	return nil
}

// replay judges requests twice.
type replay struct {
	old, new cases.World
	count    int
	skipped  map[string]int // why → lines
	groups   map[group]*changed
	progress *progress
}

// group is the key by which changes are counted.
type group struct {
	token  int64
	change string
}

// changed is how many requests are in a group, and one of them.
type changed struct {
	count   int
	request string
	entry   string // that decides under the new policy
	old     string // that decided under the old one
}

// file replays one file. One that was named and is not there is a mistake.
func (r *replay) file(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return fmt.Errorf("cannot read the audit log: %w", err)
	}
	return eachLineOf(name, info.Size(), func(l *record.Line, _ []byte) bool {
		r.progress.add()
		if l.Decision != "" {
			r.line(l)
		}
		return true
	})
}

// line judges one request by both policies.
func (r *replay) line(l *record.Line) {
	ask, why := askOf(l)
	if why != "" {
		r.skipped[why]++
		return
	}
	r.count++
	was, would := evaluate(&r.old, l, ask), evaluate(&r.new, l, ask)
	if was.Same(would) {
		return
	}
	key := group{l.Token, was.Change(would)}
	if r.groups[key] == nil {
		r.groups[key] = &changed{request: asked(l), entry: would.Entry, old: was.Entry}
	}
	r.groups[key].count++
}

// evaluate returns what a policy makes of a request. A token that lives by its last use had one:
// this request.
func evaluate(w *cases.World, l *record.Line, ask explain.Ask) cases.Outcome {
	tok := w.Token(l.Token)
	if tok != nil && tok.TTL > 0 && l.Reason != policy.TokenExpired.String() {
		used := *tok
		used.Used = new(atomic.Int64)
		used.Used.Store(l.Time.Add(-time.Second).Unix())
		tok = &used
	}
	ask.File, ask.Tree, ask.Grants, ask.Token = w.File, w.Tree, w.Grants, tok
	return cases.OutcomeOf(explain.Explain(w.Engine, ask))
}

// sorted returns the groups by token, the most frequent first, and how many requests are in them.
func (r *replay) sorted() (keys []group, total int) {
	for key, s := range r.groups {
		keys = append(keys, key)
		total += s.count
	}
	slices.SortFunc(keys, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.token, b.token), cmp.Compare(r.groups[b].count, r.groups[a].count), cmp.Compare(a.change, b.change))
	})
	return keys, total
}

// diffJSON is what a replay found, for programs.
type diffJSON struct {
	Replayed  int            `json:"replayed"`
	Different int            `json:"different"`
	Changes   []changeJSON   `json:"changes"`
	Skipped   map[string]int `json:"not_replayed"` // why → lines
}

type changeJSON struct {
	Token   int64  `json:"token"`
	Count   int    `json:"count"`
	Change  string `json:"change"`
	Request string `json:"request"` // one of them
	Old     string `json:"old_entry"`
	New     string `json:"new_entry"`
}

func (r *replay) json() diffJSON {
	keys, total := r.sorted()
	out := diffJSON{r.count, total, []changeJSON{}, r.skipped}
	for _, key := range keys {
		s := r.groups[key]
		out.Changes = append(out.Changes, changeJSON{key.token, s.count, key.change, s.request, s.old, s.entry})
	}
	return out
}

// print prints the differences.
func (r *replay) print(e *env) {
	keys, total := r.sorted()
	fmt.Fprintf(e.stdout, "%s replayed, %d would be decided otherwise\n", counted(r.count, "request", "requests"), total)
	for i, key := range keys {
		if i == 0 || keys[i-1].token != key.token {
			fmt.Fprintf(e.stdout, "\n%s\n", r.name(key.token))
		}
		s := r.groups[key]
		fmt.Fprintf(e.stdout, "%8d  %s\n          such as %s\n          old: %s; new: %s\n", s.count, key.change, s.request,
			orNone(s.old), orNone(s.entry))
	}
	for _, why := range slices.Sorted(maps.Keys(r.skipped)) {
		fmt.Fprintf(e.stdout, "\n%d could not be replayed: %s\n", r.skipped[why], why)
	}
}

func orNone(entry string) string {
	if entry == "" {
		return "no entry"
	}
	return entry
}

// name describes the token of a group.
func (r *replay) name(id int64) string {
	for _, w := range []*cases.World{&r.old, &r.new} {
		if tok := w.Token(id); tok != nil {
			return fmt.Sprintf("token %d %q, %s", id, tok.Info, placed(w.File, tok.Line))
		}
	}
	return fmt.Sprintf("token %d, which neither policy has", id)
}
