package workload

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// TestBuiltinMixes: every mix makes a workload, twice the same from one seed and another one from
// another.
func TestBuiltinMixes(t *testing.T) {
	for _, name := range Names() {
		mix, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if mix.Name != name || mix.About == "" {
			t.Errorf("%s: got name %q, about %q", name, mix.Name, mix.About)
		}
		mix.Tokens = min(mix.Tokens, 200)
		a, b, c := New(mix, 1), New(mix, 1), New(mix, 2)
		if got, want := wireOf(a), wireOf(b); !bytes.Equal(got, want) {
			t.Errorf("%s: one seed makes two workloads", name)
		}
		if bytes.Equal(wireOf(a), wireOf(c)) {
			t.Errorf("%s: two seeds make one workload", name)
		}
	}
	if got, want := len(Names()), 11; got != want {
		t.Errorf("got %d mixes, want %d", got, want)
	}
}

func wireOf(w *Workload) []byte {
	var all bytes.Buffer
	for _, c := range w.Calls {
		all.Write(c.Bytes)
	}
	if err := w.WritePolicy(&all, nil); err != nil {
		panic(err)
	}
	return all.Bytes()
}

// TestExpectations: what a call expects is what its token's devices say.
func TestExpectations(t *testing.T) {
	mix, err := Open("telematics")
	if err != nil {
		t.Fatal(err)
	}
	mix.Tokens = 300
	w := New(mix, 7)
	kinds := map[[2]int]int{}
	for _, c := range w.Calls {
		kinds[[2]int{c.Expect.Status, c.Expect.Code}]++
		for _, id := range c.Expect.IDs {
			if _, mine := slices.BinarySearch(c.Expect.Permitted, id); !mine {
				t.Fatalf("%.60s: expects %d, which is not permitted", c.Bytes, id)
			}
		}
		for _, id := range c.Expect.Denied {
			if _, mine := slices.BinarySearch(c.Expect.Permitted, id); mine {
				t.Fatalf("%.60s: expects a denial of %d, which is permitted", c.Bytes, id)
			}
		}
	}
	for _, kind := range [][2]int{{200, 0}, {403, 6}, {403, 8}, {401, 401}} {
		if kinds[kind] == 0 {
			t.Errorf("no call expects status %d with code %d", kind[0], kind[1])
		}
	}
}

// TestWithout: a token that is left out is not in the policy, and all others are.
func TestWithout(t *testing.T) {
	mix, err := Open("one-id")
	if err != nil {
		t.Fatal(err)
	}
	mix.Tokens = 3
	var b strings.Builder
	if err := New(mix, 1).WritePolicy(&b, map[int]bool{1: true}); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); strings.Contains(got, `"id": 2, "key`) || !strings.Contains(got, `"id": 3, "key`) {
		t.Errorf("got %s", got)
	}
}

func TestReadNamesEveryFault(t *testing.T) {
	_, err := Read("my.yaml", []byte(`name: x
tokens: {count: 0, pick: some}
devices: {median: 5}
colour: red
requests: [{weight: 1, ask: own, path: /gw/channels/all}]
`))
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"my.yaml:2:", "uniform", "colour", "/devices/{}"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to contain %q", err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range Names() {
		text, err := builtin.ReadFile("mixes/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		mix, err := Read("x.yaml", text)
		if err != nil {
			return
		}
		// What was read can be played: every call is one request and names the mix's one selector.
		mix.Tokens, mix.Devices, mix.Most = min(mix.Tokens, 3), min(mix.Devices, 3), min(mix.Most, 3)
		for _, c := range New(mix, 1).Calls[:100] {
			if bytes.Count(c.Bytes, []byte("\r\n\r\n")) < 1 || bytes.Contains(c.Bytes, []byte("{}")) && !bytes.Contains(text, []byte("body")) {
				t.Fatalf("got %q", c.Bytes)
			}
		}
	})
}
