// Package chat provides what simulated services for conversations have in common.
package chat

import (
	"cmp"
	"iter"
	"slices"
)

// Log holds the messages of a conversation by their numbers, which grow with time.
// A message is replaced as a whole when it changes, so that a pointer once read
// stays as it was. The zero value is empty.
type Log[M any] struct {
	numbers  []int64
	messages []*M
}

func (l *Log[M]) index(number int64) (i int, found bool) {
	return slices.BinarySearchFunc(l.numbers, number, cmp.Compare[int64])
}

// Find returns the message with the number, also one that was removed, or nil.
func (l *Log[M]) Find(number int64) *M {
	if i, found := l.index(number); found {
		return l.messages[i]
	}
	return nil
}

// Put adds a message, or puts it in the place of the one with its number.
func (l *Log[M]) Put(number int64, m *M) {
	i, found := l.index(number)
	if found {
		l.messages[i] = m
		return
	}
	l.numbers, l.messages = slices.Insert(l.numbers, i, number), slices.Insert(l.messages, i, m)
}

// Newest copies the end of the log, at most limit messages; zero or less means all.
func (l *Log[M]) Newest(limit int) []M {
	list := l.messages
	if limit > 0 && len(list) > limit {
		list = list[len(list)-limit:]
	}
	out := make([]M, 0, len(list))
	for _, m := range list {
		out = append(out, *m)
	}
	return out
}

// Backward are the messages with their numbers, the newest first.
func (l *Log[M]) Backward() iter.Seq2[int64, *M] {
	return func(yield func(int64, *M) bool) {
		for i := len(l.numbers) - 1; i >= 0 && yield(l.numbers[i], l.messages[i]); i-- {
		}
	}
}
