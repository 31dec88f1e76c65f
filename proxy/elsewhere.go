package proxy

import (
	"log/slog"
	"sync"
	"time"

	"aclgate/metrics"
	"aclgate/policy"
)

// elsewhereEvery is how often the log says of one collection that the backend puts new items into
// another account.
const elsewhereEvery = time.Minute

// elsewhere counts and reports new items that the backend put where their creators do not see them:
// it did not obey the cid that the gateway adds to bodies (SPEC 4.4, ids).
type elsewhere struct {
	log     *slog.Logger
	metrics *metrics.Metrics
	said    sync.Map // *policy.Collection → time.Time
}

// note counts an item that was created for the account scope and whose row says cid.
func (e *elsewhere) note(col *policy.Collection, id, scope, cid int64, now time.Time) {
	e.metrics.Add(metrics.CreatedElsewhere, 1)
	last, before := e.said.LoadOrStore(col, now)
	if before {
		if at := last.(time.Time); now.Sub(at) < elsewhereEvery || !e.said.CompareAndSwap(col, at, now) {
			return
		}
	}
	e.log.Warn("an item was created through the gateway, but the backend put it into another account, and its creator does not see it: "+
		"the backend does not obey the cid in bodies; scope.owners store helps",
		"collection", col.URI, "id", id, "account", scope, "put_into", cid)
}
