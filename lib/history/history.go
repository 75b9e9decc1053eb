// Package history remembers which announcements conversations hold. When many
// posts are in doubt at once, as after a crash in a burst, one reading of a
// conversation answers for all of them, and later readings fetch only what is
// new.
package history

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Message is one message of a conversation.
type Message struct {
	ID   string
	At   time.Time // by the clock of the service
	Keys []string  // what an announcement of ours is found by; none otherwise
}

// Read calls each for the messages of a conversation since a time, newest first,
// as far back as the service is willing to read.
type Read func(ctx context.Context, conversation string, since time.Time, each func(Message)) error

// ClockSlack allows for clocks that differ between Teleport and the service.
const ClockSlack = 5 * time.Minute

const (
	// overlap is read again each time, for messages that were posted together may
	// become visible one after the other.
	overlap = 5 * time.Second
	// maxConversations and maxPosts bound what is remembered.
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
	begun time.Time         // when the last complete reading was begun, by our clock
	from  time.Time         // since when the conversation was read
	upto  time.Time         // when the newest message that was read was posted
	posts map[string]string // key of an announcement to the id of its message
}

// Find gives the id of the newest announcement with one of the keys, in a state
// of the conversation that is not older than the call; it is empty when there is
// none. created is when the request was made: no announcement is older.
func (x *Index) Find(ctx context.Context, conversation string, created time.Time, keys ...string) (id string, err error) {
	asked := time.Now()
	c := x.of(conversation)
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return "", fmt.Errorf("waiting for another search of the conversation: %w", ctx.Err())
	}
	since := created.Add(-ClockSlack)
	if c.begun.Before(asked) || since.Before(c.from) {
		if err := x.refresh(ctx, conversation, c, since); err != nil {
			return "", err
		}
	}
	for _, key := range keys {
		if id := c.posts[key]; id != "" {
			return id, nil
		}
	}
	return "", nil
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
		c = &conversation{turn: make(chan struct{}, 1), posts: make(map[string]string)}
		x.conversations[id] = c
	}
	return c
}

// refresh reads what is new in a conversation, or all since a time from before
// what was read so far. A reading that fails changes nothing.
func (x *Index) refresh(ctx context.Context, id string, c *conversation, since time.Time) error {
	begun, upto := time.Now(), c.upto
	anew := c.begun.IsZero() || since.Before(c.from) || len(c.posts) > maxPosts
	if !anew {
		since = c.upto.Add(-overlap)
		if since.Before(c.from) {
			since = c.from
		}
	}
	posts := make(map[string]string)
	err := x.read(ctx, id, since, func(m Message) {
		if m.At.After(upto) {
			upto = m.At
		}
		for _, key := range m.Keys {
			if _, newer := posts[key]; !newer {
				posts[key] = m.ID
			}
		}
	})
	if err != nil {
		return err
	}
	if anew {
		c.posts, c.from = posts, since
	}
	for key, id := range posts {
		c.posts[key] = id
	}
	c.begun, c.upto = begun, upto
	return nil
}
