package discord

import (
	"reflect"
	"sync"

	"teleport-plugins/lib/request"
)

// memoSize is how many announcements are kept.
const memoSize = 256

// memo keeps the announcements that were rendered last, since most requests go to
// many channels in one form. The zero value is empty and ready for use.
type memo struct {
	mu   sync.Mutex
	all  map[memoKey]rendered
	keys []memoKey // in the order in which they came
}

type memoKey struct {
	request string
	form    form
}

type rendered struct {
	of      request.View
	content func() content
}

// content renders a view, unless just this was rendered a moment ago. What it
// returns is shared, and must not be changed.
func (m *memo) content(v request.View, f form, mention string) content {
	m.mu.Lock()
	key := memoKey{v.ID, f}
	r, known := m.all[key]
	if !known || !reflect.DeepEqual(r.of, v) {
		r = rendered{v, sync.OnceValue(func() content { return announcement(v, f, mention) })}
		m.keep(key, r, known)
	}
	m.mu.Unlock()
	return r.content()
}

func (m *memo) keep(key memoKey, r rendered, known bool) {
	if m.all == nil {
		m.all = make(map[memoKey]rendered)
	}
	if !known {
		m.keys = append(m.keys, key)
	}
	m.all[key] = r
	if len(m.keys) > memoSize {
		delete(m.all, m.keys[0])
		m.keys = m.keys[1:]
	}
}
