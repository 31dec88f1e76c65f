package workload

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
)

// validUntil is when the tokens expire: 2099.
const validUntil int64 = 4070908800

// WritePolicy writes the policy of the workload as JSON, without the tokens whose index is in without.
func (w *Workload) WritePolicy(to io.Writer, without map[int]bool) error {
	out := bufio.NewWriter(to)
	fmt.Fprintf(out, `{"accounts": [{"id": %d, "name": "root"}`, rootAccount)
	for i := range accounts {
		fmt.Fprintf(out, ",\n"+`{"id": %d, "name": "fleet %d", "parent": %d}`, rootAccount+1+i, i, rootAccount)
	}
	fmt.Fprint(out, "],\n\"tokens\": [")
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
