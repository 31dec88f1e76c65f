package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"aclgate/bench/child"
	"aclgate/bench/load"
	"aclgate/bench/report"
	"aclgate/bench/workload"
)

const (
	// idleConns are opened, used once and left alone.
	idleConns = 1000
	// settling is how long memory may take to go back to the system before it is read.
	settling = 3 * time.Second
	// stallRate is low: what is looked for is the longest time without an answer, not the load.
	stallRate  = 500
	stallTime  = 60 * time.Second
	stallQuiet = 2 * time.Second
)

// Size measures, for each number of tokens, what the gateway needs to be there at all: the time
// until it listens, memory, memory per idle connection, the time of a reload, and the longest time
// that a request took meanwhile, and the longest without a reload. The gateway gets all cores: a
// reload is work beside that of requests, and with one core of its own they would wait for it.
func Size(ctx context.Context, o Options, tokens []int) (*report.Result, error) {
	if o.Against != "" {
		return nil, errors.New("bench size starts gateways of its own: it does not take --against")
	}
	s, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	s.proxies = s.cpus
	result := s.result("size")
	s.Say("tokens      start    memory   per idle connection   reload   longest answer meanwhile   without\n")
	for _, n := range tokens {
		mix, err := workload.Open("all-rewrite")
		if err != nil {
			return result, err
		}
		mix.Name, mix.Tokens = fmt.Sprintf("size-%d", n), n
		if err := s.size(ctx, workload.New(mix, s.Seed), result); err != nil {
			return result, err
		}
	}
	return result, nil
}

// size measures one number of tokens.
func (s *rig) size(ctx context.Context, w *workload.Workload, result *report.Result) error {
	name := w.Mix.Name
	began := time.Now()
	gateway, err := s.gateway(ctx, w)
	if err != nil {
		return err
	}
	defer gateway.stop()
	// Writing the files is no part of starting.
	start := time.Since(began) - gateway.wrote
	time.Sleep(settling)
	memory := child.RSS(gateway.process.PID())
	perConn, err := idleMemory(ctx, gateway, w)
	if err != nil {
		return err
	}
	took, stall, quiet, err := s.stall(ctx, gateway, w, result)
	if err != nil {
		return errors.Join(err, output([]*proxy{gateway}))
	}
	for figure, v := range map[string]report.Figure{
		"start_ms": report.Exact(ms(start), "ms"), "rss_mib": report.Exact(float64(memory)/(1<<20), "MiB"),
		"idle_connection_kib": report.Exact(perConn/1024, "KiB"), "reload_ms": report.Exact(ms(took), "ms"),
		"stall_ms": report.Exact(ms(stall), "ms"), "quiet_ms": report.Exact(ms(quiet), "ms"),
	} {
		result.Figures[name+"/"+figure] = v
	}
	s.Say("%-9d %5.0f ms %5d MiB %17.1f KiB %6.0f ms %22.1f ms %6.1f ms\n", len(w.Tokens), ms(start), memory>>20, perConn/1024, ms(took), ms(stall), ms(quiet))
	return nil
}

// idleMemory returns how many bytes an idle connection costs that has been used.
func idleMemory(ctx context.Context, gateway *proxy, w *workload.Workload) (float64, error) {
	if err := warm(ctx, gateway, w); err != nil {
		return 0, err
	}
	before := child.RSS(gateway.process.PID())
	conns := make([]net.Conn, 0, idleConns)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	for i := range idleConns {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", gateway.addr.String())
		if err != nil {
			return 0, err
		}
		conns = append(conns, c)
		if err := once(c, w.Calls[i%len(w.Calls)].Bytes); err != nil {
			return 0, err
		}
	}
	time.Sleep(settling)
	return float64(child.RSS(gateway.process.PID())-before) / idleConns, nil
}

// warm makes the calls of idleMemory over one connection, so that what their tokens and records
// take is not counted as memory of connections.
func warm(ctx context.Context, gateway *proxy, w *workload.Workload) error {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", gateway.addr.String())
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range idleConns {
		if err := once(c, w.Calls[i%len(w.Calls)].Bytes); err != nil {
			return err
		}
	}
	return nil
}

// once sends one call and reads its answer.
func once(c net.Conn, call []byte) error {
	if _, err := c.Write(call); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// stall sends few requests, evenly, while the policy is read again, and returns how long the reload
// took, the longest answer meanwhile, and the longest in the time before.
func (s *rig) stall(ctx context.Context, gateway *proxy, w *workload.Workload, result *report.Result) (took, stall, quiet time.Duration, err error) {
	next, err := nextPolicy(gateway.files, w)
	if err != nil {
		return 0, 0, 0, err
	}
	lane := gateway.lane(w)
	ctx, cancel := context.WithTimeout(ctx, stallTime)
	defer cancel()
	reloaded := make(chan error, 1)
	err = load.Run(ctx, []*load.Lane{lane}, load.Options{
		Conns: s.Conns, Rate: stallRate, Warmup: s.Warmup, Slice: stallQuiet, Slices: int(stallTime / stallQuiet),
		Tick: func(slice int) {
			if slice == 1 {
				go func() {
					var err error
					took, err = replacePolicy(ctx, gateway.files, next)
					time.Sleep(stallQuiet + stallQuiet/4) // the slice in which the reload ended has to end
					reloaded <- err
					cancel()
				}()
			}
		},
	})
	if changed := <-reloaded; changed != nil {
		return took, 0, 0, changed
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return took, 0, 0, err
	}
	run := report.Run{Mix: w.Mix.Name + "-reload", Rate: stallRate, Conns: s.Conns, Lanes: []report.Lane{s.laneOf(lane, gateway, report.Lane{})}}
	result.Add(run)
	for i, slice := range lane.Slices {
		if i == 0 {
			quiet = slice.Max
		} else {
			stall = max(stall, slice.Max)
		}
	}
	return took, stall, quiet, nil
}

// unused returns a token that no call uses. A file that has not changed might not be read at all,
// so the new policy lacks one.
func unused(w *workload.Workload) int {
	used := make([]bool, len(w.Tokens))
	for _, c := range w.Calls {
		if c.Token >= 0 {
			used[c.Token] = true
		}
	}
	return slices.Index(used, false)
}

// nextPolicy writes, next to the policy in force, one without a token that no call uses, and
// returns its path. It must be called before the load: writing so much delays the calls that it
// sends and times.
func nextPolicy(files gatewayFiles, w *workload.Workload) (path string, err error) {
	path = filepath.Join(files.dir, "policy-next.json")
	return path, writePolicy(path, w, map[int]bool{unused(w): true})
}

// replacePolicy puts next in the place of the policy and returns how long the reload took.
func replacePolicy(ctx context.Context, files gatewayFiles, next string) (time.Duration, error) {
	if err := os.Rename(next, filepath.Join(files.dir, "policy.json")); err != nil {
		return 0, err
	}
	began := time.Now()
	err := reload(ctx, files)
	return time.Since(began), err
}
