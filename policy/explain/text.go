package explain

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"aclgate/policy"
)

// The page: labels in a column of their own, lines of at most width characters.
const (
	width  = 100
	column = 10
	// foreignShown is how many entries about other uris are named before the rest is only counted:
	// they are the least interesting, and many.
	foreignShown = 20
	// nbsp is a blank that no line is broken at. No text from outside holds it: clean has escaped
	// those.
	nbsp = "\u00a0"
)

// Text returns the report for people, at most 100 characters wide. The outcome comes first, the
// evidence after it.
func (r *Report) Text() string {
	var p page
	p.line(0, r.Method+" "+shorten(r.Target))
	p.gap()
	r.outcome(&p)
	p.gap()
	r.request(&p)
	for i := range r.Choices {
		p.gap()
		r.Choices[i].print(&p)
	}
	p.rows("Items", r.outcomes())
	p.rows("Note", r.Notes)
	return p.String()
}

// WriteTo writes Text to w.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, r.Text())
	return int64(n), err
}

// decided prints what was decided, or what has to be asked first.
func (p *page) decided(verdict, reason, meaning, detail string, open []string) {
	line := fmt.Sprintf("%s (%s): %s.", strings.ToUpper(verdict), reason, meaning)
	if len(open) > 0 {
		line = strings.ToUpper(verdict) + ": " + meaning + "."
	}
	p.row("Verdict", line)
	for _, q := range open {
		p.row("Open", q+".")
	}
	if detail != "" {
		p.row("Detail", detail+".")
	}
}

func (r *Report) outcome(p *page) {
	p.decided(r.Verdict, r.Reason, r.Meaning, r.Detail, r.Open)
	p.row("Client", "gets "+r.Answer.Says+".")
	switch {
	case r.Backend != nil:
		p.row("Backend", "gets "+r.Backend.Method+" "+shorten(r.Backend.Target))
		p.row("", r.Backend.headers())
	case len(r.Open) == 0:
		p.row("Backend", "is not asked.")
	}
	p.row("Hint", r.Hint)
}

func (b *Backend) headers() string {
	text := "with " + b.Key + " credential"
	switch {
	case len(b.Parts) > 0:
		for i, part := range b.Parts {
			sep := ", and "
			if i == 0 {
				sep = ", in parts: "
			}
			text += fmt.Sprintf("%s%s with x-flespi-cid: %d", sep, shortIDs(part.IDs), part.CID)
		}
	case b.CID != 0:
		text = fmt.Sprintf("with x-flespi-cid: %d and %s credential", b.CID, b.Key)
	}
	return text
}

// request prints how the request was read, who asks, and in which scope.
func (r *Report) request(p *page) {
	if route := r.Route; route != nil {
		p.row("Path", fmt.Sprintf("%s, which takes %s", route.Shape, strings.Join(route.Methods, ", ")))
		p.row("", "addresses "+route.Addresses)
	} else {
		p.row("Path", r.unread())
	}
	for i := range r.Selectors {
		p.row("", r.Selectors[i].String())
	}
	if t := r.Token; t != nil {
		t.print(p)
	} else {
		p.row("Token", "none is known")
	}
	if s := r.Scope; s != nil {
		p.row("Scope", fmt.Sprintf("account %s%s: %s", s.Account, s.below(), s.By))
	}
	for i, path := range r.Paths {
		p.row([]string{"Paths", ""}[min(i, 1)], path.String())
	}
}

// unread says of a path without a route how far it was understood.
func (r *Report) unread() string {
	switch r.Reason {
	case policy.UnknownMethod.String():
		return "known, but not with this method"
	case policy.UnknownRoute.String(), policy.MasterRoute.String():
		return "of a shape that the gateway does not know"
	}
	return "could not be read"
}

func (s *Scope) below() string {
	switch n := s.Accounts - 1; n {
	case 0:
		return ", which has none below it"
	case 1:
		return " and 1 account below it"
	default:
		return fmt.Sprintf(" and %d accounts below it", n)
	}
}

// print prints who asks.
func (t *Token) print(p *page) {
	p.row("Token", t.String())
	p.row("", fmt.Sprintf("access %s, account %s, %s", t.Access, t.Account, t.Validity))
	if t.User != "" {
		p.row("User", strings.TrimPrefix(t.User, "user "))
	}
}

// String returns who the token is, on one line. A session that is only supposed has no id and no digest.
func (t *Token) String() string {
	supposed := t.ID == 0 && strings.Trim(t.Digest, "0") == ""
	text := t.Info
	if !supposed {
		text = fmt.Sprint(t.ID)
		if t.Info != "" {
			text += fmt.Sprintf(" %q", t.Info)
		}
	}
	if t.Place != "" {
		text += ", " + t.Place
	}
	if supposed {
		return text
	}
	return text + ", digest " + t.Digest + "…"
}

// String returns how the selector was read, on one line.
func (s *Selector) String() string {
	text := fmt.Sprintf("selector %d: ", s.Number)
	switch s.Kind {
	case "ids":
		text += "by id " + shorten(s.Asked)
	case "fields", "expression":
		text += "match " + shorten(s.Asked)
	default:
		text += shorten(s.Asked)
	}
	switch {
	case s.Collection == "":
		return text + ", local to its parent"
	case s.Linked:
		return text + ", of " + s.Collection + " (linked)"
	}
	return text + ", of " + s.Collection
}

// outcomes returns what became of the items, one line each.
func (r *Report) outcomes() (lines []string) {
	for _, s := range r.Selectors {
		of := s.Collection
		if of == "" {
			of = fmt.Sprintf("selector %d", s.Number)
		}
		for _, f := range s.Outcomes {
			what := f.What
			if len(f.IDs) > 0 {
				what = shortIDs(f.IDs)
			}
			lines = append(lines, fmt.Sprintf("%s %s %s: %s", of, what, f.Outcome, f.Why))
		}
	}
	return lines
}

// print lists the entries by rank; of those about other uris only the first.
func (c *Choice) print(p *page) {
	if len(c.Entries) == 0 {
		p.row("Entries", "for "+c.For+": the token's ACL is empty")
		return
	}
	chosen := "none decides"
	if c.Chosen != 0 {
		chosen = fmt.Sprintf("entry %d decides", c.Chosen)
	}
	order := "best rank first"
	if c.Grants {
		order, chosen = "any of them is enough", strings.Replace(chosen, "decides", "permits", 1)
	}
	p.row("Entries", fmt.Sprintf("for %s, %s: %s", c.For, order, chosen))
	var foreign []string
	for _, e := range c.Entries {
		if !e.Covers && !e.NearMiss {
			foreign = append(foreign, fmt.Sprintf("%d%s%s", e.Number, nbsp, e.URI))
			continue
		}
		e.print(p)
	}
	if len(foreign) == 0 {
		return
	}
	if more := len(foreign) - foreignShown; more > 0 {
		foreign = append(foreign[:foreignShown], fmt.Sprintf("and %d more", more))
	}
	p.item("x", "about other uris: "+strings.Join(foreign, ", "), "")
}

func (e *Entry) print(p *page) {
	mark := "x"
	if e.Chosen {
		mark = ">"
	}
	head := fmt.Sprintf("entry %d", e.Number)
	if e.Place != "" {
		head += " " + e.Place
	}
	p.item(mark, head+"  "+e.Says, e.Why)
}

// page collects lines and breaks long ones between words.
type page struct{ b strings.Builder }

func (p *page) String() string { return p.b.String() }

func (p *page) gap() { p.b.WriteByte('\n') }

// row prints a label and a text beside it.
func (p *page) row(label, text string) {
	p.fold(label+strings.Repeat(" ", column-len(label)), column, text)
}

// rows prints a paragraph of texts under one label, or nothing without any.
func (p *page) rows(label string, texts []string) {
	for i, text := range texts {
		if i == 0 {
			p.gap()
		} else {
			label = ""
		}
		p.row(label, text)
	}
}

// item prints a head with a mark before it, and below it what is said of it.
func (p *page) item(mark, head, text string) {
	p.fold(strings.Repeat(" ", column)+mark+" ", column+2, head)
	if text != "" {
		p.line(column+4, text)
	}
}

func (p *page) line(indent int, text string) {
	p.fold(strings.Repeat(" ", indent), indent, text)
}

// fold prints text after lead, and what does not fit the line below it.
func (p *page) fold(lead string, indent int, text string) {
	at := indent
	line := lead
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > width:
			p.end(line)
			line, at = strings.Repeat(" ", indent), indent
		default:
			line += " "
			at++
		}
		line += word
		at += n
	}
	p.end(line)
}

// end writes a line without blanks at its end.
func (p *page) end(line string) {
	p.b.WriteString(strings.ReplaceAll(strings.TrimRight(line, " "), nbsp, " ") + "\n")
}
