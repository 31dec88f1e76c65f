package store

// Waiting returns how many changes wait for the transaction that is under way.
func (l *Live) Waiting() int {
	l.group.mu.Lock()
	defer l.group.mu.Unlock()
	return len(l.group.waiting)
}
