package admin

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"aclgate/policy/explain"
)

// maxQuestion bounds a question about a request, in bytes: the longest target and what comes with it.
const maxQuestion = 256 << 10

// Explainer explains a request, or an action on a topic, as the running gateway judges it: it returns an
// *explain.Report or an *explain.TopicReport. It may ask the backend, and ends with the context.
type Explainer func(context.Context, *explain.Question) (any, error)

// explained answers a question with the report. A request that cannot be explained because the
// backend does not answer is a 502, as the request itself would be.
func explained(do Explainer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuestion))
		if err != nil {
			Fail(w, http.StatusRequestEntityTooLarge, "the question is too long")
			return
		}
		var q explain.Question
		if err := json.Unmarshal(text, &q); err != nil {
			Fail(w, http.StatusBadRequest, "expected a question of `aclgate explain --live` of the same version")
			return
		}
		report, err := do(r.Context(), &q)
		if err != nil {
			Fail(w, http.StatusBadGateway, err.Error())
			return
		}
		Answer(w, report)
	}
}
