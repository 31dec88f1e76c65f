package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"aclgate/metrics/record"
)

// maxScrapes is how many scrapes run at once; those that overlap share one gathering.
const maxScrapes = 8

// exposition serves what g gathers as text, OpenMetrics or protobuf, whichever is asked for; native
// histograms exist in the last. A collector that fails costs its own metrics, not the others.
func exposition(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true,
		MaxRequestsInFlight: maxScrapes, CoalesceGather: true,
	})
}

// state is an element of result that tells how something is.
type state struct {
	Name   string `json:"name,omitempty"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
}

// alive answers as long as the process can: it must not be restarted because a backend or a policy
// is broken.
func alive(w http.ResponseWriter, _ *http.Request) { Answer(w, state{State: "ok"}) }

// ready names each check and how it stands, and is a 503 if one does not hold that is
// more than advice.
func ready(checks []Check) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		b := body{Result: []any{}}
		for _, c := range checks {
			x := state{Name: c.Name, State: "ok"}
			if err := c.Func(); err != nil && c.Advisory {
				x.State, x.Reason = "degraded", err.Error()
			} else if err != nil {
				x.State, x.Reason = "failed", err.Error()
				b.Errors = append(b.Errors, fault{http.StatusServiceUnavailable, c.Name + ": " + x.Reason})
			}
			b.Result = append(b.Result, x)
		}
		if len(b.Errors) > 0 {
			send(w, http.StatusServiceUnavailable, b)
			return
		}
		send(w, http.StatusOK, b)
	}
}

// reload answers when the reload is done: from then on every request is judged by what was read
// (SPEC 6). A client that goes away does not stop it half way.
func reload(do func() error, notice func() string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		// Reading a large policy may take longer than an answer is given. A connection that knows
		// no deadline has none to lift.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
		if err := do(); err != nil {
			Fail(w, http.StatusUnprocessableEntity, lines(err)...)
			return
		}
		done := state{State: "reloaded"}
		if notice != nil {
			done.Reason = notice()
		}
		Answer(w, done)
	}
}

// lines returns the faults of err: one a line, as errors.Join and the readers of files print them.
func lines(err error) []string {
	var all []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	if all == nil {
		return []string{"reload failed"}
	}
	return all
}

// why shows what is remembered of one decision.
func why(ring *record.Ring) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := record.ParseID(strings.TrimPrefix(r.URL.Path, "/why/"))
		if err != nil {
			Fail(w, http.StatusBadRequest, err.Error())
			return
		}
		var rec record.Record
		if !ring.Get(id, &rec) {
			Fail(w, http.StatusNotFound, "this decision is not remembered: only the latest are")
			return
		}
		Answer(w, json.RawMessage(rec.AppendJSON(nil)))
	}
}
