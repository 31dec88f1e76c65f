package backend

import (
	"io"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// Codes of errors. 2 and 6 are the vendor's; 4 is ours, so that a test can tell the backend's
// "there is no such item" from a gateway's denial, which has 6 for items.
const (
	codeToken  = 1
	codeBad    = 2
	codeAbsent = 4
	codeDenied = 6
)

// answer collects what is sent back: elements of result and of errors.
type answer struct {
	status int // 0: 200, or 404 when errors leave no item to serve
	rows   []byte
	errs   []byte
	stream *feed // when set, it writes the whole body
}

func (a *answer) reset() {
	*a = answer{rows: a.rows[:0], errs: a.errs[:0]}
}

// sep goes before every row.
func sep(rows []byte) []byte {
	if len(rows) > 0 {
		return append(rows, ',')
	}
	return rows
}

// fail adds an error; an id of 0 is left out.
func (a *answer) fail(code int, id int64, reason string) {
	a.errs = append(sep(a.errs), `{"code":`...)
	a.errs = strconv.AppendInt(a.errs, int64(code), 10)
	if id != 0 {
		a.errs = append(a.errs, `,"id":`...)
		a.errs = strconv.AppendInt(a.errs, id, 10)
	}
	a.errs = append(a.errs, `,"reason":`...)
	// The vendor escapes slashes in reasons.
	text := appendString(nil, reason)
	a.errs = append(a.errs, strings.ReplaceAll(string(text), "/", `\/`)...)
	a.errs = append(a.errs, '}')
}

// refuse makes the answer one error and nothing else.
func (a *answer) refuse(status, code int, reason string) {
	a.reset()
	a.status = status
	a.fail(code, 0, reason)
}

// opening is the body up to the first row.
func (a *answer) opening(dst []byte) []byte {
	dst = append(dst, '{')
	if len(a.errs) > 0 {
		dst = append(dst, `"errors":[`...)
		dst = append(dst, a.errs...)
		dst = append(dst, `],`...)
	}
	return append(dst, `"result":[`...)
}

const closing = "]}"

// send hands the answer to fasthttp.
func (a *answer) send(resp *fasthttp.Response, announce bool) {
	if a.status != 0 {
		resp.SetStatusCode(a.status)
	}
	resp.Header.SetContentType("application/json")
	if a.stream == nil {
		var buf [64]byte
		resp.AppendBody(a.opening(buf[:0]))
		resp.AppendBody(a.rows)
		resp.AppendBodyString(closing)
		return
	}
	size := -1
	if announce {
		size = int(a.stream.size())
	}
	// Else the head waits in a buffer until the first chunk is full.
	resp.ImmediateHeaderFlush = true
	resp.SetBodyStream(a.stream, size)
}

// readBody keeps the first maxBody bytes of the request's body and counts all.
func readBody(ctx *fasthttp.RequestCtx) ([]byte, int64, error) {
	r := ctx.RequestBodyStream()
	if r == nil {
		body := ctx.Request.Body()
		return body, int64(len(body)), nil
	}
	body, err := io.ReadAll(io.LimitReader(r, maxBody))
	if err != nil {
		return nil, 0, err
	}
	more, err := io.Copy(io.Discard, r)
	return body, int64(len(body)) + more, err
}
