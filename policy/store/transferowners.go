package store

import (
	"context"
	"encoding/json"
	"fmt"

	"aclgate/policy"
)

// maxImported bounds the items that an import takes from a policy file: a run is quickly written too
// long.
const maxImported = 10_000_000

// OwnersDifference is what an import of a policy file changes of whose items are.
type OwnersDifference struct{ Added, Changed, Same int }

// String says it as the line of a Difference does.
func (d OwnersDifference) String() string {
	return fmt.Sprintf("owners: %d new, %d changed, 0 removed, %d as they were", d.Added, d.Changed, d.Same)
}

// HasOwners reports whether the file says whose items are.
func (t *Transfer) HasOwners() bool { return len(t.Policy.owners) > 0 }

// CompareOwners says what ImportOwners would change.
func (t *Transfer) CompareOwners(ctx context.Context, e Engine, cat *policy.Catalogue) (d OwnersDifference, err error) {
	err = e.View(ctx, func(r Reader) error {
		d, err = t.owners(r, cat, func(Owner) error { return nil })
		return err
	})
	return d, err
}

// ImportOwners writes what differs of whose items are, in the transaction. What the file does not name
// stays: creations have recorded it since. Collections whose items have no account are left out;
// reading the file has warned of them. progress is called after each change.
func (t *Transfer) ImportOwners(tx *Tx, cat *policy.Catalogue, progress func()) error {
	_, err := t.owners(tx.w, cat, func(o Owner) error {
		progress()
		return tx.PutOwner(o)
	})
	return err
}

// owners calls change with each item of the file that r has at another account, or at none. Nothing is
// written before all was read.
func (t *Transfer) owners(r Reader, cat *policy.Catalogue, change func(Owner) error) (d OwnersDifference, err error) {
	before, err := ownersOf(r)
	if err != nil {
		return d, err
	}
	total := int64(0)
	for collection, spans := range t.Policy.Owners {
		if !hasOwners(cat, collection) {
			continue
		}
		for _, s := range spans {
			if total += s.Last - s.First + 1; total > maxImported || total <= 0 {
				return d, fmt.Errorf("owners: these are more than %d items", maxImported)
			}
			for id := s.First; id-1 < s.Last; id++ {
				o := Owner{Collection: collection, ID: id, CID: s.CID}
				switch cid := before[collection][id]; cid {
				case o.CID:
					d.Same++
					continue
				case 0:
					d.Added++
				default:
					d.Changed++
				}
				if err := change(o); err != nil {
					return d, err
				}
			}
		}
	}
	return d, nil
}

// ownersOf reads whose items are: by collection, account by item.
func ownersOf(r Reader) (map[string]map[int64]int64, error) {
	all := map[string]map[int64]int64{}
	err := r.Each(Items, func(row Row) error {
		var o Owner
		if err := json.Unmarshal(row.Doc, &o); err != nil || !o.IsItem() {
			return err
		}
		if all[o.Collection] == nil {
			all[o.Collection] = map[int64]int64{}
		}
		all[o.Collection][o.ID] = o.CID
		return nil
	})
	return all, err
}
