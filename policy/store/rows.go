package store

import (
	"errors"
	"fmt"

	"aclgate/config/strict"
	"aclgate/policy"
)

// maxKinds is from where on a rowReader begins anew: the lists of entries that it has seen may be
// those of tokens long gone.
const maxKinds = 1 << 14

// rowReader reads rows with the readers of policy files, so that a row is a fault exactly where an
// element of a file would be. It belongs to one goroutine.
type rowReader struct {
	catalogue *policy.Catalogue // for warnings; nil: none
	maxDepth  int
	reader    *reader
	documents strict.Documents
	links     map[int64][]int64 // whom each grant is for, where it is printed
}

// renew begins anew where too much was seen.
func (r *rowReader) renew() {
	if r.reader == nil || len(r.reader.policy.kinds.list) > maxKinds || len(r.reader.words) > maxKinds {
		r.reader = newReader("", r.catalogue, r.maxDepth)
	}
}

// begin puts the reader before a row.
func (r *rowReader) begin(doc []byte) (*strict.Node, *strict.Report) {
	r.renew()
	r.reader.faultList = faultList{}
	return r.documents.Parse("", doc)
}

// end returns what was wrong with the row, warnings included.
func (r *rowReader) end(t Table, id int64, report *strict.Report) strict.Faults {
	for _, f := range report.Faults() {
		r.reader.add(f)
	}
	faults := r.reader.all()
	for i := range faults {
		faults[i].File = fmt.Sprintf("%s/%d", t, id) // only here: of a million rows none has a fault
	}
	return faults
}

// errOtherID says that a row is not what its id says.
var errOtherID = errors.New("the id in the record is another one than that of its row")

// record reads a row of tokens, of which nobody wants metadata or warnings.
func (r *rowReader) record(id int64, doc []byte) (*Record, error) {
	if rec := r.plain(doc); rec != nil && rec.Token.ID == id {
		return rec, nil
	}
	rec, _, _, err := r.token(id, doc)
	return rec, err
}

// token reads a row of tokens. metadata is nil where there is none. With an error there is no
// record; it may hold strict.Faults.
func (r *rowReader) token(id int64, doc []byte) (rec *Record, metadata []byte, warnings strict.Faults, err error) {
	root, report := r.begin(doc)
	d := r.reader.readToken(root, 0)
	if root.Kind() == strict.Mapping {
		if m := root.Member("metadata"); m != nil {
			metadata = m.AppendJSON(nil)
		}
	}
	faults := r.end(Tokens, id, report)
	switch err := faults.Err(); {
	case err != nil:
		return nil, nil, nil, err
	case root == nil || !d.hasDigest:
		return nil, nil, nil, fmt.Errorf("tokens/%d: this is no token", id)
	case d.record.Token.ID != id:
		return nil, nil, nil, fmt.Errorf("tokens/%d: %w", id, errOtherID)
	}
	d.record.clearLines()
	return d.record, metadata, faults, nil
}

// clearLines takes the lines away, which mean nothing outside a file.
func (rec *Record) clearLines() {
	rec.Token.Line = 0
	for i := range rec.Entries {
		rec.Entries[i].Line = 0
	}
}

// account reads a row of accounts.
func (r *rowReader) account(id int64, doc []byte) (policy.Account, error) {
	root, report := r.begin(doc)
	a := r.reader.readAccount(root, 0).account
	switch err := r.end(Accounts, id, report).Err(); {
	case err != nil:
		return policy.Account{}, err
	case a.ID != id:
		return policy.Account{}, fmt.Errorf("accounts/%d: %w", id, errOtherID)
	}
	return a, nil
}
