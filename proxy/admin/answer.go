package admin

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// fault is one element of errors. Its code is the HTTP status, so that it can never be mistaken for
// one of the API's (SPEC 5).
type fault struct {
	Code   int    `json:"code"`
	Reason string `json:"reason"`
}

type body struct {
	Errors []fault `json:"errors,omitempty"`
	Result []any   `json:"result"`
}

// Answer sends 200 with these elements of result.
func Answer(w http.ResponseWriter, result ...any) {
	send(w, http.StatusOK, body{Result: result})
}

// Fail sends an error of this status, one element of errors for each reason.
func Fail(w http.ResponseWriter, status int, reasons ...string) {
	send(w, status, body{Errors: faults(status, reasons)})
}

func faults(status int, reasons []string) []fault {
	var all []fault
	for _, r := range reasons {
		all = append(all, fault{Code: status, Reason: r})
	}
	return all
}

// send writes an answer whole. What cannot be marshalled is a fault of the handler's; the client
// hears of a 500 and not of half a document.
func send(w http.ResponseWriter, status int, b body) {
	if b.Result == nil {
		b.Result = []any{}
	}
	text, err := json.Marshal(b)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"errors":[{"code":500,"reason":"internal error"}]}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)+1))
	w.WriteHeader(status)
	// A client that went away needs no answer.
	_, _ = w.Write(append(text, '\n'))
}
