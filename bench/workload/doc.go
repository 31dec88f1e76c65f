// Package workload makes what the bench plays: tokens and what each may see, the gateway's policy
// that says so, and the calls of a mix with the right answer to each. All of it follows from a
// seed: the same seed and mix make the same bytes.
//
// A mix is a YAML file; Read documents its keys. Every token is an acl token with one entry for
// gw/devices (GET, POST and PUT of its devices, so DELETE is denied) and, where a path of the mix
// has {calc}, one for gw/calcs. What a call asks for is one of
//
//	own      ids that the token may see
//	all      the word, to be narrowed to all that it may see
//	foreign  ids that it may not see
//	mixed    own ids and one foreign one, last
//
// and what must come back follows from that, never from a gateway.
//
// In a mix with paths every token has an account of its own. One of so many of its devices is the
// account's own; the others belong to paths-1 other accounts, which share them by grants. The gateway
// then judges by ids, and has to know whose each device is.
package workload

import (
	"aclgate/bench/oracle"
	"aclgate/bench/stub"
)

// Call is one request as it goes on the wire, and the right answer to it.
type Call struct {
	Bytes  []byte
	Expect oracle.Expect
	Token  int // whose call it is: an index into Workload.Tokens; -1: an unknown token's
}

// Token is a caller and what it may see.
type Token struct {
	Key     string  // 64 characters
	Devices []int64 // ascending
	Calc    int64   // its calculator; the gateway has it only if the mix needs it
	Account int64
	printed string // Devices as the gateway should print them
	sum     string // the backend's name for printed
}

// Workload is everything that a mix and a seed determine.
type Workload struct {
	Mix    *Mix
	Seed   uint64
	Tokens []Token
	Calls  []Call
	own    bool // nothing is shared: see Unshared
}

const (
	// rootAccount holds all others. It is where the bench's accounts begin.
	rootAccount = 1
	// accounts is how many accounts share the tokens.
	accounts = 100
	// firstDevice begins the ids of devices: 7 digits, as they are at the vendor.
	firstDevice = stub.FirstListed
	// firstForeign begins ids that no token may see.
	firstForeign = 9_000_000
	foreignIDs   = 900_000
	firstCalc    = 500
)
