package listing

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"aclgate/upstream"
)

// maxRefusal bounds the answer of a backend that refuses a question of ours.
const maxRefusal = 64 << 10

var (
	// ErrUnauthorized says that the backend refuses the gateway's own credential.
	ErrUnauthorized = errors.New("the gateway's own credential is refused")
	// ErrRedirect says that the backend sends the gateway elsewhere.
	ErrRedirect = errors.New("redirected")
	// ErrNoKey says that the backend wants a credential for a question of the gateway's own and
	// that there is none: upstream.token_file is empty.
	ErrNoKey = errors.New("the backend wants a credential and upstream.token_file is empty")
)

// AnswerError is a 4xx of the backend to a question that was asked for a client: it is the client's
// answer.
type AnswerError struct {
	Status      int
	ContentType string // as it came, without control bytes; may be empty
	Body        []byte // whole, at most 64 KiB
}

// Error names the status. The body is the client's and never gets into a log.
func (e *AnswerError) Error() string { return "the backend answered " + strconv.Itoa(e.Status) }

// Rows reads what a refusal names all the same; one that is no listing names nothing.
func (e *AnswerError) Rows(c Columns, each func(*Row)) {
	r := rowReaders.Get().(*Rows)
	defer r.release()
	r.Reset(bytes.NewReader(e.Body), c)
	var rows []Row
	for r.Next() {
		rows = append(rows, *r.Row())
	}
	if r.Err() != nil {
		return
	}
	for i := range rows {
		each(&rows[i])
	}
}

// do sends the question and judges the status of the answer.
func (k *Lister) do(a *upstream.Answer, q *Query, limit, offset int) error {
	key := k.Key()
	target := q.Target
	if limit > 0 {
		target = append(target[:len(target):len(target)], "&limit="...)
		target = strconv.AppendInt(target, int64(limit), 10)
		target = strconv.AppendInt(append(target, "&offset="...), int64(offset), 10)
	}
	r := upstream.Request{Method: "GET", Target: target, Head: q.head(key), Repeatable: true, Confirm: q.Confirm, Holder: q.Holder}
	if err := k.Backend.Do(&r, a); err != nil {
		return err
	}
	if a.Status == 200 {
		return nil
	}
	defer a.Close()
	if a.Status == 401 && key == "" && len(q.CallersKey) == 0 {
		return ErrNoKey
	}
	return refused(a, key != "")
}

// head prints the header lines. Without any credential the backend is asked without: some need
// none.
func (q *Query) head(key string) []byte {
	lines := []byte("Accept: application/json\r\n")
	if key != "" || len(q.CallersKey) > 0 {
		lines = append(lines, "Authorization: FlespiToken "...)
		if key != "" {
			lines = append(lines, key...)
		} else {
			lines = append(lines, q.CallersKey...)
		}
		lines = append(lines, "\r\n"...)
	}
	if q.CID != 0 {
		lines = strconv.AppendInt(append(lines, "x-flespi-cid: "...), q.CID, 10)
		lines = append(lines, "\r\n"...)
	}
	return lines
}

// refused returns what an answer other than 200 means.
func refused(a *upstream.Answer, own bool) error {
	switch {
	case a.Status == 401 && own:
		return &upstream.Error{URL: a.URL(), Kind: ErrUnauthorized}
	case a.Status >= 400 && a.Status < 500:
		return refusal(a)
	}
	switch a.Status {
	case 301, 302, 303, 307, 308:
		return &upstream.Error{URL: a.URL(), Kind: ErrRedirect}
	}
	return &upstream.Error{URL: a.URL(), Kind: upstream.ErrBroken, Cause: errors.New("status " + strconv.Itoa(a.Status) + " for a listing")}
}

// refusal keeps a 4xx for the client. Half an answer is none.
func refusal(a *upstream.Answer) error {
	e := &AnswerError{Status: a.Status}
	for _, f := range a.Fields {
		if bytes.EqualFold(f.Name, []byte("Content-Type")) {
			e.ContentType = string(f.Value)
		}
	}
	body, err := io.ReadAll(io.LimitReader(a, maxRefusal+1))
	switch {
	case err != nil:
		return err
	case len(body) > maxRefusal:
		return &upstream.Error{URL: a.URL(), Kind: upstream.ErrBroken, Cause: errors.New("a refusal that is too long")}
	}
	e.Body = body
	return e
}
