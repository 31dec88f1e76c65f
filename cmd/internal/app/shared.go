package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"aclgate/config"
	"aclgate/metrics"
	"aclgate/policy/store/postgres"
	"aclgate/proxy/debt"
	"aclgate/proxy/debt/redis"
	"aclgate/proxy/limit"
)

// How often gateways tell each other what they have admitted (SPEC 15.7).
const (
	everyStore = 500 * time.Millisecond
	everyRedis = 100 * time.Millisecond
)

// pruneRates is how often the database forgets debts that were paid off.
const pruneRates = time.Minute

// openPeer opens where gateways add up what they have admitted, if the settings say so. It connects
// to nothing yet.
func (a *App) openPeer() error {
	switch a.settings.Limits.Shared {
	case config.SharedStore:
		e, found := a.database.(*postgres.Engine)
		if !found {
			return errors.New("limits.shared: store needs store.kind postgres")
		}
		a.peer = &databasePeer{engine: e, keep: 2 * a.quota.Window()}
	case config.SharedRedis:
		p, err := redis.Open(a.settings.Limits.RedisURL.Path)
		if err != nil {
			return fmt.Errorf("limits.redis_url_file: %w", err)
		}
		if p.Plain() {
			a.log.Warn("limits.redis_url_file: the URL has no TLS, for an address that is not loopback: whoever is on the way reads the password, and can change what callers owe; rediss:// has it")
		}
		a.peer = p
	}
	return nil
}

// databasePeer is the database of several gateways.
type databasePeer struct {
	engine *postgres.Engine
	keep   time.Duration
	pruned time.Time
}

// Exchange implements debt.Peer.
func (p *databasePeer) Exchange(ctx context.Context, r *debt.Round) ([]int64, error) {
	totals, err := p.engine.Exchange(ctx, &postgres.Rates{Since: r.Since, Names: r.Names, Drains: r.Drains, Amounts: r.Amounts})
	if err == nil && time.Since(p.pruned) > pruneRates {
		p.pruned = time.Now()
		err = p.engine.PruneRates(ctx, p.keep)
	}
	return totals, err
}

// Debts implements debt.Peer.
func (p *databasePeer) Debts(ctx context.Context, most int, yield func(name string, amount int64)) error {
	return p.engine.Debts(ctx, most, yield)
}

// shareLimits has what a limiter admits told to other gateways. name tells it from other limiters.
func (a *App) shareLimits(name string, l *limit.Limiter, clock func() int64) {
	if a.peer != nil {
		a.shared = append(a.shared, debt.Limits{Name: name, On: l, Clock: clock})
	}
}

// openExchange joins the limits and the peer, and has the rounds counted.
func (a *App) openExchange() {
	if a.peer == nil {
		return
	}
	every := everyStore
	if a.settings.Limits.Shared == config.SharedRedis {
		every = everyRedis
	}
	a.exchange = debt.New(debt.Options{Peer: a.peer, Every: every, Limits: a.shared, Book: a.quota, Log: a.log})
	a.metrics.CollectExchange(func() metrics.ExchangeStats { return metrics.ExchangeStats(a.exchange.Stats()) })
}

// CheckPeer asks where limits are added up once, without serving: it can be reached, and lets the
// gateway in. It reports whether there was something to ask.
func (a *App) CheckPeer(ctx context.Context) (asked bool, err error) {
	if a.peer == nil {
		return false, nil
	}
	ctx, stop := context.WithTimeout(ctx, liveFor)
	defer stop()
	_, err = a.peer.Exchange(ctx, &debt.Round{Keep: time.Second, Names: []string{"check"}, Drains: []bool{true}, Amounts: []int64{0}})
	return true, err
}
