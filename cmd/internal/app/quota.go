package app

import (
	"iter"
	"slices"
	"time"

	"aclgate/config"
	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/record"
	"aclgate/policy/store"
	"aclgate/proxy/quota"
)

// useLimits puts in force what the store says of accounts: their limits, and whether they are enabled
// (SPEC 12).
func (a *App) useLimits() {
	if a.policy == nil || a.settings.Scope.Accounts == config.AccountsBackend {
		return // accounts and limits are the backend's then
	}
	docs := a.policy.docs
	limits := map[int64]admin.Limit{}
	for id, doc := range docs(store.Limits) {
		if v, err := record.Parse(doc); err == nil {
			limits[id] = admin.LimitOf(v)
		}
	}
	var accounts []quota.Account
	for _, doc := range docs(store.Accounts) {
		v, err := record.Parse(doc)
		if err != nil {
			continue // the store says so, and it is in no branch
		}
		of := admin.AccountOf(v)
		limit, found := limits[of.LimitID]
		bounds := quotaOf(&of, limit, found)
		bounds.Named = a.named(of.ID)
		accounts = append(accounts, bounds)
	}
	a.quota.Use(a.policy.Tree(), accounts, len(a.settings.Metrics.Accounts) > 0)
}

// docs yields the documents of accounts or limits that are obeyed.
func (p *policySource) docs(t store.Table) iter.Seq2[int64, []byte] {
	if p.live != nil {
		return p.live.Docs(t)
	}
	return p.source.(*store.File).Policy().Docs(t)
}

// quotaOf returns what bounds an account by itself.
func quotaOf(of *admin.Account, limit admin.Limit, found bool) quota.Account {
	out := quota.Account{ID: of.ID, Disabled: of.Disabled, Calls: quota.None, Traffic: quota.None}
	if !found {
		return out
	}
	out.BlockFor = time.Duration(limit.BlockingDuration) * time.Second
	out.Zero = !slices.ContainsFunc(limit.Bounds, func(n int64) bool { return n != 0 })
	for i, b := range record.Bounds() {
		n := limit.Bounds[i]
		switch {
		case n < 0:
		case b.Name == "api_calls":
			out.Calls = n
		case b.Name == "api_traffic":
			out.Traffic = n
		case b.Counted == record.Items:
			if out.Items == nil {
				out.Items = map[string]int64{}
			}
			out.Items[b.Of] = n
		}
	}
	return out
}

// blocks implements policy.Blocks.
type blocks struct{ *App }

// Blocked implements policy.Blocks: by hand, or by a limit.
func (b blocks) Blocked(cid int64) bool { return b.quota.StateOf(cid, time.Now()).Blocked != 0 }

// blocked reports whether the account of a token is blocked now.
func (a *App) blocked(t *policy.Token) bool { return a.quota.StateOf(t.CID, time.Now()).Blocked != 0 }
