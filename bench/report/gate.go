package report

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"aclgate/config/strict"
)

// Limit is one line of a gate: a figure, how it is compared, and with what.
//
//	one-id/bare/cpu_ratio <= 1.10
//	leaks == 0
//	one-id/aclgate/cpu_us <= baseline * 1.10
type Limit struct {
	Text   string
	Figure string
	Op     string  // <=, <, >=, >, ==
	Number float64 // the bound, or what the baseline's value is multiplied with
	Based  bool    // on the baseline
}

// Gate is a list of limits.
type Gate []Limit

// ReadGate reads a gate: a YAML list of lines. The error names every line that is none.
func ReadGate(path string) (Gate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read gate: %w", err)
	}
	return ParseGate(path, text)
}

// ParseGate reads the text of a gate. name is the file's, for messages.
func ParseGate(name string, text []byte) (Gate, error) {
	root, report := strict.Parse(name, text)
	var gate Gate
	strict.Into(&gate, root, func(n *strict.Node) (Gate, bool) {
		list, ok := strict.ListOf(strict.Parsed("a limit", parseLimit))(n)
		if ok && len(list) == 0 {
			n.Fault("expected at least one limit: an empty gate lets everything pass")
		}
		return list, ok
	})
	return gate, report.Faults().Err()
}

func parseLimit(text string) (Limit, error) {
	words := strings.Fields(text)
	l := Limit{Text: text}
	if len(words) != 3 && (len(words) != 5 || words[2] != "baseline" || words[3] != "*") {
		return l, fmt.Errorf("it has the form FIGURE <= NUMBER, or FIGURE <= baseline * NUMBER")
	}
	l.Figure, l.Op, l.Based = words[0], words[1], len(words) == 5
	switch l.Op {
	case "<=", "<", ">=", ">", "==":
	default:
		return l, fmt.Errorf("%s is none of <= < >= > ==", l.Op)
	}
	var err error
	if l.Number, err = strconv.ParseFloat(words[len(words)-1], 64); err != nil || l.Number != l.Number {
		return l, fmt.Errorf("it ends in no number")
	}
	return l, nil
}

// Check returns a line for each limit that the result breaks, in the gate's order. Base is what
// "baseline" means; it may be nil, and then lines that name it are broken. So are those whose
// figure was not measured: it is not known whether they hold.
func (g Gate) Check(r, base *Result) []string {
	var broken []string
	for _, l := range g {
		if why := l.broken(r, base); why != "" {
			broken = append(broken, l.Text+": "+why)
		}
	}
	return broken
}

// broken says why a limit does not hold; empty if it does.
func (l *Limit) broken(r, base *Result) string {
	f, ok := r.Figures[l.Figure]
	if !ok {
		return "it was not measured, or its run was invalid"
	}
	bound := l.Number
	if l.Based {
		if base == nil {
			return "there is no baseline"
		}
		was, ok := base.Figures[l.Figure]
		if !ok {
			return "the baseline has not measured it"
		}
		bound *= was.Value
	}
	if l.holds(f, bound) {
		return ""
	}
	return fmt.Sprintf("it is %.4g (%.4g–%.4g), the bound %.4g", f.Value, f.Low, f.High, bound)
}

// holds reports whether some value of the figure's interval keeps the bound.
func (l *Limit) holds(f Figure, bound float64) bool {
	switch l.Op {
	case "<=":
		return f.Low <= bound
	case "<":
		return f.Low < bound
	case ">=":
		return f.High >= bound
	case ">":
		return f.High > bound
	}
	return f.Low <= bound && bound <= f.High
}
