package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"aclgate/bench/load"
	"aclgate/bench/oracle"
	"aclgate/bench/report"
	"aclgate/bench/workload"
)

const (
	revokeRounds = 8
	revokeRate   = 2000
	// between two changes of the policy; a second also makes sure that the file's time changes.
	revokePause = 400 * time.Millisecond
	revokeTime  = 20 * time.Second
)

// revocation is one round: the victim is taken out of the policy and put back.
type revocation struct {
	revoke   time.Time // the reload was asked for
	revoked  time.Time // it returned
	restore  time.Time
	restored time.Time
}

// accepted is one answer of 2xx to the victim.
type accepted struct{ sent, done time.Time }

// Revoke removes a token from the policy again and again, while it and others send requests, and
// reports how long it went on being accepted. A request that was sent after the reload had returned
// and was accepted all the same is a leak (SPEC 6).
func Revoke(ctx context.Context, o Options) (*report.Result, error) {
	if o.Against != "" {
		return nil, errors.New("bench revoke changes the policy: it needs a gateway of its own, not --against")
	}
	if o.Rate == 0 {
		o.Rate = revokeRate
	}
	return alone(ctx, o, "revoke", "one-id", func(s *rig, w *workload.Workload, gateway *proxy, result *report.Result) error {
		rounds, answers, err := s.revoke(ctx, w, gateway, result)
		if err != nil {
			return errors.Join(err, output([]*proxy{gateway}))
		}
		s.summarize(rounds, answers, result)
		return nil
	})
}

// revoke loads the gateway and changes its policy meanwhile.
func (s *rig) revoke(ctx context.Context, w *workload.Workload, gateway *proxy, result *report.Result) ([]revocation, []accepted, error) {
	victim := w.Calls[0].Token
	of := func(own bool) []workload.Call {
		return slices.DeleteFunc(slices.Clone(w.Calls), func(c workload.Call) bool { return (c.Token == victim) != own })
	}
	answers := make([]accepted, 0, int(s.Rate*revokeTime.Seconds()))
	hit := &load.Lane{Name: "victim", Addr: gateway.addr, Calls: of(true), Afresh: true, Judge: func(a *load.Answer) oracle.Finding {
		if a.Status == http.StatusOK {
			answers = append(answers, accepted{a.Sent, a.Done})
		}
		return oracle.OK
	}}
	rest := gateway.lane(w)
	rest.Calls = of(false)
	ctx, cancel := context.WithTimeout(ctx, revokeTime)
	defer cancel()
	var rounds []revocation
	var changed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		rounds, changed = rewrite(ctx, gateway.files, w, victim)
	}()
	err := load.Run(ctx, []*load.Lane{hit, rest}, load.Options{Conns: s.Conns, Rate: s.Rate, Warmup: s.Warmup, Slice: revokeTime, Slices: 1})
	cancel()
	<-done
	if errors.Is(err, context.Canceled) && changed == nil && len(rounds) == revokeRounds {
		err = nil
	}
	result.Add(report.Run{Mix: "revoke", Rate: s.Rate, Conns: s.Conns, Lanes: []report.Lane{
		{Name: report.Subject, Counts: rest.Counts, Bad: rest.Bad, Service: rest.Service.Buckets(), Corrected: rest.Corrected.Buckets()},
	}})
	return rounds, answers, errors.Join(err, changed)
}

// rewrite changes the policy in rounds.
func rewrite(ctx context.Context, files gatewayFiles, w *workload.Workload, victim int) ([]revocation, error) {
	policy := filepath.Join(files.dir, "policy.json")
	change := func(without map[int]bool) (from, to time.Time, err error) {
		select {
		case <-ctx.Done():
			return from, to, ctx.Err()
		case <-time.After(revokePause):
		}
		if err := writePolicy(policy, w, without); err != nil {
			return from, to, err
		}
		from = time.Now()
		err = reload(ctx, files)
		return from, time.Now(), err
	}
	var rounds []revocation
	for range revokeRounds {
		var r revocation
		var err error
		if r.revoke, r.revoked, err = change(map[int]bool{victim: true}); err != nil {
			return rounds, err
		}
		if r.restore, r.restored, err = change(nil); err != nil {
			return rounds, err
		}
		rounds = append(rounds, r)
	}
	return rounds, nil
}

// reload has the gateway read its policy and returns when it has.
func reload(ctx context.Context, files gatewayFiles) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://%s/reload", files.admin), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("cannot reload: %s: %s", resp.Status, text)
	}
	return err
}

// summarize makes the figures: the last acceptance and the reload itself, both from the moment the
// reload was asked for, and how many requests were accepted that were sent after it had returned.
func (s *rig) summarize(rounds []revocation, answers []accepted, result *report.Result) {
	var last, took []float64
	late := 0
	for _, r := range rounds {
		ended := r.revoke
		for _, a := range answers {
			// The file is replaced before the reload is asked for, and the watcher may be quicker.
			if a.done.Before(r.restore) && a.done.After(ended) {
				ended = a.done
			}
			if a.sent.After(r.revoked) && a.done.Before(r.restore) {
				late++
			}
		}
		last = append(last, ms(ended.Sub(r.revoke)))
		took = append(took, ms(r.revoked.Sub(r.revoke)))
	}
	result.Figures["revoke/last_accepted_ms"] = report.Median(last, "ms")
	result.Figures["revoke/last_accepted_max_ms"] = report.Exact(slices.Max(last), "ms")
	result.Figures["revoke/reload_ms"] = report.Median(took, "ms")
	result.Figures["revoke/accepted_after"] = report.Exact(float64(late), "")
	leaks := result.Figures["leaks"]
	result.Figures["leaks"] = report.Exact(leaks.Value+float64(late), "")
	s.Say("%d revocations of one of %d tokens under %.0f requests/s: the reload took %.1f ms; last accepted after %.1f ms, at most %.1f ms; %d accepted that were sent after the reload had returned\n",
		len(rounds), len(s.workloads["one-id"].Tokens), 2*s.Rate, result.Figures["revoke/reload_ms"].Value, result.Figures["revoke/last_accepted_ms"].Value,
		slices.Max(last), late)
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
