package reconcile

// Remembered counts what is held of requests.
func (r *Reconciler) Remembered() int { return r.Len() + r.lanes.Len() }
