package topic

import (
	"testing"

	"aclgate/policy"
)

// Topics of records that the gateway keeps itself are closed to masters, too: the broker's would show
// keys of the backend, or another truth.
func TestTopicsOfManagedRecords(t *testing.T) {
	w := newWorld(t, policy.ModeHeader)
	master := w.plain(policy.Master, 1)
	for _, serves := range []bool{false, true} {
		if serves {
			w.engine.Managed = map[*policy.Route]bool{}
			for _, uri := range []string{"platform/tokens", "platform/subaccounts"} {
				for _, r := range w.engine.Catalogue.Collection(uri).Routes {
					w.engine.Managed[r] = true
				}
			}
		}
		for topic, open := range map[string]bool{
			"flespi/state/platform/tokens/5": false, "flespi/state/platform/subaccounts/11": !serves, "flespi/state/platform/webhooks/5": true,
		} {
			if got := w.judge(master).Deliver([]byte(topic), 0); (got == policy.Permitted) != open {
				t.Errorf("served %t, %s: got %s", serves, topic, got)
			}
		}
	}
}
