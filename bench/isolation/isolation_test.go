package isolation

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"aclgate/bench/backend"
)

var (
	full    = flag.Bool("full", false, "play the whole world: 200 accounts, 50,000 items, 500 tokens")
	long    = flag.Bool("long", false, "play every request of the small world in every mode, and more changes")
	heavy   = flag.Bool("heavy", false, "measure requests during readings of a large index")
	seed    = flag.Uint64("seed", 1, "seed of the world")
	program = flag.String("gateway", "", "program to test; empty: built from cmd/aclgate")
)

// TestMain builds the gateway once.
func TestMain(m *testing.M) {
	flag.Parse()
	// Most of the time is waiting for what a faulty backend holds back.
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		flag.Set("test.parallel", "6")
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if *program == "" {
		dir, err := os.MkdirTemp("", "aclgate-isolation")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		*program = filepath.Join(dir, "aclgate")
		if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", *program, "aclgate/cmd/aclgate").CombinedOutput(); err != nil {
			os.Stderr.Write(out)
			return 1
		}
	}
	return m.Run()
}

// options are those of a backend that fits a mode: without one that knows accounts, or with.
func options(mode string) backend.Options {
	return backend.Options{Key: BackendKey, IgnoreCID: mode == ModeIDs, Record: 1 << 14}
}

// start puts a gateway in front of a world and waits until it is ready.
func start(t *testing.T, w *World, opt backend.Options, s Settings) (*Gateway, *Rig, *backend.World) {
	t.Helper()
	w.Mode = s.Mode
	behind, err := w.Backend()
	if err != nil {
		t.Fatal(err)
	}
	rig := &Rig{World: w, Server: backend.New(behind, opt)}
	t.Cleanup(rig.Server.Close)
	if s.Backend, err = rig.Server.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	g := serve(t, w, s)
	for range 4 {
		rig.Clients = append(rig.Clients, client(t, g))
	}
	return g, rig, behind
}

func serve(t *testing.T, w *World, s Settings) *Gateway {
	t.Helper()
	g, err := Start(*program, t.TempDir(), w, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if g.Stop(); g.Fault() != "" {
			t.Errorf("the gateway said: %s", g.Fault())
		}
	})
	return g
}

func client(t *testing.T, g *Gateway) *Client {
	c := NewClient(g.Address)
	t.Cleanup(c.Close)
	return c
}

// ready waits for a gateway's first whole reading.
func ready(t *testing.T, g *Gateway) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := g.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
}

// Every token asks for every collection by every form at every place. Without -long each mode plays a
// third of these requests, so that the three play all of them.
func TestNobodyReachesMoreOrLessThanPermitted(t *testing.T) {
	for third, mode := range []string{ModeIDs, ModeBoth, ModeHeader} {
		t.Run(mode, func(t *testing.T) {
			size, changing := Size{40, 2400, 12}, 5
			if *full {
				size, changing = Size{200, 50_000, 500}, 100
			}
			w := NewWorld(size, *seed)
			g, rig, _ := start(t, w, options(mode), Settings{Mode: mode, Refresh: 5 * time.Second, MaxStaleness: time.Minute})
			ready(t, g)
			p := tally{t: t, began: time.Now(), third: third, outcomes: map[string]int{}}
			p.reads(rig, w.Tokens)
			p.foreignAndMissing(rig)
			p.changes(rig, w.Tokens[:changing])
			p.reads(rig, w.Tokens[:changing]) // what passed through counts
			p.report(mode)
		})
	}
}

// tally counts what came of requests and shows the first that went wrong.
type tally struct {
	t                  *testing.T
	began              time.Time
	third              int // which one of the requests is played
	asked, wrong, rows int
	outcomes           map[string]int
}

const shown = 8 // requests that went wrong

func (p *tally) reads(rig *Rig, tokens []*Token) {
	for i, token := range tokens {
		var moves []Move
		for _, uri := range Collections() {
			for n, a := range rig.World.Cases(token, uri, *seed).Reads() {
				if *long || *full || n%3 == p.third {
					moves = append(moves, Move{Token: token, Ask: a})
				}
			}
		}
		rig.Play(moves)
		for i := range moves {
			p.count(&moves[i])
		}
		if *full && i%50 == 49 {
			p.t.Logf("%s: %d tokens, %d requests, %d wrong", time.Since(p.began).Round(time.Second), i+1, p.asked, p.wrong)
		}
	}
}

func (p *tally) changes(rig *Rig, tokens []*Token) {
	for _, token := range tokens {
		for _, uri := range Collections() {
			for _, a := range rig.World.Cases(token, uri, *seed+1).Changes() {
				if m := rig.Change(token, a); m != nil {
					p.count(m)
				}
			}
		}
	}
	if *full {
		p.t.Logf("%s: changes, %d requests, %d wrong", time.Since(p.began).Round(time.Second), p.asked, p.wrong)
	}
}

// Foreign ids are answered like missing ones, byte by byte but for the digits.
func (p *tally) foreignAndMissing(rig *Rig) {
	for _, token := range rig.World.Tokens {
		for _, uri := range Collections() {
			c := rig.World.Cases(token, uri, *seed+2)
			foreign, missing := c.foreign(uri), c.absent(uri)
			theirs, none := c.named(foreign), c.named(missing)
			moves := make([]Move, 0, 2*len(theirs))
			for i := range theirs {
				moves = append(moves, Move{Token: token, Ask: theirs[i]}, Move{Token: token, Ask: none[i]})
			}
			rig.Play(moves)
			for i := 0; i < len(moves); i += 2 {
				p.asked++
				a, b := moves[i].Got.alike(foreign), moves[i+1].Got.alike(missing)
				if a == b {
					continue
				}
				if p.wrong++; p.wrong <= shown {
					p.t.Errorf("%s\n%s\n%s", moves[i].String(), a, b)
				}
			}
		}
	}
}

func (p *tally) count(m *Move) {
	p.asked++
	if m.Want != nil {
		p.outcomes[m.Want.Outcome]++
		p.rows += len(m.Want.Rows)
	}
	if len(m.Found) == 0 {
		return
	}
	if p.wrong++; p.wrong <= shown {
		p.t.Error(m.String())
	}
}

func (p *tally) report(mode string) {
	p.t.Helper()
	p.t.Logf("mode %s: %d requests, %d wrong, %d rows, %v, %s", mode, p.asked, p.wrong, p.rows, p.outcomes,
		time.Since(p.began).Round(time.Millisecond))
	if p.wrong > 0 {
		p.t.Errorf("%d of %d requests went wrong", p.wrong, p.asked)
	}
	for _, outcome := range []string{Forwarded, Empty, NotPermitted, DeniedItems, DeniedCID, DeniedBody} {
		if p.outcomes[outcome] == 0 {
			p.t.Errorf("no request was %s: the world is too small", outcome)
		}
	}
}
