package record

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"aclgate/policy"
)

// Whatever names hold, a line says the user whom it is about, shows nothing that a terminal would obey, and costs
// no memory.
func TestUserInALine(t *testing.T) {
	for _, u := range []*policy.User{
		nil,
		{ID: 5},
		{ID: 5, Name: "anna", RealmID: 1, Realm: "ACME"},
		{ID: 5, Name: "auth0|64f\"\\\x1b[2J\u202e\U000e0001\n", RealmID: 1, Realm: "Jürgen & <Söhne>", Issuer: "corp", Roles: []string{"a,b", "\u200b"}},
		{ID: 5, Name: "x", RealmID: 1, Roles: []string{}},
	} {
		r := Record{}
		r.SetToken(&policy.Token{ID: 17, User: u})
		topic := Topic{Action: Connect, Caller: CallerOf(&policy.Token{ID: 17, User: u})}
		for _, text := range [][]byte{r.AppendJSON(nil), topic.AppendJSON(nil)} {
			l, err := ParseLine(text)
			if err != nil || !reflect.DeepEqual(l.Who(), u) || !json.Valid(text) {
				t.Errorf("got %+v, %v from %s, want %+v", l.Who(), err, text, u)
			}
			if i := strings.IndexFunc(string(text), func(c rune) bool { return !unicode.IsPrint(c) }); i >= 0 {
				t.Errorf("%s shows %q", text, text[i])
			}
		}
		room := make([]byte, 0, 4096)
		if n := testing.AllocsPerRun(100, func() { r.AppendJSON(room) }); n != 0 {
			t.Errorf("%v: got %v allocations", u, n)
		}
	}
	l, err := ParseLine((&Record{Facts: Facts{User: &policy.User{ID: 5, Name: "a\xffb"}}}).AppendJSON(nil))
	if err != nil || l.UserName != "a\ufffdb" || !utf8.ValidString(l.UserName) {
		t.Errorf("got %q, %v", l.UserName, err)
	}
}
