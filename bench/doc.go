// Package bench compares the gateway with other proxies and checks every answer on the way.
//
// One number alone says little on a machine that is shared: it moves by a fifth from minute to
// minute. So proxies are measured in pairs: both on the same core, at the same time, under the same
// load from one thread, and what counts is the ratio of their CPU time per request, slice by slice.
// What disturbs one disturbs the other. The generator and the backend have another core to
// themselves; when the proxies' core was idle, they were the limit, and the run says so and is not
// counted.
//
// The gateway runs as a child process from the same binary, with its head check, decision record,
// metrics and limits on. The oracle (see package oracle) judges every answer of a proxy that claims
// to enforce the policy.
//
// Where things are: workload makes tokens, calls and right answers from a mix and a seed; load
// sends them; stub answers them; competitors and child run the proxies; report shows what came out;
// sys has the system calls. This package puts them together.
package bench

import "time"

// Options say what to measure.
type Options struct {
	Mixes       []string // names or files
	Competitors []string // names
	Seed        uint64
	Conns       int           // per proxy
	Slice       time.Duration // length of one
	Slices      int           // per pair
	Warmup      time.Duration // before the first slice
	Rate        float64       // per proxy and second; 0: as fast as they can
	Against     string        // http://host:port of a gateway that runs already; empty: a child
	Mine        bool          // Against may be another machine
	Version     string        // of this program
	Say         func(format string, args ...any)
}
