package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"aclgate/cmd/internal/app"
	"aclgate/config"
	"aclgate/config/strict"
	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/upstream/probe"
)

func (e *env) check() *cobra.Command {
	var live bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Name every fault of settings and policy, each with its place",
		Long: `Read settings, policy and the files they name, and print every fault and every
warning as file:line:col. With --live, also ask the backend: whether it can be
reached, takes the gateway's credential, and obeys x-flespi-cid; and the MQTT
broker, whether it can be reached and lets the gateway in; what limits are
shared by, the same; issuers of tokens, whether they show their keys; and
PostgreSQL, whether its settings can lose changes that it has answered.

Exit code 3 says that there are faults; warnings alone are 0.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.runCheck(cmd.Context(), live) },
	}
	c.Flags().BoolVar(&live, "live", false, "ask the backend, the broker, Redis and issuers as well")
	return c
}

func (e *env) runCheck(ctx context.Context, live bool) error {
	reading := e.during("reading the files")
	s, pol, faults := readBoth(e.file)
	reading.end()
	for _, f := range faults {
		fmt.Fprintln(e.stderr, f)
	}
	if n := countFaults(faults); n > 0 {
		return badSettings(errors.New(counted(n, "fault", "faults")))
	}
	// What would stop serve stops check as well, whoever finds it.
	log := slog.New(slog.DiscardHandler)
	if live {
		log = newLogger(config.Log{Level: config.LogWarn, Format: config.LogText}, e.stderr, false)
	}
	quiet := *s
	quiet.Audit = config.Audit{} // nothing is served, so there is nothing to write
	a, err := app.New(&quiet, log, app.Options{})
	if err != nil {
		return badSettings(err)
	}
	defer a.Close()
	accounts, tokens := len(pol.Tree.Accounts()), pol.Len()
	fmt.Fprintf(e.stdout, "OK: %s, %s (%s, %s)\n", e.file, app.StoreName(s), counted(accounts, "account", "accounts"), counted(tokens, "token", "tokens"))
	if !live {
		return nil
	}
	return e.checkLive(ctx, a, s, pol.Tree)
}

// readBoth reads settings and policy. Faulty settings do not keep it from naming those of the
// policy, as long as they say where it is.
func readBoth(file string) (*config.Settings, *policyFile, strict.Faults) {
	s, faults := config.Load(file)
	if s == nil {
		return nil, nil, faults
	}
	sound := faults.Err() == nil
	faulty := func(setting string) bool {
		at := s.Pos(setting)
		return at.Line > 0 && slices.ContainsFunc(faults, func(f strict.Fault) bool { return f.Pos() == at })
	}
	var pol *policyFile
	var more strict.Faults
	if !faulty("store.path") && !faulty("policy.routes_file") {
		pol, more = readStore(s)
		if pol != nil && s.Store.Kind == config.StoreFile {
			more = append(more, usesFault(s, pol)...)
		}
		if pol != nil {
			more = append(more, accountsFault(s, pol)...)
		}
		if shadow := s.Policy.Shadow; shadow.IsSet() {
			_, faults := readPolicy(s, shadow, "policy.shadow")
			more = append(more, faults...)
		}
	}
	faults = append(append(append(faults, config.CheckFiles(s)...), auditFault(s)...), more...)
	if sound {
		faults = append(faults, advise(s, pol, time.Now())...)
	}
	return s, pol, faults
}

// usesFault reports that the last uses of tokens with a ttl cannot be kept.
func usesFault(s *config.Settings, pol *policyFile) strict.Faults {
	err := pol.CheckUses(s.Store.Path.Path)
	if err == nil {
		return nil
	}
	return strict.Faults{unreadable(s, "store.path", fmt.Errorf("the last uses of tokens with a ttl cannot be kept: %w", err))}
}

// auditFault reports that the audit log cannot be written.
func auditFault(s *config.Settings) strict.Faults {
	if !s.Audit.Path.IsSet() {
		return nil
	}
	if err := record.CheckAudit(s.Audit.Path.Path); err != nil {
		return strict.Faults{unreadable(s, "audit.path", err)}
	}
	return nil
}

// accountsFault reports that accounts would be served that nothing keeps apart.
func accountsFault(s *config.Settings, pol *policyFile) (faults strict.Faults) {
	add := func(setting string, err error) {
		if err != nil {
			faults = append(faults, unreadable(s, setting, err))
		}
	}
	add("scope.mode", app.OneScope(s, pol.Tree))
	add("scope.unowned", app.UnownedAccount(s, pol.Tree))
	add("mqtt.namespace", app.OneAccount(s, pol.Tree))
	return faults
}

func countFaults(faults strict.Faults) int {
	n := 0
	for _, f := range faults {
		if !f.Warning {
			n++
		}
	}
	return n
}

// counted returns a number with what it counts: 1 item, 2 items.
func counted(n int, one, many string) string { return strconv.Itoa(n) + " " + plural(n, one, many) }

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// oneAccount refuses a backend that shows items of several accounts where nothing keeps them apart.
func (e *env) oneAccount(ctx context.Context, a *app.App) error {
	found, err := a.Survey(ctx)
	if err != nil || len(found.CIDs) < 2 {
		return nil // what it cannot be asked is no list of items
	}
	return failed(fmt.Errorf("live: the backend shows items of %d accounts (such as %d and %d), and scope.mode none keeps nothing apart.\n"+
		"Set scope.mode header if it obeys x-flespi-cid, ids if not", len(found.CIDs), found.CIDs[0], found.CIDs[1]))
}

// checkLive asks the backend what only it can say.
func (e *env) checkLive(ctx context.Context, a *app.App, s *config.Settings, tree *policy.Tree) error {
	defer e.during("asking the backend").end()
	found, err := a.ProbeScope(ctx)
	switch {
	case err != nil:
		return failed(fmt.Errorf("live: cannot ask the backend: %w", err))
	case found == nil && s.Scope.Mode == config.ScopeNone:
		if err := a.AskBackend(ctx); err != nil {
			return failed(fmt.Errorf("live: cannot ask the backend: %w", err))
		}
		if err := e.oneAccount(ctx, a); err != nil {
			return err
		}
		fmt.Fprintln(e.stdout, "live: the backend answers, and takes the gateway's credential")
	case found == nil && s.Scope.Mode == config.ScopeHeader:
		fmt.Fprintln(e.stdout, "live: nothing to ask the backend with these settings: scope.trust_header, or no upstream.token_file")
	case found == nil:
		if err := a.AskBackend(ctx); err != nil { // before the index tries again and again
			return failed(fmt.Errorf("live: cannot ask the backend: %w", err))
		}
		if err := a.ReadIndex(ctx); err != nil {
			return failed(fmt.Errorf("live: %w", err))
		}
		if err := e.sayOwners(ctx, a, s); err != nil {
			return err
		}
	case found.Support == probe.Ignored:
		return failed(errors.New(ignored(tree, found)))
	case found.Support == probe.Unknown:
		fmt.Fprintf(e.stdout, "live: the backend answers, but shows nothing that tells whether it obeys x-flespi-cid (%s)\n"+
			"It takes items of two accounts that the policy names: look at its accounts\n", counted(found.Probes, "page", "pages"))
	default:
		fmt.Fprintf(e.stdout, "live: the backend obeys x-flespi-cid (%s under account %d)\n", found.Collection, found.Account)
	}
	return errors.Join(e.checkBroker(ctx, a), e.checkPeer(ctx, a, s), e.checkIssuers(ctx, a), e.checkDurability(ctx, a))
}

// checkDurability warns where a revocation that was answered can be lost.
func (e *env) checkDurability(ctx context.Context, a *app.App) error {
	warnings, err := a.LosesChanges(ctx)
	if err != nil {
		return failed(fmt.Errorf("live: %w", err))
	}
	for _, w := range warnings {
		fmt.Fprintln(e.stderr, "live: warning: the database:", w)
	}
	return nil
}

// sayOwners says of how many items the backend names the account, on which scope.mode ids rests
// where the owners are the backend's.
func (e *env) sayOwners(ctx context.Context, a *app.App, s *config.Settings) error {
	if s.Scope.Owners == config.OwnersStore {
		fmt.Fprintln(e.stdout, "live: the backend lists its items; whose they are, the store says")
		return nil
	}
	rows, err := a.Survey(ctx)
	switch {
	case err != nil:
		return failed(fmt.Errorf("live: %w", err))
	case rows.Items > 0 && rows.Owned == 0:
		return failed(fmt.Errorf("live: %s.\nscope.mode %s needs a cid in every item. Use scope.mode none with one account, or scope.owners store", rows, s.Scope.Mode))
	case rows.Items > rows.Owned:
		fmt.Fprintf(e.stdout, "live: %s. No token reaches those without.\n", rows)
	default:
		fmt.Fprintf(e.stdout, "live: %s\n", rows)
	}
	return nil
}

// checkBroker says whether the broker lets the gateway in.
func (e *env) checkBroker(ctx context.Context, a *app.App) error {
	asked, err := a.CheckBroker(ctx)
	if err != nil {
		return failed(fmt.Errorf("live: %w", err))
	}
	if asked {
		fmt.Fprintln(e.stdout, "live: the broker speaks MQTT 5 and takes the gateway's credential")
	}
	return nil
}

// checkIssuers says which issuers show their keys. Without them their tokens are refused.
func (e *env) checkIssuers(ctx context.Context, a *app.App) error {
	keys, err := a.CheckIssuers(ctx)
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		fmt.Fprintf(e.stdout, "live: issuer %s has %s\n", name, counted(keys[name], "key", "keys"))
	}
	if err != nil {
		return failed(fmt.Errorf("live: %w.\nTokens of theirs are refused until they can be read", err))
	}
	return nil
}

// checkPeer says whether limits can be shared. Where they cannot the gateway serves all the same.
func (e *env) checkPeer(ctx context.Context, a *app.App, s *config.Settings) error {
	asked, err := a.CheckPeer(ctx)
	if err != nil {
		return failed(fmt.Errorf("live: limits cannot be shared: %w", err))
	}
	if asked {
		fmt.Fprintf(e.stdout, "live: limits are shared (limits.shared: %s)\n", s.Limits.Shared)
	}
	return nil
}

// ignored says what was seen and what to do. An account that the policy does not know looks the
// same as a backend that does not know the header.
func ignored(tree *policy.Tree, f *probe.Result) string {
	text := fmt.Sprintf("live: under account %d the backend shows items of account %d (%s)", f.Account, f.Foreign, f.Collection)
	if f.Foreign == 0 {
		return fmt.Sprintf("live: items of %s have no \"cid\", so accounts cannot be kept apart.\nUse scope.mode none with one account, or scope.owners store", f.Collection)
	}
	if _, known := tree.Account(f.Foreign); known {
		return text + ".\nIt ignores x-flespi-cid: set scope.mode to ids, so that the gateway keeps accounts apart itself."
	}
	return text + fmt.Sprintf(", which the policy does not know.\nIf %d lies below %d, add it to accounts in the policy. "+
		"Otherwise the backend ignores x-flespi-cid: set scope.mode to ids.", f.Foreign, f.Account)
}
