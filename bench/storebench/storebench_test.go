package storebench

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"aclgate/policy/routes"
	"aclgate/policy/store/memory"
)

// Every figure of the contract is in the table, measured, for a few tokens too.
func TestTable(t *testing.T) {
	cat, err := routes.Default()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := Run(context.Background(), Options{Engine: memory.New(), Catalogue: cat, Tokens: 50, Replicas: 2, Row: func(f Figure) { fmt.Fprintf(&out, "%s: %s\n", f.What, f.Measured) }}); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"load", "memory of the process after", "at most while loading", "one change", "10,000 changes", "compaction", "hit in the cache", "the last of 2 gateways, p99"} {
		if !strings.Contains(out.String(), what) {
			t.Errorf("the table has no %q:\n%s", what, out.String())
		}
	}
}
