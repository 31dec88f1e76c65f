package workload

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
)

// validUntil is when the tokens expire: 2099.
const validUntil = 4070908800

// WritePolicy writes the policy file of the workload, without the tokens whose index is in without.
func (w *Workload) WritePolicy(to io.Writer, without map[int]bool) error {
	out := bufio.NewWriter(to)
	fmt.Fprintf(out, "accounts:\n  - {id: %d, name: root}\n", rootAccount)
	for i := range accounts {
		fmt.Fprintf(out, "  - {id: %d, name: fleet %d, parent: %d}\n", rootAccount+1+i, i, rootAccount)
	}
	fmt.Fprint(out, "tokens:\n")
	for i := range w.Tokens {
		if !without[i] {
			w.writeToken(out, i)
		}
	}
	return out.Flush()
}

// writeToken writes one token on one line.
func (w *Workload) writeToken(out io.Writer, i int) {
	t := &w.Tokens[i]
	fmt.Fprintf(out, "  - {id: %d, key_sha256: %x, cid: %d, expire: %d, access: {type: acl, acl: [{uri: gw/devices, methods: [GET, POST, PUT], ids: [%s]}",
		i+1, sha256.Sum256([]byte(t.Key)), t.Account, validUntil, t.printed)
	if w.Mix.usesCalcs() {
		fmt.Fprintf(out, ", {uri: gw/calcs, methods: [GET], ids: [%d]}", t.Calc)
	}
	fmt.Fprint(out, "]}}\n")
}
