package app

import (
	"context"
	"time"

	"aclgate/config"
	"aclgate/config/tlsfiles"
)

const (
	// endingSoon is how far ahead tokens that end are counted, and endingTick how often they are.
	endingSoon = 7 * 24 * time.Hour
	endingTick = time.Hour
)

// ender is a store that can count which tokens end.
type ender interface {
	Ending(ctx context.Context, now, until int64) (int, error)
}

// certificates returns when the certificates that the settings name end, as their files are now.
func (a *App) certificates() map[string]time.Time {
	s := a.settings
	ends := map[string]time.Time{}
	for setting, file := range map[string]config.File{
		"listen.tls.cert_file": s.Listen.TLS.Cert, "upstream.tls.cert_file": s.Upstream.TLS.Cert, "mqtt.tls.cert_file": s.MQTT.TLS.Cert,
	} {
		if !file.IsSet() {
			continue
		}
		if end, err := tlsfiles.End(file.Path); err == nil { // what cannot be read is a silent fault already
			ends[setting] = end
		}
	}
	return ends
}

// countEnding keeps count of the tokens that end soon.
func (a *App) countEnding(ctx context.Context) {
	store, able := a.policy.source.(ender)
	if !able {
		return
	}
	tick := time.NewTicker(endingTick)
	defer tick.Stop()
	for {
		now := time.Now()
		if n, err := store.Ending(ctx, now.Unix(), now.Add(endingSoon).Unix()); err == nil {
			a.ending.Store(int64(n))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
