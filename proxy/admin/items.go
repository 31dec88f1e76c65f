package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"aclgate/policy/store"
)

// HandleItems adds the resource that answers a store.Missing. It must be called before Serve.
func (s *Server) HandleItems(find func(context.Context, *store.Missing)) {
	s.Handle(http.MethodPost, "/items", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m store.Missing
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQuestion)).Decode(&m); err != nil {
			Fail(w, http.StatusBadRequest, "expected a collection and runs of ids")
			return
		}
		m.Read, m.Unknown, m.First = false, 0, nil
		find(r.Context(), &m)
		m.Runs = nil
		Answer(w, &m)
	}))
}
