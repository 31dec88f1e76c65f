package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"aclgate/bench/child"
	"aclgate/bench/competitors"
	"aclgate/bench/report"
	"aclgate/bench/workload"
)

const (
	streamRounds = 5
	// sampling is how often memory is looked at while an answer passes.
	sampling = 5 * time.Millisecond
	// streamBound ends a stream that hangs.
	streamBound = time.Minute
)

// streamed is what one long answer took.
type streamed struct {
	first, cpu time.Duration
	extra      int64 // bytes of memory above those before
}

// Stream passes a 1 GB answer and a chunked one of 100 MB through the gateway and through nginx, in
// turn, and measures the first byte, CPU time and the memory that came on top.
func Stream(ctx context.Context, o Options) (*report.Result, error) {
	if o.Against != "" {
		return nil, errors.New("bench stream starts a gateway of its own: it does not take --against")
	}
	s, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	result := s.result("stream")
	backend, err := s.startBackend(ctx, "streams") // in the place of the one of small answers
	if err != nil {
		return result, err
	}
	defer backend.Stop()
	w, err := s.workload("one-id")
	if err != nil {
		return result, err
	}
	proxies, err := s.streamers(ctx, w)
	for _, p := range proxies {
		defer p.stop()
	}
	if err != nil {
		return result, err
	}
	s.Say("answer            proxy      first byte      CPU    extra memory   CPU ratio\n")
	for _, kind := range []struct{ name, query string }{
		{"1 GB", "limit=1000000000"}, {"100 MB chunked", "limit=100000000&offset=1"},
	} {
		if err := s.stream(ctx, kind.name, kind.query, w, proxies, result); err != nil {
			return result, errors.Join(err, output(proxies))
		}
	}
	return result, nil
}

// streamers starts the gateway and, where it is installed, nginx.
func (s *rig) streamers(ctx context.Context, w *workload.Workload) ([]*proxy, error) {
	gateway, err := s.gateway(ctx, w)
	if err != nil {
		return nil, err
	}
	proxies := []*proxy{gateway}
	if nginx, ok := competitors.Named("nginx"); ok {
		if _, missing := nginx.Find(); missing != nil {
			s.Say("nginx is left out: %v\n", missing)
			return proxies, nil
		}
		p, err := s.competitor(ctx, nginx, w)
		if err != nil {
			return proxies, err
		}
		proxies = append(proxies, p)
	}
	return proxies, nil
}

// stream passes one kind of answer through each proxy, round by round, so that drift meets both.
func (s *rig) stream(ctx context.Context, name, query string, w *workload.Workload, proxies []*proxy, result *report.Result) error {
	t := &w.Tokens[0]
	request := fmt.Sprintf("GET /gw/devices/%d/messages?%s HTTP/1.1\r\nHost: %s\r\nAuthorization: FlespiToken %s\r\n\r\n", t.Devices[0], query, workload.Host, t.Key)
	cpu, first, extra := make([][]float64, len(proxies)), make([][]float64, len(proxies)), make([]int64, len(proxies))
	for range streamRounds {
		for i, p := range proxies {
			got, err := passOne(ctx, p, request)
			if err != nil {
				return fmt.Errorf("cannot pass %s through %s: %w", name, p.name, err)
			}
			cpu[i], first[i] = append(cpu[i], ms(got.cpu)), append(first[i], ms(got.first))
			extra[i] = max(extra[i], got.extra)
		}
	}
	for i, p := range proxies {
		var ratios []float64
		for round := range cpu[i] {
			ratios = append(ratios, cpu[0][round]/cpu[i][round])
		}
		title := "stream " + name + "/" + p.name
		ratio := report.Median(ratios, "")
		if i > 0 {
			result.Figures[title+"/cpu_ratio"] = ratio
		}
		result.Figures[title+"/first_byte_ms"] = report.Median(first[i], "ms")
		result.Figures[title+"/cpu_ms"] = report.Median(cpu[i], "ms")
		result.Figures[title+"/extra_mib"] = report.Exact(float64(extra[i])/(1<<20), "MiB")
		s.Say("%-16s  %-8s  %8.2f ms %6.0f ms %10.1f MiB   %.2f (%.2f–%.2f)\n", name, p.name, report.Median(first[i], "").Value,
			report.Median(cpu[i], "").Value, float64(extra[i])/(1<<20), ratio.Value, ratio.Low, ratio.High)
	}
	return nil
}

// passOne reads one long answer through a proxy.
func passOne(ctx context.Context, p *proxy, request string) (streamed, error) {
	ctx, cancel := context.WithTimeout(ctx, streamBound)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.addr.String())
	if err != nil {
		return streamed{}, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	pid := p.process.PID()
	before, used, began := child.RSS(pid), child.CPU(pid), time.Now()
	if _, err := io.WriteString(c, request); err != nil {
		return streamed{}, err
	}
	in := bufio.NewReaderSize(c, 256<<10)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return streamed{}, err
	}
	defer resp.Body.Close()
	got := streamed{first: time.Since(began)}
	if resp.StatusCode != http.StatusOK {
		return got, fmt.Errorf("status %s", resp.Status)
	}
	buf, next := make([]byte, 256<<10), time.Now()
	for err == nil {
		_, err = resp.Body.Read(buf)
		if now := time.Now(); now.After(next) {
			got.extra = max(got.extra, child.RSS(pid)-before)
			next = now.Add(sampling)
		}
	}
	got.cpu = child.CPU(pid) - used
	if !errors.Is(err, io.EOF) {
		return got, err
	}
	return got, nil
}
