package reconcile

// Remembered counts what is held of requests.
func (r *Reconciler) Remembered() int {
	r.inbox.mu.Lock()
	defer r.inbox.mu.Unlock()
	return len(r.inbox.tracks) + len(r.inbox.done) + len(r.inbox.gone) + len(r.inbox.fresh) + r.lanes.Len()
}
