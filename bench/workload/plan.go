package workload

import (
	"fmt"
	"math/rand/v2"

	"aclgate/bench/oracle"
)

// planned is how many calls are made beforehand; they are played again and again. A sweep needs one
// for each token at least.
const planned = 1 << 14

// Host is what the calls say in Host.
const Host = "gateway.bench.internal"

// plan makes the calls.
func (w *Workload) plan(random *rand.Rand) {
	n := planned
	if w.Mix.Pick == Sweep {
		n = max(n, len(w.Tokens))
	}
	next := w.picker(random)
	w.Calls = make([]Call, n)
	for i := range w.Calls {
		w.Calls[i] = w.call(next(i), w.weighed(random), random)
	}
}

// picker returns a function that chooses the token of call i.
func (w *Workload) picker(random *rand.Rand) func(i int) int {
	n := len(w.Tokens)
	switch w.Mix.Pick {
	case Zipf:
		z := rand.NewZipf(random, w.Mix.Skew, 1, uint64(n-1))
		return func(int) int { return int(z.Uint64()) }
	case Sweep:
		return func(i int) int { return i % n }
	case One:
		return func(int) int { return 0 }
	}
	return func(int) int { return random.IntN(n) }
}

// weighed chooses a kind of call by weight.
func (w *Workload) weighed(random *rand.Rand) *Ask {
	sum := int64(0)
	for _, a := range w.Mix.Requests {
		sum += a.Weight
	}
	at := random.Int64N(sum)
	for i := range w.Mix.Requests {
		a := &w.Mix.Requests[i]
		if at -= a.Weight; at < 0 {
			return a
		}
	}
	return nil // the weights add up to sum
}

// call makes one call and its right answer.
func (w *Workload) call(token int, a *Ask, random *rand.Rand) Call {
	t := &w.Tokens[token]
	e := oracle.Expect{Status: 200, Permitted: t.Devices}
	selector := "all"
	switch a.What {
	case All:
		e.IDs, e.Sum = t.Devices, t.sum
	default:
		own, foreign := t.choose(a, random)
		e.IDs, e.Denied = own, foreign
		selector = printIDs(append(own[:len(own):len(own)], foreign...))
	}
	key := t.Key
	switch {
	case a.Unknown:
		// Keys of tokens begin at 0 and go up; no workload has a token -1.
		key, token = keyOf(w.Seed, -1-token), -1
		e = oracle.Expect{Status: 401, Code: 401}
	case a.Method == "DELETE":
		e = oracle.Expect{Status: 403, Code: 8}
	case len(e.IDs) == 0:
		e.Status, e.Code = 403, 6
	}
	return Call{Bytes: wire(a, settle(a.Path, selector, t.Calc), key), Expect: e, Token: token}
}

// choose returns the own and the foreign ids that a call names, each list in the order asked.
func (t *Token) choose(a *Ask, random *rand.Rand) (own, foreign []int64) {
	n := int(a.IDs)
	if a.What == Foreign {
		return nil, foreigners(n, random)
	}
	if a.What == Mixed {
		n, foreign = max(n-1, 1), foreigners(1, random)
	}
	n = min(n, len(t.Devices))
	// Neighbours in ascending order: what comes back has the order asked.
	at := random.IntN(len(t.Devices) - n + 1)
	return t.Devices[at : at+n], foreign
}

func foreigners(n int, random *rand.Rand) []int64 {
	ids := make([]int64, n)
	at := int64(firstForeign) + random.Int64N(foreignIDs)
	for i := range ids {
		ids[i] = at + int64(i)
	}
	return ids
}

// wire prints a call as a client would.
func wire(a *Ask, target, key string) []byte {
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: FlespiToken %s\r\nUser-Agent: aclgate-bench\r\nAccept: application/json\r\n",
		a.Method, target, Host, key)
	if a.Body != "" {
		b = fmt.Appendf(b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(a.Body))
	}
	return append(append(b, "\r\n"...), a.Body...)
}
