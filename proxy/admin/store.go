package admin

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"aclgate/policy/store"
)

// Bounds of what is asked of the store.
const (
	maxChanges = 100 // of one answer
)

// HandleStore adds the resources of a store that can be written. It must be called before Serve.
func (s *Server) HandleStore(live *store.Live) {
	h := &records{live}
	s.Handle(http.MethodGet, "/store/status", http.HandlerFunc(h.status))
	s.Handle(http.MethodGet, "/store/verify", http.HandlerFunc(h.verify))
	s.Handle(http.MethodGet, "/store/changes", http.HandlerFunc(h.changes))
	s.Handle(http.MethodPost, "/store/accept", http.HandlerFunc(h.accept))
}

// HandleFile adds the answer of a store that is a file to what would write: it names the file. It
// must be called before Serve.
func (s *Server) HandleFile(path string) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", "")
		Fail(w, http.StatusMethodNotAllowed, "store.kind is file: edit "+path+", which the gateway reads again within two seconds")
	})
	s.Handle(http.MethodPost, "/store/accept", refuse)
}

// records serves the records of a store to the operator (SPEC 15.6). What changes them has taken
// effect when it is answered.
type records struct{ live *store.Live }

// storeStatus is how the store is.
type storeStatus struct {
	Store    string            `json:"store"`
	Up       bool              `json:"up"`
	Head     int64             `json:"head"`
	Applied  int64             `json:"applied"`
	Lease    float64           `json:"lease_seconds"`
	Tokens   int               `json:"tokens"`
	Accounts int               `json:"accounts"`
	BadRows  int64             `json:"bad_rows"`
	InDoubt  int64             `json:"in_doubt"`
	Resyncs  map[string]uint64 `json:"resyncs"`
	Replicas []replicaStatus   `json:"replicas,omitempty"`
}

type replicaStatus struct {
	Name    string  `json:"name"`
	Version string  `json:"version"`
	Applied int64   `json:"applied"`
	Age     float64 `json:"age_seconds"`
}

func (h *records) status(w http.ResponseWriter, r *http.Request) {
	stats, state := h.live.Stats(), h.live.State()
	s := storeStatus{
		Store: h.live.Engine().Name(), Up: stats.Up, Head: stats.Head, Applied: stats.Applied, Lease: stats.Lease.Seconds(),
		Accounts: state.Accounts, BadRows: stats.BadRows, InDoubt: stats.InDoubt, Resyncs: stats.Resyncs,
	}
	for _, n := range state.Tokens {
		s.Tokens += n
	}
	replicas, err := h.live.Engine().Replicas(r.Context())
	if err != nil {
		failStore(w, err)
		return
	}
	for _, x := range replicas {
		s.Replicas = append(s.Replicas, replicaStatus{x.Replica, x.Version, x.Applied, x.Age.Seconds()})
	}
	Answer(w, s)
}

// accept says that a database which went back is right.
func (h *records) accept(w http.ResponseWriter, _ *http.Request) {
	Answer(w, map[string]int{"accepted": h.live.Accept()})
}

func (h *records) verify(w http.ResponseWriter, r *http.Request) {
	patient(w)
	v, err := h.live.Verify(r.Context())
	if err != nil {
		failStore(w, err)
		return
	}
	Answer(w, v)
}

// patient lifts the deadline of an answer: a large store takes a while to read.
func patient(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a connection that knows none has none to lift
}

// change is a change of the history, as an operator may see it.
type change struct {
	Revision int64           `json:"revision"`
	Time     time.Time       `json:"time"`
	Actor    string          `json:"actor"`
	How      string          `json:"how,omitempty"`
	Table    string          `json:"table"`
	IDs      []int64         `json:"ids"`
	Before   json.RawMessage `json:"before,omitempty"`
	After    json.RawMessage `json:"after,omitempty"`
}

// ShowChange returns a change of the history as an operator may see it, to be written as JSON.
func ShowChange(c store.Change) any {
	actor, how := c.Who()
	return change{c.Rev, c.At.UTC(), actor, how, c.Table.String(), c.IDs, shown(c.Before), shown(c.After)}
}

func (h *records) changes(w http.ResponseWriter, r *http.Request) {
	q := store.ChangeQuery{Limit: maxChanges}
	for name, dst := range map[string]*int64{"after": &q.After, "token": &q.ID} {
		if text := r.URL.Query().Get(name); text != "" {
			v, err := strconv.ParseInt(text, 10, 64)
			if err != nil || v < 0 {
				Fail(w, http.StatusBadRequest, name+": expected a whole number")
				return
			}
			*dst = v
		}
	}
	if q.ID > 0 {
		q.Table = store.Tokens
	}
	var all []any
	err := h.live.Engine().Changes(r.Context(), q, func(c store.Change) error {
		all = append(all, ShowChange(c))
		return nil
	})
	if err != nil {
		failStore(w, err)
		return
	}
	Answer(w, all...)
}

// digests finds the digests of keys in documents. They are shown as their first 8 digits.
var digests = regexp.MustCompile(`("key_sha256"\s*:\s*"[0-9a-fA-F]{8})[0-9a-fA-F]{56}"`)

// shown returns a document as an operator may see it. What is no JSON, a row that was broken by
// hand, is not shown.
func shown(doc []byte) json.RawMessage {
	if doc == nil || !json.Valid(doc) {
		return nil
	}
	return digests.ReplaceAll(doc, []byte(`$1"`))
}

// failStore says why something could not be done.
func failStore(w http.ResponseWriter, err error) {
	var inUse *store.InUse
	status := http.StatusServiceUnavailable
	switch {
	case errors.Is(err, store.ErrUnheard):
	case errors.Is(err, store.ErrReadOnly):
		status = http.StatusMethodNotAllowed
	case errors.Is(err, store.ErrNoRow):
		status = http.StatusNotFound
	case errors.Is(err, store.ErrChanged):
		status = http.StatusPreconditionFailed
	case errors.Is(err, store.ErrTaken), errors.As(err, &inUse):
		status = http.StatusConflict
	case store.IsFault(err):
		status = http.StatusBadRequest
	}
	Fail(w, status, slices.Clip(lines(err))...)
}
