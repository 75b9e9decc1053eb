package cluster

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// index is a list sorted by a unique key, from which pages are read in either
// direction without looking at what lies outside them.
type index[V any] struct {
	entries []entry[V]
}

type entry[V any] struct {
	key string
	val V
}

func (x *index[V]) find(key string) (int, bool) {
	return slices.BinarySearchFunc(x.entries, key, func(e entry[V], k string) int { return cmp.Compare(e.key, k) })
}

// put adds the value, or replaces the one with the same key.
func (x *index[V]) put(key string, val V) {
	i, found := x.find(key)
	if found {
		x.entries[i].val = val
		return
	}
	x.entries = slices.Insert(x.entries, i, entry[V]{key, val})
}

func (x *index[V]) get(key string) (V, bool) {
	if i, found := x.find(key); found {
		return x.entries[i].val, true
	}
	var none V
	return none, false
}

func (x *index[V]) remove(key string) bool {
	i, found := x.find(key)
	if found {
		x.entries = slices.Delete(x.entries, i, i+1)
	}
	return found
}

func (x *index[V]) first() (key string, val V, ok bool) {
	if len(x.entries) == 0 {
		return "", val, false
	}
	return x.entries[0].key, x.entries[0].val, true
}

// span selects a page of an index.
type span struct {
	prefix     string // only keys that begin with it
	start      string // the key at which the page starts; empty for the first
	limit      int    // at most so many values
	descending bool
}

// page returns the values that match, and the key at which the next page
// starts, empty after the last. The next key names a value that may itself not
// match, so a page may come out empty.
func (x *index[V]) page(s span, match func(V) bool) (vals []V, next string) {
	i, step := x.begin(s)
	for ; i >= 0 && i < len(x.entries) && strings.HasPrefix(x.entries[i].key, s.prefix); i += step {
		if !match(x.entries[i].val) {
			continue
		}
		if len(vals) == s.limit {
			return vals, x.entries[i].key
		}
		vals = append(vals, x.entries[i].val)
	}
	return vals, ""
}

func (x *index[V]) begin(s span) (i, step int) {
	if !s.descending {
		i, _ = x.find(max(s.start, s.prefix))
		return i, 1
	}
	switch {
	case s.start != "":
		i, found := x.find(s.start)
		if !found {
			i--
		}
		return i, -1
	case s.prefix != "":
		// 0xff is in no UTF-8 text, so this lies behind every key of the prefix.
		i, _ := x.find(s.prefix + "\xff")
		return i - 1, -1
	}
	return len(x.entries) - 1, -1
}

// timeKey writes a time so that keys sort as times do.
func timeKey(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05.000000000Z")
}
