package record

import (
	"slices"
	"strconv"
	"strings"
)

// Bounds of what a realm says of claims (SPEC 10.10). Reading a token costs no more than its length, and
// asking it about a mapping no more than the rules that there are.
const (
	maxRules      = 100
	maxGives      = 16
	maxClaimNames = 8
)

const (
	wordsClaims = "an object of at most 16384 bytes with issuer and roles"
	wordsRules  = "a list of at most 100 objects with claim, value and gives"
	wordsClaim  = "names with dots between, a URL, or a list of 1 to 8 names"
)

// readClaims reads whose tokens from elsewhere a realm takes, and which of their claims give which roles.
func readClaims(v Value) (Value, *Fault) {
	claims, fault := objectOf(v, part{"issuer", false, readLine}, part{"roles", false, readRules})
	if fault == nil && len(claims.Append(nil)) > maxMetadata {
		fault = expected(wordsClaims)
	}
	return claims, fault
}

// readRules reads a mapping. Two rules about one value of one claim are a fault: whoever changes one of
// them would believe to have changed what the value gives.
func readRules(v Value) (Value, *Fault) {
	if v.Shape != List || len(v.Items) > maxRules {
		return Value{}, expected(wordsRules)
	}
	rules, fault := listOf(v, readRule)
	if fault != nil {
		return Value{}, fault
	}
	for i, rule := range rules.Items {
		same := func(other Value) bool {
			return other.Get("value").Text == rule.Get("value").Text && slices.Equal(ClaimNames(other.Get("claim")), ClaimNames(rule.Get("claim")))
		}
		if slices.ContainsFunc(rules.Items[:i], same) {
			return Value{}, expected("one rule for this value of this claim: gives names any of its roles").Below("[" + strconv.Itoa(i) + "]")
		}
	}
	return rules, nil
}

func readRule(v Value) (Value, *Fault) {
	return objectOf(v, part{"claim", true, readClaim}, part{"value", true, readName}, part{"gives", true, readGives})
}

func readGives(v Value) (Value, *Fault) {
	if v.Shape != List || len(v.Items) == 0 || len(v.Items) > maxGives {
		return Value{}, expected("a list of 1 to 16 names of roles")
	}
	return listOf(v, readName)
}

// readClaim reads where a claim is.
func readClaim(v Value) (Value, *Fault) {
	if v.Shape == List {
		if len(v.Items) == 0 || len(v.Items) > maxClaimNames {
			return Value{}, expected(wordsClaim)
		}
		return listOf(v, readName)
	}
	names := ClaimNames(v)
	if !plain(v, 1, maxLine) || len(names) > maxClaimNames || slices.ContainsFunc(names, func(name string) bool { return strings.TrimSpace(name) == "" }) {
		return Value{}, expected(wordsClaim)
	}
	return v, nil
}

// ClaimNames returns the names on the way to a claim, from the top of the token. A text has dots between
// them; one with :// is a URL, which is one name with its dots, and a list has each name as it is.
func ClaimNames(v Value) []string {
	switch {
	case v.Shape == List:
		names := make([]string, len(v.Items))
		for i, name := range v.Items {
			names[i] = name.Text
		}
		return names
	case strings.Contains(v.Text, "://"):
		return []string{v.Text}
	}
	return strings.Split(v.Text, ".")
}

// ClaimsSchema returns what readClaims takes as a JSON Schema.
func ClaimsSchema() map[string]any {
	type object = map[string]any
	name := object{"type": "string", "minLength": 1, "maxLength": maxLine}
	list := func(most int, of object) object {
		return object{"type": "array", "minItems": 1, "maxItems": most, "items": of}
	}
	rule := object{"type": "object", "required": []string{"claim", "value", "gives"}, "additionalProperties": false, "properties": object{
		"claim": object{"description": "where it is: " + wordsClaim, "oneOf": []object{name, list(maxClaimNames, name)}},
		"value": object{"description": "the string that it is, or that is in its list of strings", "type": "string", "minLength": 1, "maxLength": maxLine},
		"gives": object{"description": "names of roles", "type": "array", "minItems": 1, "maxItems": maxGives, "items": name},
	}}
	return object{"type": "object", "additionalProperties": false, "properties": object{
		"issuer": object{"type": "string", "maxLength": maxLine, "description": "a name out of realms.issuers"},
		"roles":  object{"type": "array", "maxItems": maxRules, "items": rule, "description": "which claims of a token give which roles"},
	}}
}
