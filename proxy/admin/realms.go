package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"aclgate/policy"
	"aclgate/proxy/login"
)

// Realms is what lets users in, on the public listener and here alike.
type Realms interface {
	Info(publicID string) ([]byte, bool)
	Login(ctx context.Context, a login.Attempt) login.Answer
}

// realms serves /realm/… to the operator (SPEC 10.8).
type realms struct {
	realms Realms
	engine *policy.Engine
}

// HandleRealms adds /realm/…, for the operator. It must be called before Serve.
func (s *Server) HandleRealms(r Realms, e *policy.Engine) {
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
		s.Handle(m, "/realm/", &realms{r, e})
	}
}

// ServeHTTP reads the request as the public listener would.
func (h *realms) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var req policy.Request
	if reason := req.Parse(h.engine, policy.ParseMethod([]byte(method(r))), []byte(r.RequestURI)); reason != policy.NotJudged {
		Fail(w, reason.Answer().Status, req.Detail)
		return
	}
	local := policy.NoLocalReply
	if req.Route != nil {
		local = req.Route.Local
	}
	switch {
	case local == policy.LocalRealmInfo:
		h.info(w, string(req.Selectors[0].Text))
	case local == policy.LocalLogin:
		h.login(w, r, &req)
	case local == policy.LocalUser: // the operator is no user: as for the token of any other realm
		become(w, &login.Answer{Reason: policy.NoEntry})
	case req.Route == nil && req.Allow != 0:
		w.Header().Set("Allow", string(req.Allow.Append(nil)))
		Fail(w, http.StatusMethodNotAllowed, "method is not allowed here")
	default:
		Fail(w, http.StatusNotFound, "no such resource")
	}
}

func (h *realms) info(w http.ResponseWriter, publicID string) {
	row, found := h.realms.Info(publicID)
	if !found {
		Fail(w, http.StatusNotFound, "there is no such realm")
		return
	}
	become(w, &login.Answer{Reason: policy.OwnAnswer, Body: row})
}

// login checks the password of a user. Failures count for the address of the operator, as they would on
// the public listener.
func (h *realms) login(w http.ResponseWriter, r *http.Request, req *policy.Request) {
	if req.Data != nil {
		Fail(w, http.StatusBadRequest, "a password belongs into the body: targets stand in logs")
		return
	}
	body, ok := readBody(w, r)
	if !ok {
		return
	}
	defer clear(body)
	from, _ := netip.ParseAddrPort(r.RemoteAddr) // who has no address counts as one more
	a := h.realms.Login(r.Context(), login.Attempt{PublicID: string(req.Selectors[0].Text), Body: body, From: from.Addr().Unmap(), Began: time.Now()})
	become(w, &a)
}

// become sends what came of a request.
func become(w http.ResponseWriter, a *login.Answer) {
	if a.Reason == policy.OwnAnswer {
		Answer(w, json.RawMessage(a.Body))
		return
	}
	is, text := a.Reason.Answer(), a.Text
	if text == "" {
		text = is.Text
	}
	if is.Class == policy.ClassNotPermitted {
		text = "action is not permitted by ACL"
	}
	if retry := max(is.Retry, int((a.Retry+time.Second-1)/time.Second)); retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(retry))
	}
	send(w, is.Status, body{Errors: []fault{{is.Code, text}}})
}
