package isolation

import (
	"fmt"
	"strings"
)

// The forms of a selector. The zero value is none: the collection itself.
const (
	selNone  = ""
	selAll   = "all"
	selIDs   = "ids"
	selField = "field"
	selExpr  = "expression"
	selCond  = "conditions"     // ids that satisfy a condition
	selWhich = "all conditions" // all that satisfy it

	selHidden = "hidden" // a field of a submodule
)

// Selector is what names items in a path.
type Selector struct {
	Form  string
	IDs   []int64
	Color int64 // of a match
	CID   int64 // of a match: the account is compared, not the color; 0: it is not
}

func (s Selector) match() bool { return s.Form != selNone && s.Form != selAll && s.Form != selIDs }

// satisfied reports whether a match accepts an item.
func (s Selector) satisfied(it *Item) bool {
	if s.CID != 0 {
		return it.CID == s.CID
	}
	return it.Color == s.Color
}

func (s Selector) condition() string {
	if s.CID != 0 {
		return fmt.Sprintf("cid=%d", s.CID)
	}
	return fmt.Sprintf("color=%d", s.Color)
}

// path prints the selector as a client would.
func (s Selector) path() string {
	switch s.Form {
	case selIDs:
		return joinIDs(s.IDs, ",")
	case selField:
		return s.condition()
	case selCond:
		return joinIDs(s.IDs, ",") + "," + s.condition()
	case selWhich:
		return "all," + s.condition()
	case selExpr:
		return fmt.Sprintf("%%7Bcolor==%d%%7D", s.Color)
	case selHidden:
		return fmt.Sprintf("telemetry.color=%d", s.Color)
	}
	return s.Form
}

// printed returns how the gateway prints a selector that it passes as it is.
func (s Selector) printed() string { return strings.TrimPrefix(s.path(), "all,") }

// Body is what is sent with a write; 0 leaves a key out.
type Body struct{ ID, CID int64 }

// Ask is one request.
type Ask struct {
	Method    string
	Coll      string
	Sel       Selector
	Sub       string // submodule that is no link
	Linked    string // the uri of a linked collection
	LinkedSel Selector
	HeaderCID int64
	QueryCID  int64
	Paged     bool // limit and offset are sent
	Limit     int
	Offset    int
	Body      *Body
	Fields    string // asked for beside ids; "": none
	InData    bool   // by data, not by fields
}

// creates reports whether the request is a POST on the collection itself.
func (a *Ask) creates() bool { return a.Sel.Form == selNone }

// item reports whether the request is about items themselves.
func (a *Ask) item() bool { return a.Sel.Form != selNone && a.Sub == "" && a.Linked == "" }

func (a *Ask) link() Link { return Link{a.Coll, a.Linked} }

// Target prints the request target.
func (a *Ask) Target() string { return a.path(a.Sel.path(), a.LinkedSel.path()) + a.query(a.QueryCID) }

// path prints the path with these selectors.
func (a *Ask) path(own, linked string) string {
	var b strings.Builder
	b.WriteString("/" + a.Coll)
	if own != "" {
		b.WriteString("/" + own)
	}
	switch {
	case a.Linked != "":
		b.WriteString("/" + kind(a.Linked) + "/" + linked)
	case a.Sub == "telemetry":
		b.WriteString("/telemetry/all")
	case a.Sub != "":
		b.WriteString("/" + a.Sub)
	}
	return b.String()
}

// query prints the query, with cid where it is not 0.
func (a *Ask) query(cid int64) string {
	var pairs []string
	ids := "id"
	if a.Linked != "" {
		ids = column(a.Coll) + "," + column(a.Linked)
	}
	switch {
	case a.InData:
		pairs = append(pairs, `data=%7B%22fields%22:%22`+ids+","+a.Fields+`%22%7D`)
	case a.Fields != "":
		pairs = append(pairs, "fields="+ids+","+a.Fields)
	case a.Linked == "" && a.Sub == "" || a.creates():
		pairs = append(pairs, "fields=id")
	}
	if a.Paged {
		pairs = append(pairs, fmt.Sprintf("limit=%d", a.Limit), fmt.Sprintf("offset=%d", a.Offset))
	}
	if cid != 0 {
		pairs = append(pairs, fmt.Sprintf("cid=%d", cid))
	}
	if len(pairs) == 0 {
		return ""
	}
	return "?" + strings.Join(pairs, "&")
}

// Text returns the body that is sent; "" is none.
func (a *Ask) Text() string {
	switch {
	case a.Body == nil:
		return ""
	case a.Sub == "cid":
		return fmt.Sprintf(`{"cid":%d}`, a.Body.CID)
	}
	b := `{"note":1`
	if a.Body.ID != 0 {
		b += fmt.Sprintf(`,"id":%d`, a.Body.ID)
	}
	if a.Body.CID != 0 {
		b += fmt.Sprintf(`,"cid":%d`, a.Body.CID)
	}
	return b + "}"
}

// String shows the request in a message.
func (a *Ask) String() string {
	s := a.Method + " " + a.Target()
	if a.HeaderCID != 0 {
		s += fmt.Sprintf(" x-flespi-cid: %d", a.HeaderCID)
	}
	if len(s) > 400 {
		s = s[:400] + "…"
	}
	if t := a.Text(); t != "" {
		s += " " + t
	}
	return s
}

// kind returns the last segment of a uri: devices.
func kind(uri string) string { return uri[strings.LastIndexByte(uri, '/')+1:] }
