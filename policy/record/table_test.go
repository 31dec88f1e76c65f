package record

import (
	"slices"
	"testing"
)

// TestTable: every kind can be made, changed and read by its table, and no credential is in a row.
func TestTable(t *testing.T) {
	for _, k := range Kinds() {
		for i := range k.Fields {
			f := &k.Fields[i]
			if i > 0 && k.Fields[i-1].Name >= f.Name {
				t.Errorf("%s: %s is not in order, or there twice", k.Path, f.Name)
			}
			if f.Says == "" || f.Type.String() == "" {
				t.Errorf("%s.%s has no words", k.Path, f.Name)
			}
			if f.Has(Computed|WriteOnly) && f.Write != Never && !f.Has(WriteOnly) {
				t.Errorf("%s.%s is computed, and may be written", k.Path, f.Name)
			}
		}
		if id := k.Field("id"); id != nil && id.Write != Never || id == nil && k != GrantLinks && k != Logins {
			t.Errorf("%s: a client could choose ids", k.Path)
		}
	}
	if got := len(Bounds()); got != 41 {
		t.Errorf("%d bounds, want the vendor's 41", got)
	}
	if !slices.IsSortedFunc(Bounds(), func(a, b BoundRow) int { return slices.Compare([]byte(a.Name), []byte(b.Name)) }) {
		t.Error("bounds are not in order")
	}
}

// TestDefaultSets: the default sets are the vendor's (SPEC 10.3, 10.4).
func TestDefaultSets(t *testing.T) {
	for _, row := range []struct {
		kind *Kind
		want []string
	}{
		{Tokens, []string{"access", "cid", "created", "enabled", "expire", "id", "info", "ips", "ttl"}},
		{Subaccounts, []string{"cid", "id", "limit_id", "name"}},
		{Customer, []string{"id", "name"}},
		{Limits, []string{"id", "name"}},
		{Grants, []string{"access", "cid", "id", "name"}},
	} {
		got := row.kind.Names(func(f *Field) bool { return f.Has(Default) })
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.kind.Path, got, row.want)
		}
	}
}
