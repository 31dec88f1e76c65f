package realm

import (
	"slices"
	"strconv"

	"aclgate/policy/record"
)

// Rule gives roles to whoever comes with a token from elsewhere that has a value in a claim (SPEC 10.10).
type Rule struct {
	Claim []string // the names on the way to it, from the top of the token
	Value string
	Gives []string // names of roles, found as those of users are
}

// Claims are what a token from elsewhere says of its bearer.
type Claims interface {
	// Has reports whether a claim is this string, or a list of strings with this one in it. The names
	// lead through objects alone. Anything else has nothing.
	Has(claim []string, value string) bool
}

func rulesOf(claims record.Value) (rules []Rule) {
	read, fault := record.Claims.Read(claims)
	if fault != nil {
		return nil
	}
	for _, v := range read.Get("roles").Items {
		rule := Rule{Claim: record.ClaimNames(v.Get("claim")), Value: v.Get("value").Text}
		for _, name := range v.Get("gives").Items {
			rule.Gives = append(rule.Gives, name.Text)
		}
		rules = append(rules, rule)
	}
	return rules
}

// Mapped returns the names of all roles that claims can give in the realm.
func (r *Realm) Mapped() (names []string) {
	for _, rule := range r.Rules {
		names = append(names, rule.Gives...)
	}
	return names
}

// given appends the roles that claims give.
func (r *Realm) given(names []string, claims Claims) []string {
	if claims == nil {
		return names
	}
	for _, rule := range r.Rules {
		if claims.Has(rule.Claim, rule.Value) {
			names = append(names, rule.Gives...)
		}
	}
	return names
}

// Gives reports whether a rule about this value of this claim gives a role.
func (r *Realm) Gives(claim []string, value, role string) bool {
	return slices.ContainsFunc(r.Rules, func(rule Rule) bool {
		return rule.Value == value && slices.Equal(rule.Claim, claim) && slices.Contains(rule.Gives, role)
	})
}

// SoundClaims judges which roles claims give, among the roles that there are.
func (r *Realm) SoundClaims(known []Role) *record.Fault {
	switch {
	case len(r.Rules) == 0:
		return nil
	case r.Issuer == "":
		return bad("claims.issuer", "is missing: roles come from claims of its tokens")
	case r.Params.HasAccess:
		return bad("token_params.access", "expected none beside claims.roles: roles alone permit")
	}
	for i, rule := range r.Rules {
		for k, name := range rule.Gives {
			if _, found := Find(known, r.ID, name); !found {
				return bad(GivesPath(i, k), "there is no role called "+name)
			}
		}
	}
	return nil
}

// GivesPath is the path of a role that a rule gives, as faults spell it.
func GivesPath(rule, role int) string {
	return "claims.roles[" + strconv.Itoa(rule) + "].gives[" + strconv.Itoa(role) + "]"
}
