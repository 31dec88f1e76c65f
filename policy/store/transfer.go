package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"aclgate/config/strict"
	"aclgate/policy"
	"aclgate/policy/record"
)

// Transfer is a policy file, read for what it says word by word: tokens with their metadata.
type Transfer struct {
	Policy   *Policy
	metadata map[int64][]byte // by token
	file     string
}

// ReadTransfer reads the text of a policy file as ReadPolicy does.
func ReadTransfer(file string, text []byte, cat *policy.Catalogue, maxDepth int) (*Transfer, strict.Faults) {
	t := &Transfer{metadata: map[int64][]byte{}, file: file}
	r := newReader(file, cat, maxDepth)
	r.metadata = func(id int64, n *strict.Node) { t.metadata[id] = n.AppendJSON(nil) }
	p, faults := r.read(text)
	if p == nil {
		return nil, faults
	}
	t.Policy = p
	return t, faults
}

// Difference is what an import changes.
type Difference struct {
	Added, Changed, Removed, Same map[Table]int
}

// transferred are the tables of which policy files have records, in an order in which what is referred
// to comes first.
var transferred = []Table{Accounts, Limits, Grants, Realms, Roles, Users, Tokens}

func newDifference() *Difference {
	return &Difference{map[Table]int{}, map[Table]int{}, map[Table]int{}, map[Table]int{}}
}

// String says it in one line.
func (d *Difference) String() string {
	var b []byte
	for _, t := range transferred {
		if t != Accounts && t != Tokens && d.Added[t]+d.Changed[t]+d.Removed[t]+d.Same[t] == 0 {
			continue
		}
		if len(b) > 0 {
			b = append(b, "; "...)
		}
		b = fmt.Appendf(b, "%s: %d new, %d changed, %d removed, %d as they were", t, d.Added[t], d.Changed[t], d.Removed[t], d.Same[t])
	}
	return string(b)
}

// Compare says what Import would change.
func (t *Transfer) Compare(ctx context.Context, e Engine, replace bool) (*Difference, error) {
	var d *Difference
	err := e.View(ctx, func(r Reader) (err error) {
		d, err = t.compare(r, replace, nil)
		return err
	})
	return d, err
}

// Import writes what differs, in the transaction, and the verifiers of passwords that the file has.
// With replace, what the file does not have is removed. progress is called after each change; nil: nobody.
func (t *Transfer) Import(tx *Tx, replace bool, progress func()) (*Difference, error) {
	d, err := t.compare(tx.w, replace, func(op operation) error {
		if progress != nil {
			progress()
		}
		switch {
		case op.doc == nil:
			return tx.Delete(op.table, op.id)
		case op.table == Accounts:
			tx.accounts = true
		case op.table == Roles: // of a realm, which is there
		default:
			tx.needed[op.cid] = op.table
		}
		if err := tx.w.Put(op.table, op.id, op.doc); err != nil || op.table != Grants {
			return err
		}
		return tx.relink(op.id, op.grantees)
	})
	if err != nil {
		return nil, err
	}
	for user, verifier := range t.Policy.secrets {
		if now, err := tx.w.Secret(user); err == nil && now == verifier {
			continue
		}
		if err := tx.w.SetSecret(user, verifier); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// relink makes a grant one for these accounts, ascending, and for no others.
func (tx *Tx) relink(grant int64, cids []int64) error {
	doc, err := tx.w.Doc(GrantLinks, grant)
	if err != nil && !errors.Is(err, ErrNoRow) {
		return err
	}
	before, err := readLinks(doc)
	for _, cid := range before {
		if _, stays := slices.BinarySearch(cids, cid); !stays && err == nil {
			err = tx.w.Unlink(grant, cid)
		}
	}
	for _, cid := range cids {
		if err == nil {
			tx.needed[cid] = GrantLinks
			err = tx.w.Link(grant, cid)
		}
	}
	return err
}

// operation is one row that an import writes or, without a document, removes.
type operation struct {
	table   Table
	id, cid int64
	doc     []byte

	grantees []int64 // of a grant, ascending
}

// compare goes through both sides. Rows are written only after all were read. Tokens are removed
// before others are written, so that a key can move from one to another.
func (t *Transfer) compare(r Reader, replace bool, do func(operation) error) (*Difference, error) {
	d := newDifference()
	var removed []operation
	before := map[Table]map[int64][]byte{}
	for _, table := range transferred {
		before[table] = map[int64][]byte{}
		err := r.Each(table, func(row Row) error {
			before[table][row.ID] = bytes.Clone(row.Doc)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	links, err := linksOf(r)
	if err != nil {
		return nil, err
	}
	seen := map[Table]map[int64]bool{Accounts: {}, Limits: {}, Grants: {}, Realms: {}, Roles: {}, Users: {}, Tokens: {}}
	var written []operation
	t.rows(func(op operation) {
		seen[op.table][op.id] = true
		old, found := before[op.table][op.id]
		switch {
		case !found:
			d.Added[op.table]++
		case bytes.Equal(old, op.doc) && (op.table != Grants || slices.Equal(links[op.id], op.grantees)):
			d.Same[op.table]++
			return
		default:
			d.Changed[op.table]++
		}
		written = append(written, op)
	})
	for _, table := range []Table{Tokens, Users, Roles, Realms, Grants, Limits, Accounts} {
		for id := range before[table] {
			if replace && !seen[table][id] {
				d.Removed[table]++
				removed = append(removed, operation{table: table, id: id})
			}
		}
	}
	if do == nil {
		return d, nil
	}
	for _, op := range append(removed, written...) {
		if err := do(op); err != nil {
			return nil, fmt.Errorf("%s/%d: %w", op.table, op.id, err)
		}
	}
	return d, nil
}

// rows yields what the file says, accounts first.
func (t *Transfer) rows(yield func(operation)) {
	for id, doc := range t.Policy.Docs(Accounts) {
		yield(operation{table: Accounts, id: id, doc: doc})
	}
	for _, table := range []Table{Limits, Realms, Roles, Users} {
		for id, doc := range t.Policy.Docs(table) {
			v, _ := record.Parse(doc) // it was made of one
			yield(operation{table: table, id: id, cid: record.NumberOf(v, "cid"), doc: doc})
		}
	}
	for id, doc := range t.Policy.Docs(Grants) {
		grant, _ := record.Parse(doc) // it was made of one
		grantees, _ := readLinks(t.Policy.docs[GrantLinks][id])
		yield(operation{table: Grants, id: id, cid: record.NumberOf(grant, "cid"), doc: doc, grantees: grantees})
	}
	for _, rec := range t.Policy.Records() {
		id := rec.Token.ID
		yield(operation{table: Tokens, id: id, cid: rec.Token.CID, doc: AppendDoc(nil, rec, t.metadata[id])})
	}
}

// Uses returns the last uses that stand beside the file, of the tokens in it that have a ttl.
func (t *Transfer) Uses(now int64) (uses []Use, warnings strict.Faults) {
	u := newUses(t.file + usesSuffix)
	warnings = u.load(now)
	for _, id := range t.Policy.timed {
		if c := u.last[id]; c != nil && c.Load() > 0 {
			uses = append(uses, Use{id, c.Load()})
		}
	}
	return uses, warnings
}

// Export writes the records of an engine as a policy file that reads as the same again, by ascending
// id. With secrets it has the verifiers of passwords; without, users do not log in before a password is
// written. A row that does not read is an error: it would be missing.
func Export(ctx context.Context, e Engine, w io.Writer, maxDepth int, secrets bool) error {
	rows := rowReader{maxDepth: maxDepth}
	section := Table(0)
	return e.View(ctx, func(r Reader) (err error) {
		if rows.links, err = linksOf(r); err != nil {
			return err
		}
		for _, table := range transferred {
			err := r.Each(table, func(row Row) error {
				var b []byte
				if section != table {
					b, section = append(b, table.String()+":\n"...), table
				}
				err := withSecret(r, &row, secrets)
				if err == nil {
					b, err = rows.yaml(b, row)
				}
				if err == nil {
					_, err = w.Write(b)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		if section != Tokens {
			_, err := io.WriteString(w, "tokens: []\n")
			return err
		}
		return nil
	})
}

// withSecret puts the verifier of a user's password into a row, as policy files have it.
func withSecret(r Reader, row *Row, secrets bool) error {
	if !secrets || row.Table != Users {
		return nil
	}
	verifier, err := r.Secret(row.ID)
	if errors.Is(err, ErrNoRow) {
		return nil
	}
	doc, parsed := record.Parse(row.Doc)
	if parsed == nil {
		row.Doc = doc.With(passwordHash, record.NewText(verifier)).Append(nil)
	}
	return errors.Join(err, parsed)
}

// yaml appends a row as an element of its list.
func (r *rowReader) yaml(b []byte, row Row) ([]byte, error) {
	switch row.Table {
	case Accounts:
		if _, err := r.account(row.ID, row.Doc); err != nil {
			return nil, err
		}
		return yamlDoc(b, row.Doc)
	case Limits, Realms, Roles, Users:
		return yamlDoc(b, row.Doc)
	case Grants:
		return grantYAML(b, row.Doc, r.links[row.ID])
	}
	rec, _, _, err := r.token(row.ID, row.Doc)
	if err != nil {
		return nil, err
	}
	b = append(b, TokenYAML(rec)...)
	root, _ := strict.ParseDocument("", row.Doc)
	if m := root.Member("metadata"); m != nil {
		b = append(m.AppendYAML(append(b, "    metadata: "...)), '\n')
	}
	return b, nil
}

// LoadPolicy reads the tokens and accounts of an engine into a Policy, for commands that judge
// without a running gateway. Rows that do not read are faults.
func LoadPolicy(ctx context.Context, e Engine, cat *policy.Catalogue, maxDepth int) (*Policy, strict.Faults) {
	rows := rowReader{catalogue: cat, maxDepth: maxDepth}
	r := newReader(e.Name(), cat, maxDepth)
	var faults strict.Faults
	bad := func(err error) {
		var found strict.Faults
		if !errors.As(err, &found) {
			found = strict.Faults{{File: e.Name(), Message: err.Error()}}
		}
		faults = append(faults, found...)
	}
	grants := grantRows{map[int64]record.Value{}, map[int64][]int64{}}
	_, _, err := e.All(ctx, func(row Row) error {
		switch row.Table {
		case Grants, GrantLinks:
			if err := grants.add(row); err != nil {
				bad(err)
			}
		case Accounts:
			a, err := rows.account(row.ID, row.Doc)
			if err != nil {
				bad(err)
			}
			r.accounts = append(r.accounts, accountAt{account: a})
			r.policy.keepDoc(row.Table, row.ID, bytes.Clone(row.Doc))
		case Realms, Users, Roles:
			r.policy.keepDoc(row.Table, row.ID, bytes.Clone(row.Doc))
		case Tokens:
			rec, _, warnings, err := rows.token(row.ID, row.Doc)
			if err != nil {
				bad(err)
				return nil
			}
			faults = append(faults, warnings...)
			r.policy.digests.add(r.policy.add(rec, r.policy.kinds.of(rec.Entries, &r.lint)))
		}
		return nil
	})
	if err != nil {
		bad(err)
		return nil, faults
	}
	r.policy.Tree = r.tree()
	r.policy.grants = grants.compile()
	p, found := r.finish()
	faults = append(found, faults...)
	if faults.Err() != nil {
		return nil, faults
	}
	u := newUses("")
	if err := e.Uses(ctx, func(use Use) error { raise(u.counter(use.Token), use.At); return nil }); err != nil {
		bad(err)
		return nil, faults
	}
	u.adopt(p, nil)
	return p, faults
}

// linksOf returns whom each grant is for.
func linksOf(r Reader) (map[int64][]int64, error) {
	links := map[int64][]int64{}
	err := r.Each(GrantLinks, func(row Row) (err error) {
		links[row.ID], err = readLinks(row.Doc)
		return err
	})
	return links, err
}
