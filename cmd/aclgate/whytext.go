package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/explain"
)

// explainLine says what is known of a decision, and explains it by the policy as it is now: as the
// running gateway judges it or, where none can be asked, by what is known here.
func (e *env) explainLine(ctx context.Context, s *config.Settings, l *record.Line) error {
	e.printLine(s, l)
	pol, err := policyInForce(s)
	if err != nil {
		return err
	}
	ask, why := askOf(l)
	if why != "" {
		return e.printReason(l, why)
	}
	pol.adoptUses(s, ask.At)
	tok, session := tokenOf(pol, l), int64(0)
	if tok == nil {
		if tok = sessionOf(s, pol, l); tok == nil {
			return e.printReason(l, fmt.Sprintf("token %d is not in the policy: it was removed, or its user was", l.Token))
		}
		session = l.Token
	}
	ask.File, ask.Tree, ask.Grants, ask.Token = s.Store.Path.Text, pol.Tree, pol.Grants(), tok
	if isState(l.Reason) {
		return e.printReason(l, "nothing in the policy refused it. "+e.stateNow(ctx, s, l, explain.Question{Ask: ask, Session: session}))
	}
	report, away := askExplain[explain.Report](ctx, e, s, explain.Question{Ask: ask, Session: session})
	if away != nil {
		report = explain.Explain(pol.engine, ask)
	}
	if session != 0 && l.Issuer != "" && (away != nil || report.Token == nil || report.Token.ID != session) {
		report.Notes = append(report.Notes, "The token has ended, or the gateway was not asked: it is judged as one without claims, so roles by claims are not counted.")
	}
	// What was denied is never shown as something that passes.
	if l.Verdict == policy.Deny.String() && report.Verdict != l.Verdict {
		return e.printReason(l, otherwise(s, l, report, away))
	}
	if report.Reason != l.Reason && len(report.Open) == 0 {
		if err := e.printReason(l, "the policy as it is now, and the request as far as it is remembered, lead elsewhere; see below"); err != nil {
			return err
		}
	}
	fmt.Fprintln(e.stdout)
	return e.print(report, false)
}

// isState reports whether a reason is about what a caller has used up, or an account that is blocked: to
// judge the request again by the policy says nothing of it.
func isState(word string) bool {
	for _, r := range []policy.Reason{policy.AccountBlocked, policy.AccountLimit, policy.LimitToken, policy.LimitAccount} {
		if r.String() == word {
			return true
		}
	}
	return false
}

// stateNow says whether the running gateway would refuse the caller of a line at this moment, too.
func (e *env) stateNow(ctx context.Context, s *config.Settings, l *record.Line, q explain.Question) string {
	q.Ask.At = 0
	report, err := askExplain[explain.Report](ctx, e, s, q)
	switch {
	case err != nil:
		return "Whether it is so now only the running gateway knows; " + err.Error()
	case isState(report.Reason):
		return "It is so now, too: " + report.Detail
	}
	return fmt.Sprintf("It is not so any more: the gateway does not refuse %s for this now", callerName(l))
}

// otherwise says why a request that was denied is not denied by what is known now. away is why the
// running gateway was not asked.
func otherwise(s *config.Settings, l *record.Line, report *explain.Report, away error) string {
	if len(report.Open) > 0 {
		text := "which account an item belongs to, and what a match names, only the running gateway knows"
		if away != nil {
			text += "; " + away.Error()
		}
		return text
	}
	if !decidedByPolicy(l.Reason) {
		return "nothing in the policy refused it: it was the state of the gateway then, or what the request held"
	}
	text := "the policy has changed since, or the account of an item: the same request would not be denied now"
	if report.Entry > 0 {
		text += fmt.Sprintf(", by entry %d of the token's ACL", report.Entry)
	}
	return text
}

// decidedByPolicy reports whether a reason is about tokens, entries or accounts: a 401, code 6 or
// code 8.
func decidedByPolicy(word string) bool {
	for _, r := range policy.Reasons() {
		if r.String() == word {
			a := r.Answer()
			return a.Status == 401 || a.Code == policy.CodeDenied || a.Code == policy.CodeNotPermitted || a.Class == policy.ClassEmpty
		}
	}
	return false
}

// printLine prints what was remembered.
func (e *env) printLine(s *config.Settings, l *record.Line) {
	fmt.Fprintf(e.stdout, "Decision  %s, %s\n", l.Decision, l.Time.UTC().Format("2006-01-02 15:04:05 UTC"))
	fmt.Fprintf(e.stdout, "Asked     %s\n", asked(l))
	fmt.Fprintf(e.stdout, "By        %s\n", asker(l))
	if l.Roles != nil {
		fmt.Fprintf(e.stdout, "Roles     %s\n", cmp.Or(printable(strings.Join(l.Roles, ", ")), "none"))
	}
	fmt.Fprintf(e.stdout, "Decided   %s (%s), answered %d\n", strings.ToUpper(l.Verdict), l.Reason, l.Status)
	if l.Entry > 0 {
		place := fmt.Sprintf("%d of the token's ACL was chosen", l.Entry)
		if l.User != 0 {
			place = fmt.Sprintf("%d of those that the user had was chosen", l.Entry)
		}
		then := "as it was then"
		if l.Line > 0 {
			place += fmt.Sprintf(", %s:%d", s.Store.Path.Text, l.Line)
			then = "as the file was then"
		}
		fmt.Fprintf(e.stdout, "Entry     %s, %s\n", place, then)
	}
	if l.DryRun != "" {
		fmt.Fprintf(e.stdout, "Entries   would have made it %s (%s); policy.enforce was false\n", l.DryRun, l.DryRunReason)
	}
	if l.Shadow != "" {
		fmt.Fprintf(e.stdout, "Shadow    would have made it %s (%s)\n", l.Shadow, l.ShadowReason)
	}
	switch {
	case l.Param != "":
		fmt.Fprintf(e.stdout, "At        query parameter %s\n", l.Param)
	case l.Header != "":
		fmt.Fprintf(e.stdout, "At        header %s\n", l.Header)
	case l.Backend != "":
		fmt.Fprintf(e.stdout, "Backend   refused the match: %s\n", l.Backend)
	}
	if l.Trace != "" {
		fmt.Fprintf(e.stdout, "Trace     %s\n", l.Trace)
	}
}

func asked(l *record.Line) string {
	target := l.Target
	switch {
	case target == "" && l.Route != "":
		target = l.Route + " (the path itself is not kept: it may hold a key)"
	case target == "":
		target = "a path that could not be read"
	}
	if l.Method == "" {
		return "with an unknown method " + target
	}
	return l.Method + " " + target
}

func asker(l *record.Line) string {
	text := "nobody that is known"
	if l.Token != 0 {
		text = fmt.Sprintf("token %d (digest %s…) of account %d", l.Token, l.Digest, l.CID)
	}
	switch u := l.Who(); {
	case u != nil && l.Token != 0:
		text = u.String() + ", with " + text
	case u != nil:
		text = u.String() + ", which was not accepted"
	}
	if l.Source != "" {
		text += ", from " + l.Source
	}
	return text
}

// printReason prints what a reason means, where the decision cannot be taken again.
func (e *env) printReason(l *record.Line, why string) error {
	for _, r := range policy.Reasons() {
		if r.String() == l.Reason {
			fmt.Fprintf(e.stdout, "Meaning   %s\nHint      %s\n", r.Meaning(), r.Hint())
		}
	}
	_, err := fmt.Fprintf(e.stdout, "Note      %s\n", why)
	return err
}

// askOf returns the request of a line as far as it is remembered: without query and body, and with
// matches that hold an asterisk in the place of what they compared with. Or why it cannot be judged
// again.
func askOf(l *record.Line) (ask explain.Ask, why string) {
	switch {
	case l.Target == "":
		return ask, "the path is not remembered"
	case strings.HasSuffix(l.Target, "…"), strings.Contains(l.Target, record.ManyIDs):
		return ask, "the path was too long to be remembered whole"
	case l.Token == 0 && l.User != 0:
		return ask, "the token is the issuer's, but its user was not let in: the user, the realm or the account is closed, or the token is older than realms.max_age"
	case l.Token == 0:
		return ask, "no token of the policy was recognised, so no entry was asked"
	}
	ask = explain.Ask{Method: l.Method}
	// Of an expression only the beginning is remembered; with an end it is one again.
	ask.Target = strings.ReplaceAll(l.Target, "{*", "{*}")
	ask.At, ask.AskedCID = l.Time.Unix(), l.Asked
	ask.Source, _ = netip.ParseAddr(l.Source)
	switch l.Reason {
	case policy.BodyAccount.String():
		ask.Body = []policy.Keys{{CID: l.BodyCID}}
	case policy.BodyItem.String():
		ask.Body = []policy.Keys{{ID: l.BodyID}}
	case policy.MoveNoEntry.String():
		ask.Body = []policy.Keys{{CID: l.Scope}} // which account does not matter
	}
	return ask, ""
}

// tokenOf returns the token of a line, if it is still the same one, ready to be judged.
func tokenOf(pol *policyFile, l *record.Line) *policy.Token {
	for _, rec := range pol.Records() {
		if rec.Token.ID == l.Token && hex.EncodeToString(rec.Token.Digest[:4]) == l.Digest {
			return pol.token(rec)
		}
	}
	return nil
}

// sessionOf returns what a session of the user of a line may do now, ready to be judged; nil: there is no such
// user. The session itself, and what claims gave it, only the gateway knows.
func sessionOf(s *config.Settings, pol *policyFile, l *record.Line) *policy.Token {
	rec := app.UserSession(pol.Policy, l.User, l.Time.Add(s.Realms.MaxAge).Unix(), nil)
	if rec == nil {
		return nil
	}
	return pol.token(rec)
}
