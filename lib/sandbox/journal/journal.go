// Package journal keeps the newest of what happened in a sandbox, so that people can
// follow it while it happens. What happens again and again is one entry that counts.
package journal

import (
	"slices"
	"sync"
	"time"
)

// mergeWithin is how long after an entry another one like it is counted in it.
const mergeWithin = 3 * time.Second

// Parts whose entries a journal holds.
const (
	Teleport = "teleport"
	Plugin   = "plugin"
	Service  = "service"
	Sandbox  = "sandbox"
)

// Tones of entries.
const (
	Plain = ""
	Good  = "good"
	Bad   = "bad"
)

// Entry is something that happened.
type Entry struct {
	// ID is the same for as long as the entry is kept, Rev grows with each change of
	// any entry.
	ID  uint64    `json:"id"`
	Rev uint64    `json:"rev"`
	At  time.Time `json:"at"`
	// Part is one of the parts, Name which plugin or service of them.
	Part string `json:"part"`
	Name string `json:"name,omitempty"`
	// Text says what happened, and Detail may say more.
	Text   string `json:"text"`
	Detail string `json:"detail,omitempty"`
	Tone   string `json:"tone,omitempty"`
	// Times is how often it happened.
	Times int `json:"times"`
}

// like reports whether two entries say the same.
func (e Entry) like(o Entry) bool {
	return e.Part == o.Part && e.Name == o.Name && e.Text == o.Text && e.Tone == o.Tone
}

// Journal holds entries. Make one with New; its methods may be called at the same time.
type Journal struct {
	// Now is the clock; it may be replaced before the first entry.
	Now func() time.Time

	size int

	mu      sync.Mutex
	entries []Entry // by ID
	lastID  uint64
	rev     uint64
}

// New makes a journal of at most so many entries.
func New(size int) *Journal { return &Journal{Now: time.Now, size: size} }

// Add adds an entry of now, or counts it in a recent one that says the same. If it
// happened more than once, e.Times is how often.
func (j *Journal) Add(e Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.Now()
	e.Times = max(e.Times, 1)
	j.rev++
	for i := len(j.entries) - 1; i >= 0 && now.Sub(j.entries[i].At) < mergeWithin; i-- {
		if old := &j.entries[i]; old.like(e) {
			old.Times, old.Rev, old.Detail = old.Times+e.Times, j.rev, e.Detail
			return
		}
	}
	j.lastID++
	e.ID, e.Rev, e.At = j.lastID, j.rev, now
	if len(j.entries) >= j.size {
		j.entries = slices.Delete(j.entries, 0, 1+len(j.entries)-j.size)
	}
	j.entries = append(j.entries, e)
}

// After returns the entries that were added or changed after a revision, the oldest
// first, and the present revision.
func (j *Journal) After(rev uint64) (changed []Entry, now uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	changed = []Entry{}
	for _, e := range j.entries {
		if e.Rev > rev {
			changed = append(changed, e)
		}
	}
	return changed, j.rev
}

// Rev is the present revision.
func (j *Journal) Rev() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.rev
}
