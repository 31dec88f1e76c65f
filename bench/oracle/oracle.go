// Package oracle judges answers. It knows what each token may see, because the world was made that
// way and not because a gateway said so, and sorts every answer into one of four:
//
//	ok      the items that the token may see of those asked for, all of them, and the denials due
//	leak    an item that the token may not see, or a request passed on that had to be denied
//	denial  a wrong denial: an item missing, or refused, or denied in other words than SPEC 5 has
//	fault   no verdict at all: 5xx, 429, 400, nothing readable in a refusal
//
// In doubt it is a leak: an answer of 2xx that cannot be read, or that names what came only by a
// sum which is not the one expected, cannot be shown to hold nothing foreign. One leak or wrong
// denial fails a run, however fast it was.
//
// It shares no code with the engine: answers are read with encoding/json, sets are plain sorted
// lists.
package oracle

import (
	"encoding/json"
	"slices"
	"strconv"
)

// Finding is what an answer turned out to be.
type Finding uint8

// The findings. The zero value is none of the good ones.
const (
	Fault Finding = iota
	Leak
	WrongDenial
	OK
)

func (f Finding) String() string {
	return [...]string{"fault", "leak", "wrong denial", "ok"}[f]
}

// Expect is what the right answer to one call is.
type Expect struct {
	Status    int     // 200, 401, 403
	Code      int     // of the one error when nothing is served; 6 where Denied says which
	IDs       []int64 // the items of the answer, in its order
	Denied    []int64 // one error of code 6 each, in this order
	Permitted []int64 // what the token may see of the collection, ascending
	Sum       string  // of the printed ids, where the backend names many by it
}

// answer is what the fake backend and a gateway can say.
type answer struct {
	Result []row
	Errors []struct {
		Code   int
		ID     int64
		Reason string
	}
}

// row is one element of a result: an item, a list named by its sum, or a selector that was no list.
type row struct {
	ID       json.Number
	IDs      int
	Sum      string
	Selector *string
}

// Judge says what an answer is. Every error it finds in it counts; the worst is returned.
func Judge(e *Expect, status int, body []byte) Finding {
	served := status >= 200 && status < 300
	if served && e.Status != 200 {
		return Leak
	}
	var a answer
	if json.Unmarshal(body, &a) != nil {
		if served {
			return Leak
		}
		return Fault
	}
	ids, foreign := e.items(a.Result)
	switch {
	case foreign:
		return Leak
	case status != e.Status:
		return wrongStatus(status)
	case !slices.Equal(ids, e.IDs) || !e.sameErrors(&a):
		return WrongDenial
	}
	return OK
}

// items returns the ids of the rows, and whether one of them may not be there.
func (e *Expect) items(rows []row) (ids []int64, foreign bool) {
	for _, r := range rows {
		switch {
		case r.Selector != nil:
			return nil, true // the backend got more than ids
		case r.Sum != "":
			if r.Sum != e.Sum || r.IDs != len(e.IDs) {
				return nil, true
			}
			ids = append(ids, e.IDs...)
		default:
			id, err := strconv.ParseInt(r.ID.String(), 10, 64)
			if _, mine := slices.BinarySearch(e.Permitted, id); err != nil || !mine {
				return nil, true
			}
			ids = append(ids, id)
		}
	}
	return ids, false
}

// wrongStatus distinguishes a refusal by policy, which a client would believe, from trouble.
func wrongStatus(status int) Finding {
	switch status {
	case 200, 401, 403, 404, 405:
		return WrongDenial
	}
	return Fault
}

func (e *Expect) sameErrors(a *answer) bool {
	want := len(e.Denied)
	if want == 0 && e.Code != 0 {
		return len(a.Errors) == 1 && a.Errors[0].Code == e.Code
	}
	if len(a.Errors) != want {
		return false
	}
	for i, err := range a.Errors {
		if err.Code != 6 || err.ID != e.Denied[i] || err.Reason != "access denied to '/devices/"+strconv.FormatInt(err.ID, 10)+"'" {
			return false
		}
	}
	return true
}
