package isolation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"aclgate/bench/backend"
)

// Findings are what is wrong with one request; empty is what it should be.
type Findings []string

func (f *Findings) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

// Check compares what came of a request with what had to: the ledger holds what reached the
// backend.
func (w *World) Check(a *Ask, want *Want, got *Answer, ledger []backend.Request) Findings {
	var f Findings
	reached := w.checkLedger(&f, a, want, ledger)
	switch want.Outcome {
	case Forwarded:
		if len(ledger) == 0 && !(want.Split && len(want.Own.IDs) == 0) {
			f.add("nothing reached the backend")
		}
		w.checkServed(&f, a, want, got)
	case Malformed:
		if got.Status != 400 {
			f.add("got status %d, want 400", got.Status)
		}
	default:
		status, body := want.refusal()
		if got.Status != status || string(got.Body) != body {
			f.add("got %d %.300s, want %d %.300s", got.Status, got.Body, status, body)
		}
	}
	if want.Outcome != Forwarded && reached > 0 {
		f.add("LEAK: refused, and yet %d requests reached the backend", reached)
	}
	if len(f) > 0 && want.Outcome == Forwarded && got.Status >= 400 {
		f.add("the gateway answered %d %.200s", got.Status, got.Body)
	}
	return f
}

// refusal prints the whole answer to what never reaches the backend.
func (want *Want) refusal() (status int, body string) {
	switch want.Outcome {
	case Empty:
		return 200, `{"result":[]}`
	case NotPermitted:
		return 403, `{"errors":[{"code":8,"reason":"action is not permitted by ACL"}],"result":[]}`
	}
	return 403, `{"errors":[` + want.deniedText() + `],"result":[]}`
}

func (want *Want) deniedText() string {
	var b strings.Builder
	for i, d := range want.Denied {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"code":6,"id":%d,"reason":"access denied to '\/%s\/%d'"}`, d.ID, d.Kind, d.ID)
	}
	return b.String()
}

// checkLedger judges what reached the backend, and returns how many requests did.
func (w *World) checkLedger(f *Findings, a *Ask, want *Want, ledger []backend.Request) int {
	var own, linked []string
	for i := range ledger {
		r := &ledger[i]
		path, _, _ := strings.Cut(r.Target, "?")
		seg := strings.Split(strings.TrimPrefix(path, "/"), "/")
		cids := r.Get("x-flespi-cid")
		if named := w.Mode != ModeIDs; named && !slices.Equal(cids, []string{strconv.FormatInt(want.Scope, 10)}) || !named && len(cids) > 0 {
			f.add("LEAK: the backend was told the accounts %v, the scope is %d", cids, want.Scope)
		}
		if r.Method != a.Method || seg[0]+"/"+seg[1] != a.Coll {
			f.add("LEAK: the backend got %s %.200s", r.Method, r.Target)
			continue
		}
		if len(seg) > 2 {
			own = append(own, seg[2])
		}
		if a.Linked != "" && len(seg) > 4 {
			linked = append(linked, seg[4])
		}
	}
	if want.Outcome == Forwarded && !a.creates() {
		w.checkReach(f, own, want.Own, place{a.Coll, a.Sel, false})
		if a.Linked != "" {
			w.checkReach(f, linked, want.Linked, place{a.Linked, a.LinkedSel, true})
		}
	}
	return len(ledger)
}

// checkReach compares the selectors that reached the backend with what may and has to.
func (w *World) checkReach(f *Findings, printed []string, want Reach, p place) {
	s := p.sel
	if want.Verbatim {
		for _, text := range printed {
			if text != s.printed() {
				f.add("the backend got the selector %.200q, want %q", text, s.printed())
			}
		}
		return
	}
	missing := map[int64]bool{}
	for _, id := range want.IDs {
		missing[id] = true
	}
	permitted := len(missing)
	for _, text := range printed {
		for _, one := range strings.Split(text, ",") {
			id, err := strconv.ParseInt(one, 10, 64)
			if err != nil {
				f.add("LEAK: the backend got the selector %.200q", text)
				break
			}
			// Where the backend judges items, a group may name one for a while that was deleted.
			if _, ok := missing[id]; !ok && !(w.Mode == ModeHeader && w.gone[p.uri][id]) {
				f.add("LEAK: the backend got the id %d", id)
			}
			missing[id] = false
		}
	}
	for id, left := range missing {
		if left {
			f.add("DENIED: the id %d of %d did not reach the backend", id, permitted)
			break
		}
	}
}

// served is an answer's object.
type served struct {
	Errors []struct {
		Code   int
		ID     int64
		Reason string
	}
	Result []map[string]json.RawMessage
}

// checkServed judges what the client was shown.
func (w *World) checkServed(f *Findings, a *Ask, want *Want, got *Answer) {
	var s served
	if err := json.Unmarshal(got.Body, &s); err != nil {
		f.add("the answer %d %.200q cannot be read: %v", got.Status, got.Body, err)
		return
	}
	if got.Status != 200 && !(w.Mode == ModeHeader && got.Status == 404) {
		f.add("got status %d %.200s, want 200", got.Status, got.Body)
		return
	}
	if got.Status == 404 { // no errors can be merged: the ids are in a header
		var ids []int64
		for _, d := range want.Denied {
			ids = append(ids, d.ID)
		}
		if named := got.Header.Get("x-aclgate-denied"); named != joinIDs(ids, ",") || len(want.Rows) > 0 {
			f.add("got 404 with the denied ids %q, want %v and %d rows", named, ids, len(want.Rows))
		}
		return
	}
	var errors []string
	for _, e := range s.Errors {
		if e.Code == 6 {
			errors = append(errors, fmt.Sprintf(`{"code":6,"id":%d,"reason":"%s"}`, e.ID, strings.ReplaceAll(e.Reason, "/", `\/`)))
		} else if w.Mode != ModeHeader {
			f.add("the backend had something to say: %d %s", e.Code, e.Reason)
		}
	}
	if joined := strings.Join(errors, ","); joined != want.deniedText() {
		f.add("got the errors %.300s, want %.300s", joined, want.deniedText())
	}
	checkFields(f, s.Result, want)
	if want.Rows != nil {
		checkRows(f, rowsOf(&s, a), want.Rows)
	}
}

// rowsOf reads the ids off the rows.
func rowsOf(s *served, a *Ask) []Row {
	rows := []Row{}
	for _, r := range s.Result {
		id, child := "id", ""
		if a.Linked != "" {
			id, child = column(a.Coll), column(a.Linked)
		}
		rows = append(rows, Row{number(r[id]), number(r[child])})
	}
	return rows
}

// column is what a link calls an item: device_id.
func column(uri string) string { return strings.TrimSuffix(kind(uri), "s") + "_id" }

func number(raw json.RawMessage) int64 {
	n, _ := strconv.ParseInt(string(raw), 10, 64)
	return n
}

func checkRows(f *Findings, got, want []Row) {
	if slices.Equal(got, want) {
		return
	}
	may, has := map[Row]bool{}, map[Row]bool{}
	for _, r := range want {
		may[r] = true
	}
	for _, r := range got {
		has[r] = true
		if !may[r] {
			f.add("LEAK: the answer shows %v", r)
			break
		}
	}
	for _, r := range want {
		if !has[r] {
			f.add("DENIED: the answer of %d rows lacks %v of %d", len(got), r, len(want))
			break
		}
	}
	if len(*f) == 0 {
		f.add("the answer's rows are in another order, or twice: %d, want %d", len(got), len(want))
	}
}
