package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
	"time"

	"aclgate/bench/hist"
)

// The plots are drawn in units of the page's width.
const (
	width  = 900
	left   = 60
	right  = 20
	height = 240
	bottom = 210
	top    = 30
)

// canvas collects the parts of one SVG.
type canvas struct{ strings.Builder }

func newCanvas(high int, label string) *canvas {
	c := &canvas{}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`, width, high, html.EscapeString(label))
	return c
}

func (c *canvas) text(x, y float64, class, text string) {
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" class="%s">%s</text>`, x, y, class, html.EscapeString(text))
}

func (c *canvas) line(x1, y1, x2, y2 float64) {
	fmt.Fprintf(c, `<line class="axis" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, x1, y1, x2, y2)
}

func (c *canvas) bar(x, y, w float64, series int) {
	fmt.Fprintf(c, `<rect class="f%d" x="%.1f" y="%.1f" width="%.1f" height="14" rx="2"/>`, series%5, x, y, math.Max(w, 0))
}

// path draws a line through points, x and y in turn.
func (c *canvas) path(points []float64, series int) {
	fmt.Fprintf(c, `<polyline class="s%d" points="`, series%5)
	for i := 0; i+1 < len(points); i += 2 {
		fmt.Fprintf(c, "%.1f,%.1f ", points[i], points[i+1])
	}
	c.WriteString(`"/>`)
}

// done ends the SVG. Everything in it is a number or was escaped.
func (c *canvas) done() template.HTML {
	c.WriteString("</svg>")
	return template.HTML(c.String())
}

// legend names the lanes above a plot.
func (c *canvas) legend(title string, lanes []Lane) {
	c.text(left, 16, "", title)
	x := float64(width - right - 110*len(lanes))
	for i, l := range lanes {
		c.bar(x, 6, 14, i)
		c.text(x+20, 17, "", l.Name)
		x += 110
	}
}

// bars draws the CPU time per request of each lane of each run.
func bars(runs []Run) template.HTML {
	n, most := 0, 0.0
	for i := range runs {
		for j := range runs[i].Lanes {
			n++
			most = math.Max(most, Each(&runs[i].Lanes[j], "", CPU).Value)
		}
	}
	c := newCanvas(20+18*n+8*len(runs), "CPU per request by rival")
	y := 10.0
	for i := range runs {
		for j := range runs[i].Lanes {
			lane := &runs[i].Lanes[j]
			f := Each(lane, "", CPU)
			if j == 0 {
				c.text(0, y+12, "", runs[i].Title())
			}
			c.text(150, y+12, "dim", lane.Name)
			share := f.Value / math.Max(most, 1e-9)
			c.bar(220, y, share*(width-320), j)
			c.text(228+share*(width-320), y+12, "", fmt.Sprintf("%.1f µs", f.Value))
			y += 18
		}
		y += 8
	}
	return c.done()
}

// curve draws latency against the share of requests, on an axis that gives each nine as much room.
func curve(run *Run) template.HTML {
	c := newCanvas(height, "Latency of "+run.Title())
	c.legend(run.Title()+", ms", run.Lanes)
	low, high := math.Inf(1), 0.0
	for i := range run.Lanes {
		if b := latency(&run.Lanes[i]); len(b) > 0 {
			low, high = math.Min(low, float64(b[0].Upper)), math.Max(high, float64(b[len(b)-1].Upper))
		}
	}
	low, high = math.Log10(math.Max(low, 1e3)), math.Log10(math.Max(high, 1e4))
	yOf := func(ns float64) float64 {
		return bottom - (math.Log10(math.Max(ns, 1e3))-low)/math.Max(high-low, 0.1)*(bottom-top)
	}
	for decade := math.Ceil(low); decade <= high; decade++ {
		y := yOf(math.Pow(10, decade))
		c.line(left, y, width-right, y)
		c.text(4, y+4, "dim", fmt.Sprintf("%g", math.Pow(10, decade-6)))
	}
	for _, q := range []float64{0, 0.5, 0.9, 0.99, 0.999, 0.9999} {
		c.line(share(q), top, share(q), bottom)
		c.text(share(q)-12, bottom+16, "dim", fmt.Sprintf("%g %%", 100*q))
	}
	for i := range run.Lanes {
		c.path(curvePoints(latency(&run.Lanes[i]), yOf), i)
	}
	return c.done()
}

// share returns where a quantile is on the axis.
func share(q float64) float64 {
	const nines = 4.3
	return left + math.Min(-math.Log10(math.Max(1-q, 1e-9)), nines)/nines*(width-left-right)
}

// latency returns the histogram that a reader should see: from the planned time where there is one.
func latency(l *Lane) []hist.Bucket {
	if len(l.Corrected) > 0 {
		return l.Corrected
	}
	return l.Service
}

// curvePoints thins a histogram out to what can be seen.
func curvePoints(buckets []hist.Bucket, yOf func(float64) float64) []float64 {
	total, seen, last := uint64(0), uint64(0), -1.0
	for _, b := range buckets {
		total += b.Count
	}
	var points []float64
	for _, b := range buckets {
		seen += b.Count
		x := share(float64(seen) / float64(total))
		if x-last >= 2 || seen == total {
			points = append(points, x, yOf(float64(b.Upper)))
			last = x
		}
	}
	return points
}

// timeLine draws the rate of each lane over the run.
func timeLine(run *Run) template.HTML {
	c := newCanvas(height, "Rate of "+run.Title())
	c.legend(run.Title()+", requests/s", run.Lanes)
	most, n := 1.0, 2
	for i := range run.Lanes {
		n = max(n, len(run.Lanes[i].Slices))
		for _, s := range run.Lanes[i].Slices {
			most = math.Max(most, rate(s.Requests, s.Took))
		}
	}
	for _, part := range []float64{0, 0.5, 1} {
		y := bottom - part*(bottom-top)
		c.line(left, y, width-right, y)
		c.text(4, y+4, "dim", fmt.Sprintf("%.0f", part*most))
	}
	for i := range run.Lanes {
		var points []float64
		for j, s := range run.Lanes[i].Slices {
			x := left + float64(j)/float64(n-1)*(width-left-right)
			points = append(points, x, bottom-rate(s.Requests, s.Took)/most*(bottom-top))
		}
		c.path(points, i)
	}
	return c.done()
}

func rate(n int64, took time.Duration) float64 {
	return float64(n) / math.Max(took.Seconds(), 1e-9)
}

// verdicts draws what became of the gateway's requests, mix by mix.
func verdicts(runs []Run) template.HTML {
	c := newCanvas(40+20*len(runs), "Verdict mix")
	names := []string{"served", "denied", "errors"}
	for i, name := range names {
		c.bar(float64(160+110*i), 4, 14, i)
		c.text(float64(180+110*i), 16, "", name)
	}
	y := 30.0
	for i := range runs {
		if len(runs[i].Lanes) == 0 {
			continue
		}
		n := runs[i].Lanes[0].Counts
		c.text(0, y+12, "", runs[i].Title())
		x := 160.0
		for j, part := range []int64{n.Served, n.Denied, n.Requests - n.Served - n.Denied} {
			w := float64(part) / float64(max(n.Requests, 1)) * (width - 180)
			c.bar(x, y, w, j)
			x += w
		}
		y += 20
	}
	return c.done()
}
