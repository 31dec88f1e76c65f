package app

import (
	"context"
	"time"

	"aclgate/metrics"
)

// faultTick is how often background faults are looked for.
const faultTick = 30 * time.Second

// backgroundFault is something that may fail without failing a request: what it was before stays in
// use, and will be wrong some day.
type backgroundFault struct {
	label          int          // of metrics.SilentFault
	check          func() error // nil while all is well
	failMsg, okMsg string       // for the log
}

// backgroundFaults returns what has to be checked of connections, once the addresses are taken.
func (a *App) backgroundFaults() []backgroundFault {
	all := []backgroundFault{
		{metrics.FaultUpstreamTLS, a.transport.TLSFault, "the TLS files for the backend changed and cannot be used: the old ones stay",
			"the TLS files for the backend can be used again"},
		{metrics.FaultUpstreamNames, a.transport.LookupFault, "the name of a backend cannot be looked up: its last known addresses stay in use",
			"the names of the backends can be looked up again"},
	}
	if a.listenTLSFault != nil {
		all = append(all, backgroundFault{metrics.FaultListenTLS, a.listenTLSFault,
			"the TLS files of the listener changed and cannot be used: the old ones stay",
			"the TLS files of the listener can be used again"})
	}
	if a.mqtt != nil && a.mqtt.tls != nil {
		all = append(all, backgroundFault{metrics.FaultMQTTTLS, a.mqtt.tls.Fault,
			"the TLS files of the MQTT listeners changed and cannot be used: the old ones stay",
			"the TLS files of the MQTT listeners can be used again"})
	}
	return all
}

// fileFaults returns what has to be checked of files beside the settings.
func (a *App) fileFaults() []backgroundFault {
	return []backgroundFault{
		{metrics.FaultKeys, a.keyFault, "a key cannot be read: the old one stays", "all keys can be read again"},
		{metrics.FaultUses, a.policy.UsesFault, "the last uses of tokens with a ttl cannot be written: after a restart they end too soon",
			"the last uses of tokens are written again"},
	}
}

// watchFaults logs once of each that it has begun to fail, and once that it works again. The metric
// shows it for as long as it lasts.
func (a *App) watchFaults(ctx context.Context, every time.Duration, all []backgroundFault) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	logged := make([]bool, len(all))
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for i, f := range all {
			switch err := f.check(); {
			case err != nil && !logged[i]:
				a.metrics.Add(metrics.SilentFault, 1, f.label)
				a.log.Error(f.failMsg, "error", err)
				logged[i] = true
			case err == nil && logged[i]:
				a.metrics.Add(metrics.SilentFault, -1, f.label)
				a.log.Info(f.okMsg)
				logged[i] = false
			}
		}
	}
}
