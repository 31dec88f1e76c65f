package store

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"aclgate/policy"
)

// Alphabet and length of new keys: 381 random bits.
const (
	keyAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	keyLength   = 64
)

// NewKey returns a new key and its digest. The key has to be shown once and forgotten. crypto/rand
// ends the process rather than return few random bits.
func NewKey() (key string, digest policy.Digest) {
	b := make([]byte, 0, keyLength)
	var random [keyLength]byte
	for len(b) < keyLength {
		rand.Read(random[:])
		for _, c := range random {
			// Only the largest multiple of 62 below 256 is even-handed.
			if int(c) < 256/len(keyAlphabet)*len(keyAlphabet) && len(b) < keyLength {
				b = append(b, keyAlphabet[int(c)%len(keyAlphabet)])
			}
		}
	}
	return string(b), DigestOf(b)
}

// TokenYAML prints a record as an element of the list of tokens. What it prints reads as the same
// record again.
func TokenYAML(rec *Record) []byte {
	t := &rec.Token
	b := fmt.Appendf(nil, "  - id: %d\n    key_sha256: %s\n", t.ID, hex.EncodeToString(t.Digest[:]))
	if t.Info != "" {
		b = fmt.Appendf(b, "    info: %s\n", strconv.QuoteToASCII(t.Info))
	}
	b = fmt.Appendf(b, "    cid: %d\n", t.CID)
	b = appendMoment(b, "expire", t.Expire)
	if t.TTL != 0 {
		b = fmt.Appendf(b, "    ttl: %d\n", t.TTL)
	}
	b = appendMoment(b, "created", t.Created)
	for _, f := range []struct {
		key string
		id  int64
	}{{"created_by", rec.Made.By}, {"user_id", rec.Made.User}, {"realm_id", rec.Made.Realm}} {
		if f.id != 0 {
			b = fmt.Appendf(b, "    %s: %d\n", f.key, f.id)
		}
	}
	if !t.Enabled {
		b = append(b, "    enabled: false\n"...)
	}
	b = appendBounds(b, t)
	b = fmt.Appendf(b, "    access:\n      type: %s\n", t.Access)
	switch {
	case len(rec.Entries) > 0:
		b = append(b, "      acl:\n"...)
	case t.Access == policy.ACLAccess:
		b = append(b, "      acl: []   # nothing yet; for example [{uri: gw/devices, methods: [GET], ids: [7, 9]}]\n"...)
	}
	for i := range rec.Entries {
		b = appendEntry(b, &rec.Entries[i])
	}
	return b
}

// appendMoment appends a time as people read it; 0 is none.
func appendMoment(b []byte, key string, unix int64) []byte {
	if unix == 0 {
		return b
	}
	return fmt.Appendf(b, "    %s: %s\n", key, time.Unix(unix, 0).UTC().Format(time.RFC3339))
}

// appendBounds appends what a token's callers have to fit.
func appendBounds(b []byte, t *policy.Token) []byte {
	if t.Sources != nil {
		var items []string
		for _, p := range t.Sources.Networks {
			items = append(items, p.String())
		}
		b = append(b, "    ips: "...)
		b = append(appendTexts(b, append(items, t.Sources.Masks...)), '\n')
	}
	if t.Origins != nil {
		b = append(b, "    origins: "...)
		b = append(appendTexts(b, t.Origins), '\n')
	}
	return b
}

func appendTexts(b []byte, texts []string) []byte {
	b = append(b, '[')
	for i, text := range texts {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendQuoteToASCII(b, text)
	}
	return append(b, ']')
}

// appendEntry appends one element of acl, a line for each key: it is there to be edited.
func appendEntry(b []byte, e *policy.Entry) []byte {
	b = fmt.Appendf(b, "        - uri: %s\n          methods: [%s]\n", word(e.URI), e.Methods)
	switch e.Rule {
	case policy.IDsList:
		b = fmt.Appendf(b, "          ids: [%s]\n", e.IDs.Text())
	case policy.IDsAll, policy.IDsInGroups:
		b = fmt.Appendf(b, "          ids: %s\n", e.Rule)
	}
	if e.Topic != "" || e.Actions != 0 {
		b = fmt.Appendf(b, "          topic: %s\n          actions: [%s]\n", strconv.QuoteToASCII(e.Topic), e.Actions)
	}
	if !e.HasSubmodules {
		return b
	}
	if len(e.Submodules) == 0 {
		return append(b, "          submodules: []\n"...)
	}
	b = append(b, "          submodules:\n"...)
	for _, s := range e.Submodules {
		b = fmt.Appendf(b, "            - {name: %s, methods: [%s]}\n", word(s.Name), s.Methods)
	}
	return b
}

// word returns a text for YAML, with quotes unless it is made of small letters,
// - and /. The word null means no text.
func word(text string) string {
	odd := strings.Trim(text, "abcdefghijklmnopqrstuvwxyz-/")
	if text == "" || odd != "" || text[0] < 'a' || text == "null" {
		return strconv.QuoteToASCII(text)
	}
	return text
}

// template stands around the first tokens of a new policy file.
const template = `# Who may do what: accounts and tokens. Read by aclgate; edit it and save, and
# within two seconds it is obeyed. "aclgate check" names every fault in it.

accounts:                         # a tree: a token sees its account and all below it; more than
                                  # one takes another scope.mode than none
@accounts
# A token: "aclgate token new" prints one, and its key once.
#
#  - id: 17
#    key_sha256: 6ca13d52ca70c883e0f0bb101e425a89e8624de51db2d2392593af6a84118090
#    info: ops viewer
#    cid: 11
#    expire: 2027-01-01T00:00:00Z # or ttl: 30d, since its last use, with created:
#    ips: 10.0.0.0/8, 192.168.1.* # only from there
#    access:                      # type: master, standard, acl or noapi
#      type: acl
#      acl:                       # of the entries that fit, one decides
#        - uri: gw/devices
#          methods: [GET]
#          ids: [7, 9]            # a list, all, in-groups; without: all, and creating
#          submodules:            # without: what methods say; with: only these
#            - {name: messages, methods: [GET]}
`

// sampleAccounts stand in a policy of which no account is known.
const sampleAccounts = "  - {id: 1, name: operator}\n  # - {id: 11, name: ACME Fleet, parent: 1}\n"

// Template returns the text of a new policy file with the given accounts; without any it has one,
// whose id is 1.
func Template(accounts []policy.Account, tokens ...*Record) []byte {
	list := sampleAccounts
	if len(accounts) > 0 {
		list = ""
	}
	for _, a := range accounts {
		list += fmt.Sprintf("  - {id: %d", a.ID)
		if a.Name != "" {
			list += ", name: " + strconv.QuoteToASCII(a.Name)
		}
		if a.Parent != 0 {
			list += fmt.Sprintf(", parent: %d", a.Parent)
		}
		list += "}\n"
	}
	head := strings.Replace(template, "@accounts", list, 1)
	if len(tokens) == 0 {
		return append([]byte(head), "\ntokens: []\n"...)
	}
	b := append([]byte(head), "\ntokens:\n"...)
	for _, t := range tokens {
		b = append(b, TokenYAML(t)...)
	}
	return b
}
