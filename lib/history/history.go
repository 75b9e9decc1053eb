// Package history remembers which of our messages conversations hold. When many
// of them are in doubt at once, as after a crash in a burst, one reading of a
// conversation answers for all, and later readings fetch only what is new.
package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"teleport-plugins/lib/outbound"
)

// Message is one message of a conversation.
type Message struct {
	ID   string
	At   time.Time // by the clock of the service
	Keys []string  // what a message of ours is found by; none otherwise
}

// Read calls each for the messages of a conversation from until back to since, newest
// first and without a gap. A zero until stands for now; its ID is that of the oldest
// message that was read before, if there was one. Read reports whether it came as far as
// since: a service may read a bounded number of pages at a time, and is asked for the rest
// by the next Find. What it gave before an error counts.
type Read func(ctx context.Context, conversation string, since time.Time, until Message, each func(Message)) (complete bool, err error)

var errMore = errors.New("there are more messages than can be read at once; the search goes on")

// More is the failure of a search in a conversation that holds more than is read at once.
func More() error {
	return &outbound.Error{Kind: outbound.Retry, Op: "look messages up", Err: errMore}
}

// ClockSkew allows for clocks that differ between Teleport and the service.
const ClockSkew = 5 * time.Minute

const (
	// overlap is read again each time, for messages that were posted together may
	// become visible one after the other.
	overlap = 5 * time.Second
	// maxConversations and maxPosts (of keys) bound what is remembered.
	maxConversations = 1000
	maxPosts         = 50_000
)

// Index is what is known of conversations. It may be used from several
// goroutines.
type Index struct {
	read Read

	mu            sync.Mutex
	conversations map[string]*conversation
}

// New makes an index that knows nothing yet.
func New(read Read) *Index {
	return &Index{read: read, conversations: make(map[string]*conversation)}
}

// conversation is what is known of one conversation.
type conversation struct {
	turn chan struct{} // held by whoever reads the conversation

	// What follows belongs to the holder of the turn.
	begun time.Time         // when the last reading of what is new was begun, by our clock
	from  Message           // since when the conversation is known without a gap, see Read
	upto  time.Time         // when the newest message that was read was posted
	posts map[string][]post // by key
}

// Find gives the ids of all messages with one of the keys, oldest first, in a
// state of the conversation that is not older than the call; those removed since
// an earlier call may be among them. created is when the request was made: no
// message about it is older, and one that is was about another request. The error
// is More as long as not everything was read that may hold such a message; the
// next call goes on where this one stopped.
func (x *Index) Find(ctx context.Context, conversation string, created time.Time, keys ...string) (ids []string, err error) {
	asked, since := time.Now(), created.Add(-ClockSkew)
	c := x.of(conversation)
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for another search of the conversation: %w", ctx.Err())
	}
	complete, err := x.refresh(ctx, conversation, c, since, asked)
	if err == nil && !complete {
		err = More()
	}
	if err != nil {
		return nil, err
	}
	return c.find(since, keys), nil
}

// find gives the ids of the messages since a time with one of the keys, oldest first.
func (c *conversation) find(since time.Time, keys []string) []string {
	var found []post
	for _, key := range keys {
		found = append(found, c.posts[key]...)
	}
	slices.SortStableFunc(found, oldestFirst)
	var ids []string
	for _, p := range found {
		if !p.at.Before(since) && !slices.Contains(ids, p.id) {
			ids = append(ids, p.id)
		}
	}
	return ids
}

// post is what is remembered of a message that has a key.
type post struct {
	id string
	at time.Time
}

func (p post) same(q post) bool { return p.id == q.id }

func oldestFirst(a, b post) int {
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(len(a.id), len(b.id)), cmp.Compare(a.id, b.id))
}

// of returns the one memory of a conversation.
func (x *Index) of(id string) *conversation {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.conversations[id]
	if c == nil {
		if len(x.conversations) >= maxConversations {
			clear(x.conversations)
		}
		c = &conversation{turn: make(chan struct{}, 1), posts: make(map[string][]post)}
		x.conversations[id] = c
	}
	return c
}

// refresh reads what is new in a conversation since the last reading, unless one
// was begun after asked, and then what is older than all that was read so far. It
// reports whether all is known since the given time.
func (x *Index) refresh(ctx context.Context, id string, c *conversation, since, asked time.Time) (complete bool, err error) {
	if len(c.posts) > maxPosts {
		*c = conversation{turn: c.turn, posts: make(map[string][]post)}
	}
	if c.begun.Before(asked) {
		if complete, err = x.news(ctx, id, c, since); !complete || err != nil {
			return false, err
		}
	}
	if !since.Before(c.from.At) {
		return true, nil
	}
	reached, err := x.extend(ctx, id, c, since, c.from)
	if !reached.At.IsZero() {
		c.from = reached
	}
	return !since.Before(c.from.At), err
}

// news reads what is new since the last reading, or since the given time if there
// was none. It reports whether nothing is missing in between.
func (x *Index) news(ctx context.Context, id string, c *conversation, since time.Time) (complete bool, err error) {
	first, begun := c.begun.IsZero(), time.Now()
	if !first {
		since = c.upto.Add(-overlap)
		if since.Before(c.from.At) {
			since = c.from.At
		}
	}
	reached, err := x.extend(ctx, id, c, since, Message{})
	if reached.At.IsZero() {
		return false, err
	}
	complete = !reached.At.After(since)
	if first || !complete {
		c.from = reached
	}
	c.begun = begun
	return complete, err
}

// extend reads a part of a conversation into the memory. It returns how far back
// it came: since if it is complete, else the time of the oldest message; zero says
// that nothing was read.
func (x *Index) extend(ctx context.Context, id string, c *conversation, since time.Time, until Message) (reached Message, err error) {
	reached.ID = until.ID
	complete, err := x.read(ctx, id, since, until, func(m Message) {
		reached = Message{ID: m.ID, At: m.At}
		if m.At.After(c.upto) {
			c.upto = m.At
		}
		for _, key := range m.Keys {
			if p := (post{m.ID, m.At}); !slices.ContainsFunc(c.posts[key], p.same) {
				c.posts[key] = append(c.posts[key], p)
			}
		}
	})
	if complete && err == nil {
		reached.At = since
	}
	return reached, err
}
