package store

import (
	"reflect"
	"testing"
)

// FuzzReadPolicy: reading item by item and as a whole agree in records and
// faults, and records that are printed read as themselves.
func FuzzReadPolicy(f *testing.F) {
	for _, text := range agreeing() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkAgree(t, text)
		p, _ := ReadPolicy("p.yaml", []byte(text), nil, 4)
		if p != nil {
			checkPrinted(t, p)
		}
	})
}

// FuzzQuickItem: what the quick reader takes, config/strict takes without
// faults and reads as the same record.
func FuzzQuickItem(f *testing.F) {
	for _, text := range append(agreeing(), typical(1), flow(1)) {
		if p, ok := split([]byte(text), nil); ok {
			it, _ := p.items.next()
			f.Add(it.text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		q := quick{words: map[string]string{}}
		d, plain, ok := q.read(item{text: text, line: 3})
		if !ok {
			return
		}
		r := newReader("p.yaml", nil, 4)
		drafts, isItem := r.drafts(item{text: text, line: 3}, 0)
		if !isItem || len(drafts) != 1 {
			t.Fatalf("taken, and is no item: %v", r.all())
		}
		if err := r.all().Err(); err != nil || len(r.warnings) > 0 != plain {
			t.Fatalf("taken, with %v", r.all())
		}
		if !reflect.DeepEqual(d, drafts[0]) {
			t.Fatalf("quick %+v %+v\nstrict %+v %+v", d, *d.record, drafts[0], *drafts[0].record)
		}
		checkPacked(t, r, *d.record)
	})
}
