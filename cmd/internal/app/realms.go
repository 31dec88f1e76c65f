package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"aclgate/metrics"
	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
	"aclgate/policy/store"
	"aclgate/proxy/login"
	"aclgate/proxy/login/jwt"
)

// withSessions puts the sessions of users in front of the store of a policy. The first policy is the
// one in force, whose users log in; one beside it has the same sessions. live is nil for a file.
func (a *App) withSessions(p *policySource, st store.Store, r login.Records, live *store.Live) *login.Store {
	if a.logins != nil {
		return a.logins.Beside(st, r, p.Tree)
	}
	s := a.settings.Realms
	o := login.Options{
		Records: r, Tree: p.Tree, Blocked: a.closed, MaxAge: s.MaxAge, MaxSessions: s.MaxSessions, Hashers: s.Hashers,
		Cost: s.BcryptCost, Log: a.log, Roots: a.options.IssuerRoots, Issuers: a.issuers(),
	}
	if live != nil {
		o.Write = func(ctx context.Context, actor string, change func(*store.Tx) error) error {
			_, err := live.Write(ctx, actor, change)
			return err
		}
		o.Fits = func(tx *store.Tx, parent int64) error {
			if a.platform == nil {
				return errNoPlatform
			}
			return a.platform.AccountFits(tx, parent, time.Now())
		}
	}
	a.logins = login.New(o)
	a.metrics.CollectLogins(func() metrics.LoginStats {
		st := a.logins.Stats()
		return metrics.LoginStats{Outcomes: login.Outcomes[:], Logins: st.Logins[:], Sessions: st.Sessions, Verdicts: login.Verdicts[:], Verified: st.Verified[:], Failing: st.Failing}
	})
	return a.logins.Store(st)
}

// issuers returns those of the settings.
func (a *App) issuers() (all []jwt.Issuer) {
	for _, i := range a.settings.Realms.Issuers {
		all = append(all, jwt.NewIssuer(i.Name, i.URL, i.Audience, i.Algorithms, i.JWKSMaxAge))
	}
	return all
}

// CheckIssuers asks the issuers of the settings for their keys, without serving: see jwt.Verifier.Ask.
func (a *App) CheckIssuers(ctx context.Context) (keys map[string]int, err error) {
	return jwt.New(jwt.Options{Issuers: a.issuers(), Roots: a.options.IssuerRoots, Log: a.log}).Ask(ctx)
}

// errNoPlatform says that nobody knows how many accounts there may be.
var errNoPlatform = errors.New("platform.serve is off: users get no accounts of their own")

// closed reports whether an account is blocked without end, by itself or by one above it. Nobody is
// kept from logging in by a block that ends.
func (a *App) closed(cid int64) bool { return a.quota.Closed(cid) }

// UserSession returns what a session of a user could do until it ends, by the records of a policy: one that a
// token from elsewhere with these claims makes, nil: a login. It is nil where there is no such user.
func UserSession(p *store.Policy, user, ends int64, claims realm.Claims) *store.Record {
	rec, found := login.SessionOf(p, p.Tree, user, ends, claims)
	return nameSession(rec, found)
}

// InUse returns a token as it may be used at this moment, by the records of a policy: one that carries a user
// may do what the user may.
func InUse(p *store.Policy, rec *store.Record) *store.Record {
	if rec.Made.User == 0 {
		return rec
	}
	return login.Bound(p, p.Tree, rec)
}

// ReadClaims reads the claims of a token from elsewhere, an object of JSON; of no text there are none.
func ReadClaims(text []byte) (realm.Claims, error) {
	if len(text) == 0 {
		return nil, nil
	}
	v, err := record.Parse(text)
	if err == nil && v.Shape != record.Object {
		err = errors.New("expected an object")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the claims: %w", err)
	}
	return login.ClaimsOf(v), nil
}

func nameSession(rec *store.Record, found bool) *store.Record {
	if !found {
		return nil
	}
	rec.Token.Info = fmt.Sprintf("a session of user %d", rec.Token.UserID)
	return rec
}

// HashPassword returns the verifier of a password that will do.
func HashPassword(password string, cost int) (string, error) {
	if fault := realm.NewPassword(password, ""); fault != nil {
		return "", fault
	}
	return login.Hash(password, cost)
}

// IdleMappings says of each realm which roles its claims give that count for nothing: they are not there,
// or reach further than users of the realm may.
func IdleMappings(p *store.Policy) (all []string) {
	var roles []realm.Role
	for _, text := range p.Docs(store.Roles) {
		if doc, err := record.Parse(text); err == nil {
			roles = append(roles, realm.RoleOf(doc))
		}
	}
	for id, text := range p.Docs(store.Realms) {
		doc, err := record.Parse(text)
		if err != nil {
			continue
		}
		r := realm.RealmOf(doc)
		mapped := r.Mapped()
		slices.Sort(mapped)
		for _, name := range slices.Compact(mapped) {
			role, found := realm.Find(roles, id, name)
			switch {
			case !found:
				all = append(all, fmt.Sprintf("claims of realm %d give the role %s, which is not there: it counts for nothing", id, name))
			case role.Reach == policy.ReachTree && !p.Tree.Root(r.CID):
				all = append(all, fmt.Sprintf("claims of realm %d give the role %s, which reaches everything: it counts for nothing where the account of the realm, %d, is no root", id, name, r.CID))
			}
		}
	}
	return all
}
