package workload

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
)

// validUntil is when the tokens expire: 2099.
const validUntil int64 = 4070908800

// WritePolicy writes the policy of the workload as JSON, without the tokens whose index is in without.
func (w *Workload) WritePolicy(to io.Writer, without map[int]bool) error {
	out := bufio.NewWriter(to)
	fmt.Fprintf(out, `{"accounts": [{"id": %d, "name": "root"}`, rootAccount)
	for i := range w.accounts() {
		fmt.Fprintf(out, ",\n"+`{"id": %d, "name": "fleet %d", "parent": %d}`, rootAccount+1+i, i, rootAccount)
	}
	fmt.Fprint(out, "]")
	if w.Mix.Paths > 0 {
		w.writeOwners(out)
		w.writeGrants(out)
	}
	fmt.Fprint(out, ",\n\"tokens\": [")
	comma := ""
	for i := range w.Tokens {
		if !without[i] {
			fmt.Fprint(out, comma, "\n")
			w.writeToken(out, i)
			comma = ","
		}
	}
	fmt.Fprint(out, "]}\n")
	return out.Flush()
}

// accounts returns how many accounts there are below the root.
func (w *Workload) accounts() int {
	if w.Mix.Paths > 0 {
		return len(w.Tokens) + (w.Mix.Paths-1)*accounts
	}
	return accounts
}

// writeOwners writes whose devices are.
func (w *Workload) writeOwners(out io.Writer) {
	owned := map[int64][]int64{}
	for i := range w.Tokens {
		for j, id := range w.Tokens[i].Devices {
			cid := w.owner(i, j)
			owned[cid] = append(owned[cid], id)
		}
	}
	comma := ""
	fmt.Fprint(out, ",\n\"owners\": {\"gw/devices\": {")
	for _, cid := range slices.Sorted(maps.Keys(owned)) {
		fmt.Fprintf(out, "%s\n\"%d\": [%s]", comma, cid, printIDs(owned[cid]))
		comma = ","
	}
	fmt.Fprint(out, "}}")
}

// writeGrants writes one grant for each path to an account that does not begin in it.
func (w *Workload) writeGrants(out io.Writer) {
	if w.own || w.Mix.Paths == 1 {
		return
	}
	fmt.Fprint(out, ",\n\"grants\": [")
	comma, id := "", 0
	for i := range w.Tokens {
		for path := 1; path < w.Mix.Paths; path++ {
			var ids []int64
			for j := path; j < len(w.Tokens[i].Devices); j += w.Mix.Paths {
				ids = append(ids, w.Tokens[i].Devices[j])
			}
			id++
			fmt.Fprintf(out, `%s`+"\n"+`{"id": %d, "cid": %d, "grantees": [%d], "name": "lent %d", "access": [{"uri": "gw/devices", "ids": [%s], "levels": ["view"]}]}`,
				comma, id, w.lender(i, path), w.Tokens[i].Account, id, printIDs(ids))
			comma = ","
		}
	}
	fmt.Fprint(out, "]")
}

// writeToken writes one token on one line.
func (w *Workload) writeToken(out io.Writer, i int) {
	t := &w.Tokens[i]
	fmt.Fprintf(out, `{"id": %d, "key_sha256": "%x", "cid": %d, "expire": %d, "access": {"type": "acl", "acl": [{"uri": "gw/devices", "methods": ["GET", "POST", "PUT"], "ids": [%s]}`,
		i+1, sha256.Sum256([]byte(t.Key)), t.Account, validUntil, t.printed)
	if w.Mix.usesCalcs() {
		fmt.Fprintf(out, `, {"uri": "gw/calcs", "methods": ["GET"], "ids": [%d]}`, t.Calc)
	}
	fmt.Fprint(out, "]}}")
}
