package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"aclgate/metrics/record"
	"aclgate/policy"
	"aclgate/policy/store"
	"aclgate/proxy/platform"
)

// waitName is the parameter that has a write wait for all gateways.
const waitName = "wait"

// Platform is what the operator administers by.
type Platform struct {
	API    *platform.API
	Engine *policy.Engine // reads the requests
	Live   *store.Live    // whose gateways a write may wait for; nil: there is no database
	Log    *slog.Logger   // nil: slog.Default()
}

// HandlePlatform adds the administration API, for the operator (SPEC 10.8). It must be called before
// Serve.
func (s *Server) HandlePlatform(p Platform) {
	e := *p.Engine
	e.Query = append(slices.Clone(e.Query), waitName)
	p.Engine = &e
	if p.Log == nil {
		p.Log = slog.Default()
	}
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		s.Handle(m, "/platform/", &p)
	}
}

// ServeHTTP reads the request as the public listener would, and has the API answer it.
func (p *Platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req policy.Request
	scope, ok := p.read(w, r, &req)
	if !ok {
		return
	}
	body, ok := readBody(w, r)
	if !ok {
		return
	}
	if len(body) > 0 && req.Data != nil {
		Fail(w, http.StatusBadRequest, "the body is given twice: as a body and as data")
		return
	}
	patient(w)
	decision := record.NewID().String()
	w.Header().Set("X-Aclgate-Decision", decision)
	source, _, _ := net.SplitHostPort(r.RemoteAddr)
	a := p.API.Serve(context.WithoutCancel(r.Context()), &platform.Call{
		Request: &req, Body: body, IfMatch: strings.Join(r.Header.Values("If-Match"), ","), Operator: true, Scope: scope,
		Now: time.Now(), Decision: decision, Source: source,
	})
	if a.Err != nil {
		p.Log.Error("cannot reach the records of the store", "decision", decision, "error", a.Err)
	}
	p.answer(w, r, &a)
}

// read reads the target and the acting account. Where it returns false it has answered.
func (p *Platform) read(w http.ResponseWriter, r *http.Request, req *policy.Request) (scope int64, ok bool) {
	if reason := req.Parse(p.Engine, policy.ParseMethod([]byte(method(r))), []byte(r.RequestURI)); reason != policy.NotJudged {
		Fail(w, reason.Answer().Status, req.Detail)
		return 0, false
	}
	switch {
	case req.Route == nil && req.Allow != 0:
		w.Header().Set("Allow", string(req.Allow.Append(nil)))
		Fail(w, http.StatusMethodNotAllowed, "method is not allowed here")
		return 0, false
	case req.Route == nil || !p.Engine.Managed[req.Route]:
		Fail(w, http.StatusNotFound, "no such resource")
		return 0, false
	}
	named := r.Header.Values("X-Flespi-Cid")
	switch {
	case len(named) == 0:
		return req.CID, true
	case len(named) > 1 || req.CID != 0:
		Fail(w, http.StatusBadRequest, "the account is named twice")
		return 0, false
	}
	if scope, ok = policy.ParseID([]byte(named[0])); !ok {
		Fail(w, http.StatusBadRequest, "x-flespi-cid is the id of an account")
	}
	return scope, ok
}

func method(r *http.Request) string {
	if r.Method == http.MethodHead {
		return http.MethodGet
	}
	return r.Method
}

// answer sends an answer. With ?wait=true a change is answered when every gateway obeys it, or can
// decide nothing any more.
func (p *Platform) answer(w http.ResponseWriter, r *http.Request, a *platform.Answer) {
	h := w.Header()
	if a.ETag != "" {
		h.Set("ETag", a.ETag)
	}
	if a.Allow != 0 {
		h.Set("Allow", string(a.Allow.Append(nil)))
	}
	if retry := a.Reason.Answer().Retry; retry > 0 {
		h.Set("Retry-After", strconv.Itoa(retry))
	}
	body := a.Body
	if a.Rev != 0 {
		h.Set("X-Aclgate-Revision", strconv.FormatInt(a.Rev, 10))
		if p.Live != nil && r.URL.Query().Get(waitName) == "true" {
			heard, err := p.heard(r, a.Rev)
			if err != nil {
				failStore(w, err)
				return
			}
			body = fmt.Appendf(body[:len(body)-1], `,"heard":%s}`, heard)
		}
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(a.Status)
	_, _ = w.Write(append(body, '\n')) // a client that went away needs no answer
}

// heard waits until a revision is obeyed, and says by whom, as JSON.
func (p *Platform) heard(r *http.Request, rev int64) ([]byte, error) {
	all, heard, err := p.Live.Wait(r.Context(), rev)
	if err != nil {
		return nil, err
	}
	b := fmt.Appendf(nil, `{"all":%t,"replicas":[`, heard)
	for i, x := range all {
		if i > 0 {
			b = append(b, ',')
		}
		name, _ := json.Marshal(x.Replica.Replica) // a string always can be
		b = fmt.Appendf(b, `{"name":%s,"applied":%t,"lease_ran_out":%t}`, name, x.Obeys, x.Ended)
	}
	return append(b, "]}"...), nil
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, platform.MaxBody))
	if err != nil {
		Fail(w, http.StatusRequestEntityTooLarge, "the body is longer than 1MiB")
		return nil, false
	}
	return body, true
}
