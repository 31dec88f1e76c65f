package explain

import (
	"fmt"
	"io"
)

// printedShown is how many printed filters the text shows.
const printedShown = 20

// Text returns the report for people, at most 100 characters wide.
func (r *TopicReport) Text() string {
	var p page
	p.line(0, r.Action+" "+shorten(r.Topic))
	p.gap()
	p.decided(r.Verdict, r.Reason, r.Meaning, r.Detail, r.Open)
	p.row("Client", r.client())
	r.broker(&p)
	if len(r.Denied) > 0 {
		p.row("Denied", shortIDs(r.Denied))
	}
	p.row("Hint", r.Hint)
	p.gap()
	for i, text := range r.Readings {
		label := ""
		if i == 0 {
			label = "Read"
		}
		if i == printedShown {
			p.row(label, fmt.Sprintf("and %d more", len(r.Readings)-i))
			break
		}
		p.row(label, text)
	}
	if t := r.Token; t != nil {
		t.print(&p)
	} else {
		p.row("Token", "none is known")
	}
	if s := r.Scope; s != nil {
		p.row("Scope", fmt.Sprintf("account %s%s: %s", s.Account, s.below(), s.By))
	}
	for i := range r.Choices {
		p.gap()
		r.Choices[i].print(&p)
	}
	p.rows("Note", r.Notes)
	return p.String()
}

// WriteTo writes Text to w.
func (r *TopicReport) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, r.Text())
	return int64(n), err
}

// client says what the client gets.
func (r *TopicReport) client() string {
	switch {
	case len(r.Open) > 0:
		return "gets what is known once this was asked."
	case r.Action == ActionDeliver && r.Verdict == "allow":
		return "gets the message."
	case r.Action == ActionDeliver:
		return "does not get the message: it is withheld."
	case r.Code != 0 && r.Action == ActionPublish:
		return fmt.Sprintf("gets the reason code 0x%02X on MQTT 5, and a positive answer on 3.x; nothing is published.", r.Code)
	case r.Code != 0:
		return fmt.Sprintf("gets the reason code 0x%02X on MQTT 5, and 0x80 on 3.x.", r.Code)
	case r.Action == ActionPublish:
		return "gets the broker's answer."
	case len(r.Printed) == 0:
		return "gets a granted code, and no messages."
	}
	return "gets a granted code, and what the broker sends of it that is permitted."
}

// broker prints what goes to the broker.
func (r *TopicReport) broker(p *page) {
	asked := "is asked for "
	switch {
	case len(r.Open) > 0:
		asked = "is asked at most for "
	case r.Action == ActionPublish && r.Code == 0:
		p.row("Broker", "gets the message.")
	case r.Action == ActionSubscribe && len(r.Printed) == 0:
		p.row("Broker", "is not asked.")
	}
	for i, text := range r.Printed {
		label := ""
		if i == 0 {
			label = "Broker"
		}
		if i == printedShown {
			p.row("", fmt.Sprintf("and %d more", len(r.Printed)-i))
			break
		}
		p.row(label, asked+text)
	}
	if r.Wide {
		p.row("", "which is wider than what is permitted: each delivery is judged.")
	}
}
