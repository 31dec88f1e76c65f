package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"aclgate/policy"
)

// Book is the gateway's own record of whose items are, in a store that follows a database (SPEC 4.4,
// scope.owners: store). It is safe for concurrent use.
type Book struct {
	live    *Live
	unowned int64 // the account of what nobody owned at the first whole reading; 0: it waits at the roots

	mu      sync.Mutex
	missing map[string][]Owner // by collection: what the last whole reading did not show
	adopted map[string]bool    // collections whose first whole reading was seen
}

// NewBook returns the record that l keeps. unowned is scope.unowned.
func NewBook(l *Live, unowned int64) *Book {
	return &Book{live: l, unowned: unowned, missing: map[string][]Owner{}, adopted: map[string]bool{}}
}

// bookActor is who changes what readings have shown.
const bookActor = "gateway"

// writeFor bounds one change of the record.
const writeFor = 10 * time.Second

// firstReading begins the name under which it is kept that the first whole reading of a collection
// has given what nobody owned to scope.unowned. No path has a blank in it.
const firstReading = "first reading of "

// IsItem reports whether a row of Items is about an item, not about a reading.
func (o *Owner) IsItem() bool { return !strings.HasPrefix(o.Collection, firstReading) }

// Owner returns the account of an item; found is false where nothing says so.
func (b *Book) Owner(c *policy.Collection, id int64) (cid int64, found bool) {
	return b.live.Owner(c.URI, id)
}

// Listed is told the ids of all items of c, ascending, by every whole reading. What nobody owned at the
// first one is given to scope.unowned. What was not there twice in a row loses its owner, so that a
// number which is used again inherits nothing, unless changed says that it was changed meanwhile.
func (b *Book) Listed(ctx context.Context, c *policy.Collection, ids []int64, changed func(id int64) bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.adopt(ctx, c.URI, ids); err != nil {
		return err
	}
	var missing, lost []Owner
	before := b.missing[c.URI]
	for o := range b.live.Owners() {
		if o.Collection != c.URI || changed(o.ID) {
			continue
		}
		if _, listed := slices.BinarySearch(ids, o.ID); listed {
			continue
		}
		if _, twice := slices.BinarySearchFunc(before, o, compareOwners); twice {
			lost = append(lost, o)
		}
		missing = append(missing, o)
	}
	slices.SortFunc(missing, compareOwners)
	b.missing[c.URI] = missing
	if len(lost) == 0 {
		return nil
	}
	b.live.o.Logger.Warn("items that the backend does not list any more lose their owners", "collection", c.URI, "items", len(lost))
	_, err := b.live.WriteAlone(ctx, bookActor, func(tx *Tx) error {
		for _, o := range lost {
			if now, err := tx.Owner(o.Collection, o.ID); err != nil || now != o {
				continue // it was given to somebody else meanwhile
			}
			if err := tx.DeleteOwner(o.Collection, o.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// compareOwners orders what is known of the items of one collection.
func compareOwners(a, b Owner) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.CID, b.CID))
}

// adopt gives what nobody owns to scope.unowned, once. The caller holds mu.
func (b *Book) adopt(ctx context.Context, collection string, ids []int64) error {
	if b.unowned == 0 || b.adopted[collection] {
		return nil
	}
	mark := Owner{firstReading + collection, 1, b.unowned}
	if _, done := b.live.Owner(mark.Collection, mark.ID); !done {
		_, err := b.live.WriteAlone(ctx, bookActor, func(tx *Tx) error {
			if _, err := tx.Owner(mark.Collection, mark.ID); !errors.Is(err, ErrNoRow) {
				return err // another gateway was first
			}
			for _, id := range ids {
				if _, err := tx.Owner(collection, id); !errors.Is(err, ErrNoRow) {
					if err != nil {
						return err
					}
					continue
				}
				if err := tx.PutOwner(Owner{collection, id, b.unowned}); err != nil {
					return err
				}
			}
			return tx.PutOwner(mark)
		})
		if err != nil {
			return err
		}
	}
	b.adopted[collection] = true
	return nil
}

// write makes changes of owners.
func (b *Book) write(ctx context.Context, actor string, change func(*Tx) error) error {
	_, err := b.live.Write(ctx, actor, change)
	return err
}

// Created gives items that were made through the gateway to an account.
func (b *Book) Created(ctx context.Context, actor string, c *policy.Collection, ids []int64, cid int64) error {
	ctx, stop := context.WithTimeout(ctx, writeFor)
	defer stop()
	return b.write(ctx, actor, func(tx *Tx) error {
		for _, id := range ids {
			if err := tx.PutOwner(Owner{c.URI, id, cid}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Deleted forgets whose items were that are gone.
func (b *Book) Deleted(ctx context.Context, actor string, c *policy.Collection, ids []int64) error {
	ctx, stop := context.WithTimeout(ctx, writeFor)
	defer stop()
	owned := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool {
		_, found := b.live.Owner(c.URI, id)
		return !found
	})
	if len(owned) == 0 {
		return nil
	}
	return b.write(ctx, actor, func(tx *Tx) error {
		for _, id := range owned {
			if err := tx.DeleteOwner(c.URI, id); err != nil && !errors.Is(err, ErrNoRow) {
				return err
			}
		}
		return nil
	})
}

// errOthers says that an item was given to somebody else meanwhile.
var errOthers = errors.New("an item has another owner by now")

// Moved gives items to another account, if each of them belongs to the account that it was judged by:
// from has one for each of ids, policy.AtRoots for none. All of them move or, where done is false, none.
func (b *Book) Moved(ctx context.Context, actor string, c *policy.Collection, ids, from []int64, to int64) (done bool, err error) {
	ctx, stop := context.WithTimeout(ctx, writeFor)
	defer stop()
	err = b.write(ctx, actor, func(tx *Tx) error {
		for i, id := range ids {
			was := policy.AtRoots
			switch o, err := tx.Owner(c.URI, id); {
			case err == nil:
				was = o.CID
			case !errors.Is(err, ErrNoRow):
				return err
			}
			if was != from[i] {
				return errOthers
			}
			if err := tx.PutOwner(Owner{c.URI, id, to}); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errOthers) {
		return false, nil
	}
	return err == nil, err
}
