package listing

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"aclgate/policy"
	"aclgate/upstream"
)

// backend answers in memory and remembers what it was asked.
type backend struct {
	answer func(target, head string) (status int, body string)
	asked  []string // target, and the account of x-flespi-cid if there is one
}

func (b *backend) Do(r *upstream.Request, a *upstream.Answer) error {
	asked := string(r.Target)
	if _, cid, found := strings.Cut(string(r.Head), "x-flespi-cid: "); found {
		asked += " " + strings.TrimSpace(cid)
	}
	b.asked = append(b.asked, asked)
	status, body := b.answer(string(r.Target), string(r.Head))
	if status == 0 {
		return &upstream.Error{Kind: upstream.ErrDial}
	}
	a.Fill(status, []byte(body))
	return nil
}

func lister(b *backend, key string) *Lister {
	return &Lister{Backend: b, Key: func() string { return key }, Log: slog.New(slog.DiscardHandler)}
}

// rows makes a listing of the ids from first up.
func rows(first, n int) string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf(`{"id":%d,"cid":11}`, first+i)
	}
	return `{"result":[` + strings.Join(ids, ",") + `]}`
}

// paging answers as a backend with n rows, which may know limit, offset, both or none.
func paging(n int, limits, offsets bool) func(string, string) (int, string) {
	return func(target, _ string) (int, string) {
		_, rest, _ := strings.Cut(target, "&limit=")
		limit, offset := n, 0
		fmt.Sscanf(rest, "%d&offset=%d", &limit, &offset)
		if !limits {
			limit = n
		}
		if !offsets {
			offset = 0
		}
		return 200, rows(offset+1, max(0, min(limit, n-offset)))
	}
}

// Ensure that every row is read, whatever the backend makes of limit and offset, or that nothing
// counts.
func TestAll(t *testing.T) {
	cases := []struct {
		name            string
		rows            int
		limits, offsets bool
		requests        int
		want            error
	}{
		{"none", 0, true, true, 1, nil},
		{"a page less one", 999, true, true, 2, nil},
		{"a page", 1000, true, true, 2, nil},
		{"more", 2500, true, true, 4, nil},
		{"no paging", 2500, false, false, 3, nil},
		{"no paging, few", 5, false, false, 3, nil},
		{"no limit", 2500, false, true, 2, nil},
		{"one", 1, true, true, 2, nil},
		{"no paging, as many as a page", 1000, false, false, 3, nil},
		{"no offset", 2500, true, false, 3, upstream.ErrBroken},
		{"as many as may be", 4000, true, true, 6, nil},
		{"too many", 4001, true, true, 5, ErrRowCount},
	}
	for _, c := range cases {
		b := &backend{answer: paging(c.rows, c.limits, c.offsets)}
		q := Items("gw/devices", nil)
		q.Max = 4000
		var got []int64
		err := lister(b, "").All(new(upstream.Answer), &q, func(r *Row) { got = append(got, r.ID[0]) })
		if !errors.Is(err, c.want) || len(b.asked) != c.requests {
			t.Errorf("%s: got %v after %d requests, want %v after %d", c.name, err, len(b.asked), c.want, c.requests)
		}
		slices.Sort(got)
		if got = slices.Compact(got); c.want == nil && len(got) != c.rows {
			t.Errorf("%s: got %d rows, want %d", c.name, len(got), c.rows)
		}
	}
}

// Ensure that a status says whose mistake it is.
func TestStatus(t *testing.T) {
	cases := []struct {
		key, callers string
		status       int
		body         string
		want         error
	}{
		{"own", "", 401, `{}`, ErrUnauthorized},
		{"", "", 401, `{}`, ErrNoKey},
		{"", "", 0, ``, upstream.ErrDial},
		{"own", "", 302, ``, ErrRedirect},
		{"own", "", 500, ``, upstream.ErrBroken},
		{"own", "", 206, rows(1, 1), upstream.ErrBroken},
		{"own", "", 200, `{"errors":[1],"result":[]}`, upstream.ErrBroken},
		{"own", "", 200, `[]`, ErrRows},
		{"own", "", 404, strings.Repeat("x", maxRefusal+1), upstream.ErrBroken},
	}
	for _, c := range cases {
		b := &backend{answer: func(string, string) (int, string) { return c.status, c.body }}
		q := Items("gw/devices", nil)
		q.CallersKey = []byte(c.callers)
		if err := lister(b, c.key).All(new(upstream.Answer), &q, func(*Row) {}); !errors.Is(err, c.want) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
	var refused *AnswerError
	b := &backend{answer: func(_, head string) (int, string) { return 401, head }}
	q := Query{Target: []byte("/x?fields=id"), CallersKey: []byte("CALLER"), CID: 11, Columns: ItemColumns}
	err := lister(b, "").Page(new(upstream.Answer), &q, 0, func(*Row) bool { return true })
	const head = "Accept: application/json\r\nAuthorization: FlespiToken CALLER\r\nx-flespi-cid: 11\r\n"
	if !errors.As(err, &refused) || refused.Status != 401 || string(refused.Body) != head || b.asked[0] != "/x?fields=id 11" {
		t.Errorf("got %v, asked %v", err, b.asked)
	}
	if strings.Contains(err.Error(), "CALLER") {
		t.Error("the answer is in the text for logs")
	}
}

// Ensure that a refusal shows what rows it has, and a broken one none.
func TestRefusalRows(t *testing.T) {
	for body, want := range map[string]int{rows(1, 3): 3, rows(1, 3)[:40]: 0, "": 0} {
		n := 0
		(&AnswerError{Status: 403, Body: []byte(body)}).Rows(ItemColumns, func(*Row) { n++ })
		if n != want {
			t.Errorf("%q: got %d rows, want %d", body, n, want)
		}
	}
}

// Ensure that a listing under several roots counts whole, and what a root that is not shown means.
func TestAllScopes(t *testing.T) {
	tree, faults := policy.NewTree([]policy.Account{{ID: 1}, {ID: 11, Parent: 1}, {ID: 2}}, 4)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	cases := []struct {
		name   string
		mode   policy.Mode
		tree   *policy.Tree
		status map[string]int // by account; 200 for the others
		rows   int
		want   error
	}{
		{"no header", policy.ModeIDs, tree, nil, 3, nil},
		{"two roots", policy.ModeBoth, tree, nil, 6, nil},
		{"one is hidden", policy.ModeBoth, tree, map[string]int{"2": 403}, 3, nil},
		{"one knows no such collection", policy.ModeBoth, tree, map[string]int{"1": 404}, 3, nil},
		{"all are hidden", policy.ModeBoth, tree, map[string]int{"1": 403, "2": 403}, 0, new(AnswerError)},
		{"one fails", policy.ModeBoth, tree, map[string]int{"2": 500}, 3, upstream.ErrBroken},
		{"no root", policy.ModeBoth, nil, nil, 0, ErrNoRoot},
	}
	for _, c := range cases {
		b := &backend{answer: func(_, head string) (int, string) {
			_, cid, _ := strings.Cut(head, "x-flespi-cid: ")
			if status := c.status[strings.TrimSpace(cid)]; status != 0 {
				return status, `{}`
			}
			return 200, rows(1, 3)
		}}
		q, n := Items("gw/devices", Roots(c.mode, c.tree)), 0
		err := lister(b, "own").AllScopes(t.Context(), &q, func(*Row) { n++ })
		var refused *AnswerError
		if _, any := c.want.(*AnswerError); any && errors.As(err, &refused) && refused.Status == 403 {
			err = c.want
		}
		if !errors.Is(err, c.want) || n != c.rows {
			t.Errorf("%s: got %v, %d rows", c.name, err, n)
		}
	}
}
