package platform

import (
	"errors"
	"strconv"
	"strings"

	"aclgate/policy"
	"aclgate/policy/record"
	"aclgate/policy/store"
)

// badJSON says that a body is no JSON.
type badJSON struct{ err error }

func (b *badJSON) Error() string { return b.err.Error() }

// errManyMarks says that If-Match cannot speak of several records.
var errManyMarks = errors.New("If-Match speaks of one record: name one")

// reasons are the words by which metrics and logs know the classes of faults.
var reasons = map[record.Class]policy.Reason{
	record.NotPermitted:  policy.ClosedPlatform,
	record.Stronger:      policy.Stronger,
	record.Denied:        policy.DeniedItems,
	record.BadField:      policy.BadField,
	record.LimitReached:  policy.CountLimit,
	record.Blocked:       policy.AccountBlocked,
	record.InTheWay:      policy.InTheWay,
	record.MethodMissing: policy.RecordsFixed,
}

// answer makes the answer of what became of a call.
func (x *call) answer(head store.Head, err error) Answer {
	var fault *record.Fault
	var bad *badJSON
	var inUse *store.InUse
	switch {
	case err == nil:
		return x.success(head)
	case errors.As(err, &fault):
		return refuse(fault)
	case errors.As(err, &bad):
		return fail(policy.BadBody, 400, bad.Error())
	case errors.Is(err, errNobody):
		return Answer{Status: 401, Reason: policy.TokenUnknown}
	case errors.Is(err, errManyMarks):
		return fail(policy.BadField, 400, err.Error())
	case errors.Is(err, store.ErrReadOnly):
		return x.api.fixed(err.Error())
	case errors.Is(err, store.ErrChanged):
		return fail(policy.RecordChanged, 412, "the record is not any more what If-Match says: read it again")
	case errors.Is(err, store.ErrTaken), errors.As(err, &inUse):
		return fail(policy.InTheWay, 409, err.Error())
	case store.IsFault(err):
		return refuse(&record.Fault{Class: record.BadField, Text: strings.Join(strings.Fields(err.Error()), " ")})
	case errors.Is(err, errBusy):
		return fail(policy.LoginBusy, 503, errBusy.Error())
	}
	text := "the records cannot be reached now"
	if errors.Is(err, store.ErrUnheard) {
		text = store.ErrUnheard.Error()
	}
	if x.Operator { // who can do something about it; others may not know what the store is
		text = err.Error()
	}
	a := fail(policy.StoreAway, 503, text)
	a.Err = err
	return a
}

// success prints rows, with the errors of what was denied beside them.
func (x *call) success(head store.Head) Answer {
	a := Answer{Status: 200, Reason: policy.ManagedRecord, ETag: x.etag, Denied: len(x.denied)}
	if x.w != nil {
		a.Rev = head.Rev
	}
	if len(x.rows) == 0 && x.count == 0 && len(x.denied) > 0 {
		a.Status, a.Reason = 403, policy.DeniedItems
	}
	b := []byte{'{'}
	for i, f := range x.denied {
		b = f.Append(append(b, [...]string{`"errors":[`, `,`}[min(i, 1)]...))
	}
	if len(x.denied) > 0 {
		b = append(b, `],`...)
	}
	if x.paged {
		limit := x.cut
		if limit < 0 {
			limit = int64(len(x.rows))
		}
		b = appendNumber(b, `"pagination":{"count":`, int64(x.count))
		b = appendNumber(b, `,"limit":`, limit)
		b = append(appendNumber(b, `,"offset":`, x.from), `},`...)
	}
	b = append(b, `"result":[`...)
	for i, row := range x.rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = row.Append(b)
	}
	b = append(b, ']')
	for i, text := range x.warnings {
		b = append(b, [...]string{`,"warnings":[`, `,`}[min(i, 1)]...)
		b = record.NewObject(record.Member{Name: "reason", Value: record.NewText(text)}).Append(b)
	}
	if len(x.warnings) > 0 {
		b = append(b, ']')
	}
	a.Body = append(b, '}')
	return a
}

func appendNumber(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(b, name...), n, 10)
}

// refuse answers a fault. Those whose code is an HTTP status have no result, which a script would take
// for an answer with nothing in it (SPEC 5).
func refuse(f *record.Fault) Answer {
	how := f.Class.Answer()
	b := append(f.Append([]byte(`{"errors":[`)), ']')
	if how.Code == policy.CodeDenied || how.Code == policy.CodeNotPermitted {
		b = append(b, `,"result":[]`...)
	}
	return Answer{Status: how.Status, Body: append(b, '}'), Reason: reasons[f.Class]}
}

// fail answers what is no policy: its code is the status.
func fail(reason policy.Reason, status int, text string) Answer {
	b := appendNumber(nil, `{"errors":[{"code":`, int64(status))
	b = record.NewText(text).Append(append(b, `,"reason":`...))
	return Answer{Status: status, Body: append(b, `}]}`...), Reason: reason}
}
