package app

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"aclgate/config"
	"aclgate/policy"
	"aclgate/policy/admin"
	"aclgate/policy/record"
	"aclgate/policy/store"
	"aclgate/proxy/platform"
	"aclgate/upstream/index"
)

// managedRoutes returns the routes of managed records, which the gateway answers itself; nil where it
// serves none.
func managedRoutes(s *config.Settings, cat *policy.Catalogue) map[*policy.Route]bool {
	if s.Platform.Serve != config.On {
		return nil
	}
	return platform.Managed(cat, s.Scope.Accounts == config.AccountsBackend)
}

// openPlatform makes the administration API.
func (a *App) openPlatform() error {
	if a.settings.Platform.Serve != config.On {
		return nil
	}
	o, err := platformOptions(a.settings, a.engine)
	if err != nil {
		return err
	}
	o.Owners, o.Usage = a.ownersOf, a.usage
	if a.logins != nil {
		o.Hash, o.Claims = a.logins.Hash, a.logins.Claims
	}
	if a.policy.live != nil {
		o.Store = platform.Database{Live: a.policy.live}
	} else {
		o.Store = platform.PolicyFile{Policy: a.policy.source.(*store.File).Policy, Name: a.settings.Store.Path.Text}
	}
	a.platform = platform.New(o)
	return nil
}

// platformOptions returns what the settings say of the administration API.
func platformOptions(s *config.Settings, engine *policy.Engine) (platform.Options, error) {
	ring, err := OpenRing(s)
	o := platform.Options{
		Settings: admin.Settings{
			MakesAccounts: s.Scope.Owners == config.OwnersStore, Audiences: map[string]string{},
			MaxDepth: s.Policy.MaxDepth, MaxTTL: int64(s.Platform.MaxTTL / time.Second), MaxExpire: int64(s.Platform.MaxExpire / time.Second),
		},
		MaxWrite: s.Policy.MaxWrite, Ring: ring, OneAccount: s.Scope.Mode == config.ScopeNone,
		Release: engine.Owners == policy.OwnersStore, MaxAge: s.Realms.MaxAge, MaxSessions: s.Realms.MaxSessions,
	}
	for _, i := range s.Realms.Issuers {
		o.Settings.Audiences[i.Name] = i.Audience
	}
	if s.Scope.Mode != config.ScopeNone && s.Scope.Owners != config.OwnersStore {
		o.FixedAccounts = "accounts are the backend's: make and delete them there, and bring them here with store import (docs/store.md, Accounts); with scope.owners: store they are made here"
	}
	return o, err
}

// OpenRing reads platform.keys_file; nil where keys are not kept.
func OpenRing(s *config.Settings) (*platform.Ring, error) {
	if s.Platform.Keys != config.KeysReveal {
		return nil, nil
	}
	key, err := os.ReadFile(s.Platform.KeysFile.Path)
	if err == nil {
		if digits := strings.TrimSpace(string(key)); len(digits) == hex.EncodedLen(platform.RingSize) {
			key, err = hex.DecodeString(digits)
		}
	}
	var ring *platform.Ring
	if err == nil {
		ring, err = platform.NewRing(key)
	}
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("cannot read platform.keys_file: %w", err)
	case err != nil:
		return nil, errors.New("cannot read platform.keys_file: expected 32 bytes, or 64 hexadecimal digits: openssl rand -hex 32 makes some")
	}
	return ring, nil
}

// ownersOf returns the accounts of the items called id in the collections that the uri of an entry
// covers, as far as the index knows them.
func (a *App) ownersOf(uri string, id int64) (cids []int64, kept bool) {
	view := a.index.View(a.policy.Tree())
	for _, c := range a.engine.Catalogue.Collections {
		covered := c.EntryURI == uri || strings.HasPrefix(c.EntryURI, uri+"/")
		if !covered || !a.keeps(view, c) {
			continue
		}
		kept = true
		if cid, known := view.Account(c, id); known {
			cids = append(cids, cid)
		}
	}
	return cids, kept
}

// keeps reports whether the index tells the accounts of the items of a collection.
func (a *App) keeps(view *index.View, c *policy.Collection) bool {
	return a.engine.Mode.Index() && c != nil && c.Scoped && c.IDs == policy.IDInt && view.Keeps(c)
}

// usage returns what an account uses of the bounds that are counted in this process, and how it is
// blocked for a while.
func (a *App) usage(cid int64) (used map[string]int64, blocked int) {
	state := a.quota.StateOf(cid, time.Now())
	used = map[string]int64{"api_calls": state.Calls, "api_traffic": state.Traffic}
	view := a.index.View(a.policy.Tree())
	for _, b := range record.Bounds() {
		if c := a.engine.Catalogue.Collection(b.Of); b.Counted == record.Items && a.keeps(view, c) {
			used[b.Name] = int64(len(view.Of(c, cid)))
		}
	}
	if state.Until.IsZero() { // a block without end is the records' to say: an answer may be about to lift it
		return used, admin.NotBlocked
	}
	return used, state.Blocked
}
