package record

import "testing"

// A line says which access paths a request had beside its branch.
func TestPathInALine(t *testing.T) {
	for path, want := range map[Path]string{Branch: "", Granted: "granted", Cross: "cross", 9: ""} {
		r := Record{Facts: Facts{Path: path}}
		text := r.AppendJSON(nil)
		l, err := ParseLine(text)
		if err != nil || l.Path != want {
			t.Errorf("%d: got %q, %v, want %q in %s", path, l.Path, err, want, text)
		}
	}
}
