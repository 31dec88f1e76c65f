package metrics

import (
	"math"
	"math/bits"
	"slices"
	"sync/atomic"
	"time"
)

// A histogram is a row of cells, each of which counts the durations above the
// bound before its own and up to its own. Every bound of a classic bucket and
// every bound of a native one is the bound of a cell, so that both kinds can be
// added up from the same counts when somebody scrapes; a request adds to one
// cell and one sum.
//
// Native bounds are a constant factor apart, so each octave of nanoseconds holds
// the same number of them, at the same places. A cell is found from the bits of
// the duration and one short table for all octaves, without a logarithm.
const (
	lowestOctave = 9                 // it holds zeroThreshold
	octaves      = 63 - lowestOctave // up to the longest time.Duration
	perOctave    = nativePerOctave + 1
	cellCount    = octaves * perOctave
	steps        = 32 // equal parts of an octave
	stepBits     = 5
)

// The native buckets: schema 3 grows by less than a tenth from one to the next.
const (
	nativeSchema    = 3
	nativePerOctave = 1 << nativeSchema
	zeroThreshold   = 1e-6 // seconds; what is not longer falls into the zero bucket
)

// nativeFractions are the bounds of schema 3 within an octave, as math.Frexp
// splits them: 2^(i/8 - 1), rounded as every client of Prometheus rounds them.
var nativeFractions = [nativePerOctave]float64{
	0.5, 0.5452538663326288, 0.5946035575013605, 0.6484197773255048,
	0.7071067811865475, 0.7711054127039704, 0.8408964152537144, 0.9170040432046711,
}

// The bounds of classic buckets, in seconds. At most one of both lists, or
// zeroThreshold, may fall into an octave of nanoseconds.
var (
	long  = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	short = []float64{1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, .001, .0025, .005, .01, .025, .05, .1, 1}
)

// cell counts durations of up to bound nanoseconds. Both lie on one cache line.
type cell struct {
	bound int64
	n     atomic.Uint64
}

// cells is a histogram without its sum.
type cells [cellCount]cell

// guide says for each step of an octave how many cells of it can be skipped.
type guide [steps]uint8

// add counts one duration.
func (c *cells) add(g *guide, ns int64) {
	ns = max(ns, 1<<lowestOctave) // still in the zero bucket
	octave := bits.Len64(uint64(ns)) - 1
	i := (octave-lowestOctave)*perOctave + int(g[ns>>(octave-stepBits)%steps])
	for c[i].bound < ns {
		i++
	}
	c[i].n.Add(1)
}

// make sets the bounds.
func (c *cells) make(bounds []int64) {
	for i := range c {
		end := int64(math.MaxInt64) // of the octave, inclusive
		if octave := lowestOctave + i/perOctave; octave < 62 {
			end = 1<<(octave+1) - 1
		}
		switch {
		case bounds[0] <= end && i < cellCount-1:
			c[i].bound, bounds = bounds[0], bounds[1:]
		case i == cellCount-1:
			c[i].bound = math.MaxInt64
		default: // the octave has one bound less: a cell that is always passed
			c[i].bound = c[i-1].bound
		}
	}
}

// make finds how many cells lie below each step in every octave.
func (g *guide) make(c *cells) {
	for step := range g {
		g[step] = perOctave
		for o := range octaves {
			starts := int64(steps+step) << (o + lowestOctave - stepBits)
			below := uint8(0)
			for i := range perOctave {
				if c[o*perOctave+i].bound < starts {
					below++
				}
			}
			g[step] = min(g[step], below)
		}
	}
}

// allBounds returns the bounds of all buckets in nanoseconds, in order.
func allBounds() []int64 {
	all := []int64{longest(zeroThreshold), math.MaxInt64}
	for _, le := range slices.Concat(long, short) {
		all = append(all, longest(le))
	}
	for key := -22 * nativePerOctave; key < 34*nativePerOctave; key++ {
		le := math.Ldexp(nativeFractions[key&(nativePerOctave-1)], key>>nativeSchema+1)
		if ns := longest(le); ns >= 1<<lowestOctave {
			all = append(all, ns)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// longest returns the longest duration, in nanoseconds, that counts as no more
// than le seconds, with the rounding of Duration.Seconds.
func longest(le float64) int64 {
	low, high := int64(0), int64(math.MaxInt64)
	for low < high {
		if middle := high - (high-low)/2; time.Duration(middle).Seconds() <= le {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low
}
