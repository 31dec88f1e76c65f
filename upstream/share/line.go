package share

import "container/list"

// Waiter is one who waits for something. Its Hold is what it will have.
type Waiter struct {
	Hold  Hold
	Owner any // who waits, for the owner of the Ledger
	place *list.Element
	node  *node
}

// Enter puts w at the end of the line, and reports whether there is a place for it.
func (l *Ledger) Enter(w *Waiter) bool {
	met, may := l.places.fits(w.Hold.Kind, 1)
	if may {
		if !l.counted {
			l.count()
		}
		w.node = l.join(&w.Hold.Holder)
		met = w.node.bound(&l.places, 1)
		may = met == noBound
	}
	if !may {
		l.places.met[met]++
		l.drop(w.node)
		return false
	}
	w.place = w.node.waiting.PushBack(w)
	if w.node.place == nil {
		w.node.place = l.turns.PushBack(w.node)
	}
	w.node.add(places, 1)
	l.places.add(w.Hold.Kind, 1)
	return true
}

// Leave takes w out of the line, and reports whether it was still in it.
func (l *Ledger) Leave(w *Waiter) bool {
	if w.place == nil {
		return false
	}
	n := w.node
	n.waiting.Remove(w.place)
	w.place, w.node = nil, nil
	if n.waiting.Len() == 0 {
		l.turns.Remove(n.place)
		n.place = nil
	}
	n.add(places, -1)
	l.places.add(w.Hold.Kind, -1)
	l.drop(n)
	return true
}

// Next takes the first who may have n out of the line and has it hold that; nil if there is nobody.
// Whoever waits of the same token has its next turn after all others.
func (l *Ledger) Next(n int64) *Waiter {
	if l.places.total == 0 || l.held.total+n > l.held.all {
		return nil
	}
	for at := l.turns.Front(); at != nil; at = at.Next() {
		w := at.Value.(*node).waiting.Front().Value.(*Waiter)
		w.Hold.node = w.node
		if _, may := l.take(&w.Hold, n); may {
			l.turns.MoveToBack(at)
			l.Leave(w)
			return w
		}
	}
	return nil
}

// Any takes somebody out of the line; nil if it is empty.
func (l *Ledger) Any() *Waiter {
	at := l.turns.Front()
	if at == nil {
		return nil
	}
	w := at.Value.(*node).waiting.Front().Value.(*Waiter)
	l.Leave(w)
	return w
}

// Waiting returns how many wait.
func (l *Ledger) Waiting() int { return int(l.places.total) }
