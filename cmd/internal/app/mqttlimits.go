package app

import (
	"sync"
	"time"

	"aclgate/config"
	"aclgate/policy"
	"aclgate/proxy/limit"
	"aclgate/proxy/mqtt"
)

// mqttLimits bounds MQTT sessions and what they publish. Either limiter may be nil, which bounds
// nothing.
type mqttLimits struct {
	sessions, publish *limit.Limiter
	began             time.Time
	holds             sync.Pool // of *limit.Hold, for messages
}

// newMQTTLimits returns what bounds the sessions of tokens and accounts, nil where the settings set no
// bound, and has its counters exported.
func (a *App) newMQTTLimits() mqtt.Limits {
	sessions := func(l *config.CallerLimit) limit.Limit { return limit.Limit{Concurrent: l.MQTTSessions} }
	publish := func(l *config.CallerLimit) limit.Limit {
		rate := config.Limit{Rate: l.MQTTPublish}
		return limit.Limit{Rate: rate.Rate.PerSecond(), Burst: rate.Size()}
	}
	s := &a.settings.Limits
	l := &mqttLimits{
		sessions: limit.New(limit.Options{Token: sessions(&s.PerToken), Account: sessions(&s.PerAccount)}),
		publish:  limit.New(limit.Options{Token: publish(&s.PerToken), Account: publish(&s.PerAccount), Shared: a.peer != nil}),
		began:    time.Now().Add(-time.Second), // the limiters' clock never shows 0
		holds:    sync.Pool{New: func() any { return new(limit.Hold) }},
	}
	a.collectLimits("mqtt-sessions-", l.sessions)
	a.collectLimits("mqtt-publish-", l.publish)
	a.shareLimits("mqtt-publish-", l.publish, func() int64 { return int64(time.Since(l.began)) })
	if l.sessions == nil && l.publish == nil {
		return nil
	}
	return l
}

// Begin implements mqtt.Limits.
func (l *mqttLimits) Begin(t *policy.Token, tree *policy.Tree) (end func(), reason policy.Reason) {
	hold := new(limit.Hold)
	if reason := l.sessions.Admit(hold, t, tree, int64(time.Since(l.began))); reason != policy.NotJudged {
		return nil, reason
	}
	return hold.Release, policy.NotJudged
}

// Publish implements mqtt.Limits.
func (l *mqttLimits) Publish(t *policy.Token, tree *policy.Tree) policy.Reason {
	hold := l.holds.Get().(*limit.Hold)
	reason := l.publish.Admit(hold, t, tree, int64(time.Since(l.began)))
	hold.Release()
	l.holds.Put(hold)
	return reason
}
