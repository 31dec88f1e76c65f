package explain

import "testing"

// Who asks is named by what there is to name: a session that is only supposed has no id and no digest.
func TestTokenInWords(t *testing.T) {
	for _, row := range []struct {
		token Token
		want  string
	}{
		{Token{ID: 17, Info: "ops", Place: "policy.yaml:9", Digest: "6ca13d52"}, `17 "ops", policy.yaml:9, digest 6ca13d52…`},
		{Token{ID: 17, Digest: "00000000"}, "17, digest 00000000…"},
		{Token{Info: "from keycloak", Digest: "6ca13d52"}, `0 "from keycloak", digest 6ca13d52…`},
		{Token{Info: "a session of user 5", Digest: "00000000"}, "a session of user 5"},
	} {
		if got := row.token.String(); got != row.want {
			t.Errorf("got %s, want %s", got, row.want)
		}
	}
}
