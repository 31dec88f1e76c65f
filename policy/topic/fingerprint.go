package topic

import (
	"crypto/sha256"

	"aclgate/policy"
)

// Fingerprint returns the digest of everything that a permit was made from: the token and its digest,
// its access type, its account with those above it, and its entries in order. A session does not
// outlive a change of it. What limits when and from where the token may be used is
// not in it: that is judged each time.
func (p *Permit) Fingerprint(tree *policy.Tree) [sha256.Size]byte {
	t := p.token
	b := append([]byte(nil), t.Digest[:]...)
	b = append(appendInt(append(b, byte(t.Access)), t.ID), ';')
	tree.Ancestors(t.CID, func(cid int64) { b = append(appendInt(b, cid), ';') })
	if p.byEntries() {
		b = append(b, '!')
	}
	for _, e := range t.ACL.Entries() {
		b = e.AppendShape(append(b, '\n'))
		b = append(append(b, ' '), e.IDs.Text()...)
		b = append(appendInt(append(b, ' ', byte(e.Actions)), int64(len(e.Topic))), ':')
		b = append(b, e.Topic...)
	}
	return sha256.Sum256(b)
}
