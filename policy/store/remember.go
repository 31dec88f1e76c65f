package store

import "bytes"

// maxRemembered is how many documents a transaction remembers.
const maxRemembered = 1024

// remembering is a Writer that asks for a document once. Nobody else changes one while the transaction
// lasts, and changes of one often rest on the same few: the caller's token, its account, its limit.
type remembering struct {
	Writer
	docs map[rowKey][]byte
}

func remember(w Writer) Writer { return &remembering{w, map[rowKey][]byte{}} }

// Doc implements Reader.
func (r *remembering) Doc(t Table, id int64) ([]byte, error) {
	key := rowKey{t, id}
	if doc, known := r.docs[key]; known {
		return doc, nil
	}
	doc, err := r.Writer.Doc(t, id)
	if err == nil && t.HasDocs() {
		r.keep(key, doc)
	}
	return doc, err
}

func (r *remembering) keep(key rowKey, doc []byte) {
	if len(r.docs) == maxRemembered {
		clear(r.docs)
	}
	r.docs[key] = doc
}

// Put implements Writer.
func (r *remembering) Put(t Table, id int64, doc []byte) error {
	err := r.Writer.Put(t, id, doc)
	if delete(r.docs, rowKey{t, id}); err == nil {
		r.keep(rowKey{t, id}, bytes.Clone(doc))
	}
	return err
}

// Delete implements Writer. What goes with a row has no document.
func (r *remembering) Delete(t Table, id int64) error {
	delete(r.docs, rowKey{t, id})
	return r.Writer.Delete(t, id)
}

// Part implements Writer.
func (r *remembering) Part(actor string, change func() error) error {
	err := r.Writer.Part(actor, change)
	if err != nil {
		clear(r.docs) // some may be of what was taken back
	}
	return err
}
