package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html.tmpl
var pageText string

// page is what the template shows. Plots are made by this package from numbers and escaped names.
type page struct {
	Result *Result
	Bars   template.HTML
	Rows   []tableRow
	Curves []template.HTML
	Lines  []template.HTML
	Mix    template.HTML
}

type tableRow struct {
	Title, Competitor, Own, Other, Ratio, Spread, Invalid string
	Leaks, Wrong, Errors                                  int64
}

// WriteHTML writes the result as one page that needs nothing else, in light and dark.
func (r *Result) WriteHTML(w io.Writer) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return err
	}
	p := page{Result: r, Bars: bars(r.Runs), Mix: verdicts(r.Runs)}
	for i := range r.Runs {
		run := &r.Runs[i]
		if len(run.Lanes) == 0 {
			continue
		}
		p.Rows = append(p.Rows, rowOf(run))
		p.Curves = append(p.Curves, curve(run))
		p.Lines = append(p.Lines, timeLine(run))
	}
	return t.Execute(w, p)
}

func rowOf(run *Run) tableRow {
	own := &run.Lanes[0]
	c := own.Counts
	row := tableRow{Title: run.Title(), Competitor: "–", Own: perRequest(own), Other: "–", Invalid: run.Invalid, Leaks: c.Leaks, Wrong: c.WrongDenials, Errors: c.Faults}
	if len(run.Lanes) > 1 {
		competitor := &run.Lanes[1]
		f := Ratio(own, competitor, CPU)
		row.Competitor, row.Other = competitor.Name, perRequest(competitor)
		row.Ratio, row.Spread = fmt.Sprintf("%.3f", f.Value), fmt.Sprintf("%.3f–%.3f", f.Low, f.High)
	}
	return row
}
