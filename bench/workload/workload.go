package workload

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"aclgate/bench/stub"
)

// New makes the workload of a mix and a seed.
func New(mix *Mix, seed uint64) *Workload {
	w := &Workload{Mix: mix, Seed: seed, Tokens: make([]Token, mix.Tokens)}
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range w.Tokens {
		w.Tokens[i] = newToken(mix, random, keyOf(seed, i))
		w.Tokens[i].Calc = firstCalc + int64(i)
		w.Tokens[i].Account = rootAccount + 1 + int64(i%accounts)
		if mix.Paths > 0 {
			w.Tokens[i].Account = rootAccount + 1 + int64(i)
			w.Tokens[i].setDevices(block(i*mix.Devices, mix.Devices))
		}
	}
	w.plan(rand.New(rand.NewPCG(seed, 1)))
	return w
}

// keyOf returns the key of token i: 64 characters that only the seed determines.
func keyOf(seed uint64, i int) string {
	var in [16]byte
	binary.BigEndian.PutUint64(in[:], seed)
	binary.BigEndian.PutUint64(in[8:], uint64(int64(i)))
	a := sha256.Sum256(in[:])
	b := sha256.Sum256(a[:])
	return base64.RawURLEncoding.EncodeToString(append(a[:], b[:16]...))
}

func newToken(mix *Mix, random *rand.Rand, key string) Token {
	n := mix.Devices
	if mix.Spread > 0 {
		n = int(math.Round(float64(n) * math.Exp(random.NormFloat64()*mix.Spread)))
	}
	n = min(max(n, 1), mix.Most)
	t := Token{Key: key, Devices: make([]int64, n)}
	id := int64(firstDevice + random.IntN(1_000_000))
	for i := range t.Devices {
		id += 1 + random.Int64N(20)
		t.Devices[i] = id
	}
	t.setDevices(t.Devices)
	return t
}

func (t *Token) setDevices(ids []int64) {
	t.Devices, t.printed = ids, printIDs(ids)
	t.sum = string(stub.AppendSum(nil, []byte(t.printed)))
}

// block returns n of the devices that the backend lists.
func block(from, n int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = firstDevice + int64(from+i)
	}
	return ids
}

// Unshared returns the workload where every device belongs to the account that uses it: the calls and
// their answers are the same, and there is one path to each device.
func (w *Workload) Unshared() *Workload {
	own := *w
	own.own = true
	return &own
}

// owner returns whose device j of token i is: the account's own, or that of a lender.
func (w *Workload) owner(i, j int) int64 {
	path := j % w.Mix.Paths
	if path == 0 || w.own {
		return w.Tokens[i].Account
	}
	return w.lender(i, path)
}

// lender returns the account that shares with the account of token i by a path above 0.
func (w *Workload) lender(i, path int) int64 {
	return rootAccount + 1 + int64(len(w.Tokens)) + int64((path-1)*accounts+i%accounts)
}

// IDs returns the token's devices as a list of ids, ascending, as a gateway prints them.
func (t *Token) IDs() string { return t.printed }

func printIDs(ids []int64) string {
	b := make([]byte, 0, 8*len(ids))
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, id, 10)
	}
	return string(b)
}

// settle fills the places of a path.
func settle(path, selector string, calc int64) string {
	path = strings.Replace(path, "{calc}", strconv.FormatInt(calc, 10), 1)
	return strings.Replace(path, "{}", selector, 1)
}
