package postgres

import "aclgate/policy/store"

// ownersChunk is how many owners of items one statement writes. A change names as many.
const ownersChunk = 50_000

// owners are those that wait to be written, of one collection.
type owners struct {
	n          int // how many calls there were
	collection string
	ids, cids  []int64
	at         map[int64]int // where ids stand: one statement takes each once
}

// PutOwner implements store.Writer. Of many, the statements go together.
func (w *writer) PutOwner(o store.Owner) error {
	of := &w.owners
	if of.collection != o.Collection || len(of.ids) == ownersChunk {
		if err := w.flush(); err != nil {
			return err
		}
		of.collection = o.Collection
	}
	if of.at == nil {
		of.at = map[int64]int{}
	}
	if i, again := of.at[o.ID]; again {
		of.cids[i] = o.CID
	} else {
		of.at[o.ID] = len(of.ids)
		of.ids, of.cids = append(of.ids, o.ID), append(of.cids, o.CID)
	}
	if of.n++; of.n > putAtOnce {
		return nil
	}
	return w.flush()
}

// putOwners writes the owners that wait.
func (w *writer) putOwners() error {
	of := &w.owners
	if len(of.ids) == 0 {
		return nil
	}
	ids, cids := of.ids, of.cids
	of.ids, of.cids = nil, nil
	clear(of.at)
	if len(ids) == 1 {
		w.wire.precede(putOwners, nil, of.collection, ids, cids)
		w.wire.wrote = true
		return nil
	}
	return w.exec(putOwners, of.collection, ids, cids)
}
