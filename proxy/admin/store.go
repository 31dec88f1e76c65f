package admin

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"aclgate/policy"
	"aclgate/policy/store"
)

// Bounds of what is asked of the store.
const (
	maxStoreBody = 1 << 20
	maxListed    = 10000 // tokens or changes of one answer
	operator     = "operator"
)

// HandleStore adds the resources of a store that can be written. It must be called before Serve.
func (s *Server) HandleStore(live *store.Live) {
	h := &records{live}
	s.Handle(http.MethodGet, "/store/status", http.HandlerFunc(h.status))
	s.Handle(http.MethodGet, "/store/verify", http.HandlerFunc(h.verify))
	s.Handle(http.MethodGet, "/store/changes", http.HandlerFunc(h.changes))
	s.Handle(http.MethodPost, "/store/accept", http.HandlerFunc(h.accept))
	s.Handle(http.MethodGet, "/store/tokens", http.HandlerFunc(h.list))
	s.Handle(http.MethodPost, "/store/tokens", http.HandlerFunc(h.make))
	s.Handle(http.MethodGet, "/store/tokens/", http.HandlerFunc(h.show))
	s.Handle(http.MethodPut, "/store/tokens/", http.HandlerFunc(h.edit))
	s.Handle(http.MethodDelete, "/store/tokens/", http.HandlerFunc(h.revoke))
}

// HandleFile adds the answer of a store that is a file to what would write: it names the file. It
// must be called before Serve.
func (s *Server) HandleFile(path string) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", "")
		Fail(w, http.StatusMethodNotAllowed, "store.kind is file: edit "+path+", which the gateway reads again within two seconds")
	})
	for _, x := range [][2]string{
		{http.MethodPost, "/store/accept"}, {http.MethodPost, "/store/tokens"}, {http.MethodPut, "/store/tokens/"}, {http.MethodDelete, "/store/tokens/"},
	} {
		s.Handle(x[0], x[1], refuse)
	}
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
	Table    string          `json:"table"`
	IDs      []int64         `json:"ids"`
	Before   json.RawMessage `json:"before,omitempty"`
	After    json.RawMessage `json:"after,omitempty"`
}

func (h *records) changes(w http.ResponseWriter, r *http.Request) {
	q := store.ChangeQuery{Limit: 100}
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
		all = append(all, change{c.Rev, c.At.UTC(), c.Actor, c.Table.String(), c.IDs, shown(c.Before), shown(c.After)})
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

// row is a token as an operator may see it.
func row(rec *store.Record, metadata []byte, used int64) json.RawMessage {
	doc := store.AppendDoc(nil, rec, metadata)
	if used > 0 {
		doc = append(strconv.AppendInt(append(doc[:len(doc)-1], `,"accessed":`...), used, 10), '}')
	}
	return shown(doc)
}

func (h *records) list(w http.ResponseWriter, r *http.Request) {
	patient(w)
	var all []any
	enough := errors.New("enough")
	err := h.live.View(r.Context(), func(tx *store.Tx) error {
		return tx.Each(store.Tokens, func(x store.Row) error {
			if len(all) == maxListed {
				return enough
			}
			rec, metadata, err := tx.Read(x)
			if err != nil {
				all = append(all, map[string]any{"id": x.ID, "fault": "the row does not read"})
				return nil
			}
			all = append(all, row(rec, metadata, h.live.LastUse(x.ID)))
			return nil
		})
	})
	if err != nil && !errors.Is(err, enough) {
		failStore(w, err)
		return
	}
	Answer(w, all...)
}

// target returns the id that a path names.
func target(w http.ResponseWriter, r *http.Request) (int64, bool) {
	id, ok := policy.ParseID([]byte(strings.TrimPrefix(r.URL.Path, "/store/tokens/")))
	if !ok {
		Fail(w, http.StatusBadRequest, "expected the id of a token at the end of the path")
	}
	return id, ok
}

func (h *records) show(w http.ResponseWriter, r *http.Request) {
	id, ok := target(w, r)
	if !ok {
		return
	}
	var found json.RawMessage
	err := h.live.View(r.Context(), func(tx *store.Tx) error {
		x, err := tx.Get(store.Tokens, id)
		if err != nil {
			return err
		}
		rec, metadata, err := tx.Read(x)
		if err != nil {
			return err
		}
		found = row(rec, metadata, h.live.LastUse(id))
		w.Header().Set("ETag", `"`+x.Mark.String()+`"`)
		return nil
	})
	if err != nil {
		failStore(w, err)
		return
	}
	Answer(w, found)
}

func (h *records) make(w http.ResponseWriter, r *http.Request) {
	body, ok := readBody(w, r)
	if !ok {
		return
	}
	var id int64
	var key string
	h.write(w, r, func(tx *store.Tx) (err error) {
		id, key, err = tx.NewToken(body, time.Now().Unix())
		return err
	}, func() any { return map[string]any{"id": id, "key": key} })
}

func (h *records) edit(w http.ResponseWriter, r *http.Request) {
	id, ok := target(w, r)
	if !ok {
		return
	}
	body, ok := readBody(w, r)
	if !ok {
		return
	}
	h.write(w, r, func(tx *store.Tx) error {
		if err := expected(tx, r, id); err != nil {
			return err
		}
		return tx.MergeToken(id, body)
	}, func() any { return map[string]any{"id": id} })
}

func (h *records) revoke(w http.ResponseWriter, r *http.Request) {
	id, ok := target(w, r)
	if !ok {
		return
	}
	h.write(w, r, func(tx *store.Tx) error {
		if err := expected(tx, r, id); err != nil {
			return err
		}
		return tx.Delete(store.Tokens, id)
	}, func() any { return map[string]any{"id": id} })
}

// expected obeys If-Match, so that who was slower does not undo what somebody else has changed.
func expected(tx *store.Tx, r *http.Request, id int64) error {
	text := strings.Trim(r.Header.Get("If-Match"), `"`)
	if text == "" || text == "*" {
		return nil
	}
	var mark store.Mark
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(mark) {
		return store.ErrChanged
	}
	return tx.Expect(store.Tokens, id, store.Mark(b))
}

// heardOf says of one gateway whether it obeys a change.
type heardOf struct {
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
	Ended   bool   `json:"lease_ran_out,omitempty"`
}

// write makes a change. With ?wait=true it answers when every gateway obeys it, or can decide
// nothing any more.
func (h *records) write(w http.ResponseWriter, r *http.Request, do func(*store.Tx) error, done func() any) {
	patient(w)
	head, err := h.live.Write(context.WithoutCancel(r.Context()), operator, do)
	if err != nil {
		failStore(w, err)
		return
	}
	w.Header().Set("X-Aclgate-Revision", strconv.FormatInt(head.Rev, 10))
	result := []any{done()}
	if r.URL.Query().Get("wait") == "true" {
		all, heard, err := h.live.Wait(r.Context(), head.Rev)
		if err != nil {
			failStore(w, err)
			return
		}
		replicas := make([]heardOf, 0, len(all))
		for _, x := range all {
			replicas = append(replicas, heardOf{x.Replica.Replica, x.Obeys, x.Ended})
		}
		result = append(result, map[string]any{"heard": heard, "replicas": replicas})
	}
	Answer(w, result...)
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxStoreBody))
	if err != nil {
		Fail(w, http.StatusRequestEntityTooLarge, "the body is longer than 1MiB")
		return nil, false
	}
	return body, true
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
