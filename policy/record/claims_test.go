package record

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What is no mapping is a fault at its place.
func TestClaims(t *testing.T) {
	rule := func(text string) string { return `{"issuer":"corp","roles":[` + text + `]}` }
	long := strings.Repeat("x", 257)
	many := strings.TrimSuffix(strings.Repeat(`"x",`, 17), ",")
	var rules []string
	for n := range 101 {
		rules = append(rules, fmt.Sprintf(`{"claim":"a","value":"%d","gives":["x"]}`, n))
	}
	for text, want := range map[string]string{
		`{}`: "", `{"issuer":"corp"}`: "", rule(``): "",
		rule(`{"claim":"realm_access.roles","value":"a","gives":["x","y"]},{"claim":"groups","value":"a","gives":["x"]}`):         "",
		rule(`{"claim":"https://example.com/roles","value":"a b","gives":["x"]},{"claim":["a.b","c"],"value":"ä","gives":["x"]}`): "",
		rule(strings.Join(rules[:100], ",")): "",
		`[]`:                                 "an object with issuer, roles", `{"issuer":7}`: "issuer: expected a string", `{"role":[]}`: "role: there is no such field", `{"Roles":[]}`: "Roles: this is spelled roles",
		`{"roles":{}}`: "roles: expected a list of at most 100", rule(strings.Join(rules, ",")): "roles: expected a list of at most 100",
		rule(`"x"`): "roles[0]: expected an object with claim, value, gives", rule(`{"claim":"a","value":"b"}`): "roles[0].gives: is missing",
		rule(`{"claim":"a","gives":["x"]}`): "roles[0].value: is missing", rule(`{"value":"a","gives":["x"]}`): "roles[0].claim: is missing",
		rule(`{"claim":"a","value":1,"gives":["x"]}`): "roles[0].value: expected a string", rule(`{"claim":"a","value":["b"],"gives":["x"]}`): "roles[0].value: expected a string",
		rule(`{"claim":"a","value":"","gives":["x"]}`): "roles[0].value", rule(`{"claim":"a","value":"a\u200b","gives":["x"]}`): "roles[0].value",
		rule(`{"claim":"a","value":"b","gives":"x"}`): "roles[0].gives: expected a list of 1 to 16", rule(`{"claim":"a","value":"b","gives":[]}`): "roles[0].gives: expected a list of 1 to 16",
		rule(`{"claim":"a","value":"b","gives":[` + many + `]}`): "roles[0].gives: expected a list of 1 to 16", rule(`{"claim":"a","value":"b","gives":["x",null]}`): "roles[0].gives[1]",
		rule(`{"claim":"a..b","value":"b","gives":["x"]}`): "roles[0].claim: expected names", rule(`{"claim":".","value":"b","gives":["x"]}`): "roles[0].claim",
		rule(`{"claim":"","value":"b","gives":["x"]}`): "roles[0].claim", rule(`{"claim":7,"value":"b","gives":["x"]}`): "roles[0].claim", rule(`{"claim":{},"value":"b","gives":["x"]}`): "roles[0].claim",
		rule(`{"claim":[],"value":"b","gives":["x"]}`): "roles[0].claim", rule(`{"claim":["a",""],"value":"b","gives":["x"]}`): "roles[0].claim[1]",
		rule(`{"claim":"a.b.c.d.e.f.g.h.i","value":"b","gives":["x"]}`): "roles[0].claim", rule(`{"claim":["a","b","c","d","e","f","g","h","i"],"value":"b","gives":["x"]}`): "roles[0].claim",
		rule(`{"claim":"` + long + `","value":"b","gives":["x"]}`): "roles[0].claim", rule(`{"claim":["` + long + `"],"value":"b","gives":["x"]}`): "roles[0].claim[0]",
		rule(`{"claim":"a","value":"` + long + `","gives":["x"]}`): "roles[0].value", rule(`{"claim":"a","value":"b","gives":["x"],"if":1}`): "roles[0].if: there is no such field",
		rule(`{"claim":"a.b","value":"v","gives":["x"]},{"claim":["a","b"],"value":"v","gives":["y"]}`): "roles[1]: expected one rule",
	} {
		v, err := Parse([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		read, fault := Claims.Read(v)
		if (fault == nil) != (want == "") || fault != nil && !strings.HasPrefix(fault.Reason(), want) && !strings.Contains(fault.Reason(), want) {
			t.Errorf("%.200s: got %v, want %q", text, fault, want)
		}
		if fault == nil && !read.Equal(v) {
			t.Errorf("%s is kept as %s", text, read)
		}
	}
	big := strings.ReplaceAll(rule(strings.Join(rules[:90], ",")), `"x"`, `"`+strings.Repeat("x", 200)+`"`)
	if v, err := Parse([]byte(big)); err != nil {
		t.Fatal(err)
	} else if _, fault := Claims.Read(v); fault == nil || !strings.Contains(fault.Reason(), "16384 bytes") {
		t.Errorf("got %v for %d bytes", fault, len(big))
	}
}

func TestClaimNames(t *testing.T) {
	for text, want := range map[string][]string{
		`"groups"`: {"groups"}, `"realm_access.roles"`: {"realm_access", "roles"}, `"cognito:groups"`: {"cognito:groups"},
		`"https://example.com/roles"`: {"https://example.com/roles"}, `["resource_access","my.app","roles"]`: {"resource_access", "my.app", "roles"},
	} {
		v, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := ClaimNames(v); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
