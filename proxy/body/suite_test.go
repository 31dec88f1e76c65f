package body

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// stricter are the texts that the suite wants accepted and this package refuses: each leaves a
// choice in which two readers differ.
var stricter = map[string]string{
	"y_object_duplicated_key.json":           "a key twice",
	"y_object_duplicated_key_and_value.json": "a key twice",
	"y_object_escaped_null_in_key.json":      "a control character in a key",
}

// The parsing cases of nst/JSONTestSuite, where its folder test_parsing is named by
// JSON_TEST_SUITE: each as it is, and as the value of a key, because a body is an object or an
// array of objects.
func TestSuite(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("JSON_TEST_SUITE"), "[yni]_*.json"))
	if len(files) == 0 {
		t.Skip("JSON_TEST_SUITE names no folder with the cases")
	}
	var s Scanner
	count, choices := map[string]int{}, map[bool][]string{}
	for _, path := range files {
		name := filepath.Base(path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		kind, plain := s.Check(text)
		_, inside := s.Check(slices.Concat([]byte(`{"v":`), text, []byte(`}`)))
		count[name[:1]]++
		switch name[0] {
		case 'n':
			if inside == nil || plain == nil && kind != Empty {
				t.Errorf("%s: accepted", name)
			}
		case 'y':
			if (inside == nil) != (stricter[name] == "") {
				t.Errorf("%s: got %v", name, inside)
			}
		default:
			choices[inside == nil] = append(choices[inside == nil], strings.TrimSuffix(name, ".json"))
		}
	}
	t.Logf("cases: %v", count)
	t.Logf("left open by the suite and accepted: %v", choices[true])
	t.Logf("left open by the suite and refused: %v", choices[false])
}
