package events

// Callers is how many wait for a key.
func (b *Bells) Callers(m Missing) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.waits[m]; w != nil {
		return w.callers
	}
	return 0
}
