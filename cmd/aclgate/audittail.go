package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"aclgate/config"
	"aclgate/metrics/record"
)

// tailFlags say which lines are shown.
type tailFlags struct {
	token, user     int64
	reason, verdict string
	since           durationFlag
	lines           int
	follow          bool
	output          outputFlag
}

func (e *env) audit() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "Read the audit log"}
	c.AddCommand(e.auditTail(), e.auditSummary())
	return c
}

func (e *env) auditTail() *cobra.Command {
	var f tailFlags
	c := &cobra.Command{
		Use:   "tail",
		Short: "Show the latest of the audit log, one decision a line",
		Long: `Show the latest lines of the audit log that fit, older files included. With -f
go on showing new ones until Ctrl-C, also when the log begins a new file. With
--output json the lines come as they are in the log, one object each.

  aclgate audit tail --token 17 --verdict deny --since 2h
  aclgate audit tail -f --reason no-entry`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runTail(cmd.Context(), &f) },
	}
	flags := c.Flags()
	flags.Int64Var(&f.token, "token", 0, "only requests of the token with this id")
	flags.Int64Var(&f.user, "user", 0, "only requests of the user with this id, by whatever token")
	flags.StringVar(&f.reason, "reason", "", "only this reason, also of the shadow or of unenforced entries")
	flags.StringVar(&f.verdict, "verdict", "", "only this verdict: deny, narrow, allow")
	flags.Var(&f.since, "since", "only the last while: 90s, 15m, 2h, 7d (default: everything)")
	flags.IntVarP(&f.lines, "lines", "n", 20, "at most so many lines, 0: all")
	flags.BoolVarP(&f.follow, "follow", "f", false, "go on with new lines")
	f.output.addJSON(c)
	return c
}

func (e *env) runTail(ctx context.Context, f *tailFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	s, err := e.auditSettings()
	if err != nil {
		return err
	}
	t := &tail{flags: f, out: e.stdout, since: time.Now().Add(-time.Duration(f.since))}
	reading := e.during("reading the audit log")
	err = t.past(s.Audit)
	reading.end()
	if err != nil {
		return failed(err)
	}
	for _, line := range t.last {
		fmt.Fprintln(e.stdout, line)
	}
	if !f.follow {
		return nil
	}
	return failed(t.follow(ctx, s.Audit.Path.Path))
}

// check refuses words that no line has: they would find nothing, and nothing is what a quiet
// gateway shows.
func (f *tailFlags) check() error {
	if err := oneOf("--verdict", f.verdict, []string{"deny", "narrow", "allow"}); err != nil {
		return err
	}
	return oneOf("--reason", f.reason, reasonWords())
}

// tail reads a log that a gateway is writing.
type tail struct {
	flags *tailFlags
	out   io.Writer
	since time.Time
	last  []string // of the past, at most flags.lines
	read  int64    // of the youngest file
	mark  []byte   // the last bytes of what was read
	file  os.FileInfo
}

// past collects the last lines that fit.
func (t *tail) past(s config.Audit) error {
	for _, name := range auditFiles(s) {
		info, err := os.Stat(name)
		if err != nil {
			continue // moved away since
		}
		t.file, t.read = info, info.Size()
		t.mark = markOf(name, t.read)
		err = eachLineOf(name, t.read, func(l *record.Line, text []byte) bool {
			if t.fits(l) {
				t.last = append(t.last, t.show(l, text))
			}
			if n := t.flags.lines; n > 0 && len(t.last) > n {
				t.last = t.last[1:]
			}
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// fits reports whether a line passes every filter.
func (t *tail) fits(l *record.Line) bool {
	f := t.flags
	if f.since > 0 && l.Time.Before(t.since) {
		return false
	}
	if l.Event != "" { // a change concerns everybody, but is no request
		return f.token == 0 && f.user == 0 && f.reason == "" && f.verdict == ""
	}
	return (f.token == 0 || l.Token == f.token) && (f.user == 0 || l.User == f.user) && (f.verdict == "" || l.Verdict == f.verdict) &&
		(f.reason == "" || l.Reason == f.reason || l.DryRunReason == f.reason || l.ShadowReason == f.reason)
}

// show returns a line for people.
func (t *tail) show(l *record.Line, text []byte) string {
	if t.flags.output.json() {
		return string(text)
	}
	at := l.Time.UTC().Format("2006-01-02T15:04:05Z")
	if l.Event != "" {
		return changeLine(at, l)
	}
	who := "token -"
	if l.Token != 0 || l.User != 0 {
		who = callerName(l)
	}
	if l.Action != "" {
		return actionLine(at, who, l)
	}
	line := fmt.Sprintf("%s  %s  %-6s %-16s %d  %-12s %s", at, l.Decision, l.Verdict, l.Reason, l.Status, who, asked(l))
	if l.Asked != 0 && l.Asked != l.CID {
		line += fmt.Sprintf("  asked for account %d", l.Asked)
	}
	if l.BodyCID != 0 {
		line += fmt.Sprintf("  the body names account %d", l.BodyCID)
	}
	if l.DryRun != "" {
		line += fmt.Sprintf("  entries: %s %s", l.DryRun, l.DryRunReason)
	}
	if l.Shadow != "" {
		line += fmt.Sprintf("  shadow: %s %s", l.Shadow, l.ShadowReason)
	}
	return line
}

// callerName names the caller of a line in a few words: the user, whichever token it was, or the token.
func callerName(l *record.Line) string {
	if u := l.Who(); u != nil {
		return u.Short()
	}
	return fmt.Sprintf("token %d", l.Token)
}

// actionLine returns what an MQTT session did for people.
func actionLine(at, who string, l *record.Line) string {
	line := fmt.Sprintf("%s  %-24s  %-6s %-16s %#02x  %-12s %s", at, "mqtt "+l.Action, l.Verdict, l.Reason, l.Code, who, l.Topic)
	if l.Withheld > 0 {
		line += fmt.Sprintf("withheld %d", l.Withheld)
	}
	return strings.TrimRight(line, " ")
}

// commas writes ids as 7,9.
func commas(ids []int64) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ","), "[]")
}

// changeLine returns a change by an operator, or of records, for people.
func changeLine(at string, l *record.Line) string {
	words := []string{l.Event}
	if l.Result != "" {
		words = append(words, l.Result)
	}
	words = append(words, fmt.Sprintf("revision %d", l.Revision))
	if l.Table != "" {
		words = append(words, l.Actor, l.Table+"/"+commas(l.IDs))
		switch {
		case l.Gone == nil || len(l.IDs) == 0: // an older gateway wrote it, or too many have changed
		case len(l.Gone) == len(l.IDs) && l.Count == 0:
			words = append(words, "deleted")
		case len(l.Gone) > 0:
			words = append(words, "deleted of them: "+commas(l.Gone))
		default:
			words = append(words, "new or changed")
		}
	}
	if l.Count > 0 {
		words = append(words, fmt.Sprintf("and others, %d in all", l.Count))
	}
	if l.How != "" {
		words = append(words, l.How)
	}
	if l.Faults != "" {
		words = append(words, strconv.Quote(l.Faults))
	}
	return at + "  " + strings.Join(words, " ")
}

// followEvery is the pause between two looks at the file.
const followEvery = 200 * time.Millisecond

// follow shows new lines until ctx ends.
func (t *tail) follow(ctx context.Context, name string) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := t.look(name); err != nil {
				return err
			}
		}
	}
}

// look shows what was added since the last look. A new file is read from its beginning, once what
// was left of the old one is shown.
func (t *tail) look(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return nil // between two files
	}
	if t.file != nil && !os.SameFile(t.file, info) {
		old := name + ".1"
		if was, err := os.Stat(old); err == nil && os.SameFile(was, t.file) {
			if err := t.rest(old); err != nil {
				return err
			}
		}
		t.read = 0
	}
	if info.Size() < t.read {
		t.read = 0
	}
	t.file = info
	return t.rest(name)
}

// markSize is how many bytes before the place that was read tell that they are still the same: a file
// that was truncated may have grown past that place again.
const markSize = 128

// markOf returns the last bytes before a place in a file; nil if they are not to be had.
func markOf(name string, end int64) []byte {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	mark := make([]byte, min(end, markSize))
	if _, err := f.ReadAt(mark, end-int64(len(mark))); err != nil {
		return nil
	}
	return mark
}

// rest shows the whole lines of a file behind those that were read.
func (t *tail) rest(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return nil // moved away since; the next look finds it
	}
	defer f.Close()
	if t.read > 0 && !bytes.Equal(markOf(name, t.read), t.mark) {
		t.read = 0 // truncated, and written again
	}
	if _, err := f.Seek(t.read, io.SeekStart); err != nil {
		return fmt.Errorf("cannot read the audit log: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, 16<<20))
	if err != nil {
		return fmt.Errorf("cannot read the audit log: %w", err)
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	t.read += int64(len(whole))
	t.mark = append(t.mark, whole[max(0, len(whole)-markSize):]...)
	t.mark = t.mark[max(0, len(t.mark)-int(min(t.read, markSize))):]
	return eachLine(bytes.NewReader(whole), func(l *record.Line, line []byte) bool {
		if t.fits(l) {
			fmt.Fprintln(t.out, t.show(l, line))
		}
		return true
	})
}
