package login

import (
	"bytes"
	"slices"

	"aclgate/policy"
	"aclgate/policy/realm"
	"aclgate/policy/record"
	"aclgate/proxy/login/jwt"
)

// claims is which strings a token from elsewhere has in which claims, as it is remembered: a mapping that
// changes is asked anew, and no part of the token stays in memory. Each string has a mark: that of its
// text behind the mark of its claim, which is made of the names on the way in the same manner. So what
// a token costs grows with its length alone, however deep its claims are.
type claims struct {
	marker *jwt.Marker
	has    []claimMark // ascending
}

// claimMark is what a jwt.Marker makes, without the zeros behind it.
type claimMark [16]byte

// Bounds beyond which no mapping looks.
const (
	maxClaimDepth = 8
	maxClaimText  = 256
)

// What comes behind the mark of a claim.
const (
	markedName = iota
	markedText
)

// claimsOf returns the strings that a token has: those at the ends of objects, and the elements of lists
// that hold nothing else.
func claimsOf(marker *jwt.Marker, all record.Value) *claims {
	c := &claims{marker: marker}
	c.object(&marking{marker: marker}, claimMark{}, all, 0)
	slices.SortFunc(c.has, func(a, b claimMark) int { return bytes.Compare(a[:], b[:]) })
	c.has = slices.Clone(slices.Compact(c.has))
	return c
}

// ClaimsOf returns claims as roles are given by them: of a token that there is not.
func ClaimsOf(all record.Value) realm.Claims { return claimsOf(jwt.NewMarker(), all) }

// object adds what an object below a claim has.
func (c *claims) object(m *marking, at claimMark, v record.Value, depth int) {
	if depth == maxClaimDepth {
		return
	}
	for _, member := range v.Members {
		if len(member.Name) > maxClaimText {
			continue
		}
		below := m.mark(at, markedName, member.Name)
		switch v := member.Value; v.Shape {
		case record.Text:
			c.add(m, below, v)
		case record.List:
			if slices.ContainsFunc(v.Items, func(item record.Value) bool { return item.Shape != record.Text }) {
				continue // in doubt nothing: somebody meant another kind of list
			}
			for _, item := range v.Items {
				c.add(m, below, item)
			}
		case record.Object:
			c.object(m, below, v, depth+1)
		}
	}
}

func (c *claims) add(m *marking, at claimMark, text record.Value) {
	if len(text.Text) <= maxClaimText {
		c.has = append(c.has, m.mark(at, markedText, text.Text))
	}
}

// marking has the room that marks are made in.
type marking struct {
	marker *jwt.Marker
	room   []byte
	made   [32]byte
}

func (m *marking) mark(at claimMark, kind byte, text string) claimMark {
	m.room = append(append(append(m.room[:0], at[:]...), kind), text...)
	m.marker.Mark(m.room, &m.made)
	return claimMark(m.made[:])
}

// Has implements realm.Claims.
func (c *claims) Has(claim []string, value string) bool {
	m, at := &marking{marker: c.marker}, claimMark{}
	for _, name := range claim {
		at = m.mark(at, markedName, name)
	}
	want := m.mark(at, markedText, value)
	_, found := slices.BinarySearchFunc(c.has, want, func(a, b claimMark) int { return bytes.Compare(a[:], b[:]) })
	return found
}

// about reports whether a token from elsewhere is one of this user by what the records say now: the realm
// takes tokens of its issuer for one of its audiences, and the name of the user is its subject.
func (d *directory) about(n *session, rights *realm.Rights) bool {
	r := rights.Realm
	at := audience{r.Issuer, d.audienceOf(r)}
	return n.issuer == r.Issuer && d.current().audience[at] == r.ID && n.claims.Has([]string{"aud"}, at.aud) && n.claims.Has([]string{"sub"}, rights.User.Name)
}

// Claims returns what the token from elsewhere says that is remembered by d; nil of any other token.
func (s *Service) Claims(d policy.Digest) realm.Claims {
	if n := s.sessions.find(d); n != nil {
		return n.said()
	}
	return nil
}
