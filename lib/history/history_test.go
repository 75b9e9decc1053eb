package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// room is a conversation that counts how often and how much of it is read.
type room struct {
	mu       sync.Mutex
	messages []Message // oldest first
	readings int
	given    int
	err      error
	takes    time.Duration
	page     int // how many messages one reading gives at most; zero for all
}

func (r *room) post(key string) (id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id = fmt.Sprint("m", len(r.messages))
	m := Message{ID: id, At: time.Now()}
	if key != "" {
		m.Keys = []string{key}
	}
	r.messages = append(r.messages, m)
	return id
}

func (r *room) read(ctx context.Context, _ string, since time.Time, until Message, each func(Message)) (bool, error) {
	r.mu.Lock()
	all, takes, err, left := slices.Clone(r.messages), r.takes, r.err, r.page
	r.readings++
	r.mu.Unlock()
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	for _, m := range slices.Backward(all) {
		if m.At.Before(since) {
			break
		}
		if !until.At.IsZero() && m.At.After(until.At) {
			continue
		}
		r.mu.Lock()
		r.given++
		r.mu.Unlock()
		each(m)
		if left--; left == 0 {
			return false, err
		}
	}
	return err == nil, err
}

// find gives the ids that a complete reading finds, with spaces between them.
func find(t *testing.T, x *Index, created time.Time, keys ...string) string {
	t.Helper()
	ids, err := x.Find(t.Context(), "C1", created, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(ids, " ")
}

func TestOneReadingAnswersForAllWhoAskedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{takes: time.Second}
		x := New(r.read)
		born := time.Now()
		want := make([]string, 500)
		for i := range want {
			want[i] = r.post(fmt.Sprint("key", i))
		}
		var wg sync.WaitGroup
		for i := range want {
			wg.Go(func() {
				if got := find(t, x, born, fmt.Sprint("key", i)); got != want[i] {
					t.Errorf("found %q, want %q", got, want[i])
				}
			})
		}
		wg.Wait()
		if r.readings > 2 { // who asks while a reading runs needs another
			t.Errorf("%d readings", r.readings)
		}
	})
}

func TestWhatWasPostedBeforeTheCallIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		x := New(r.read)
		born := time.Now()
		if got := find(t, x, born, "a"); got != "" {
			t.Errorf("found %q in an empty conversation", got)
		}
		time.Sleep(time.Minute)
		for range 300 {
			r.post("")
		}
		time.Sleep(time.Minute)
		want := r.post("a")
		time.Sleep(time.Minute)
		if got := find(t, x, born, "a"); got != want {
			t.Errorf("found %q, want %q", got, want)
		}
		before := r.given
		other := r.post("b")
		time.Sleep(time.Millisecond)
		if got := find(t, x, born, "none", "b"); got != other {
			t.Errorf("found %q, want %q", got, other)
		}
		if again := r.given - before; again != 2 { // the newest is read again
			t.Errorf("%d messages were read for one that is new", again)
		}
	})
}

func TestAnOlderRequestIsLookedForFurtherBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		x := New(r.read)
		born := time.Now()
		old := r.post("old")
		time.Sleep(time.Hour)
		young := r.post("young")
		for range 2 {
			if got := find(t, x, time.Now(), "young"); got != young {
				t.Errorf("found %q, want %q", got, young)
			}
			if got := find(t, x, time.Now(), "old"); got != "" {
				t.Errorf("found %q, which is older than the request", got)
			}
		}
		if got := find(t, x, born, "old"); got != old {
			t.Errorf("found %q, want %q", got, old)
		}
		if got := find(t, x, time.Now(), "young"); got != young {
			t.Errorf("found %q, want %q", got, young)
		}
	})
}

func TestEveryMessageWithAKeyIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		x := New(r.read)
		born := time.Now()
		want := r.post("a")
		r.post("b")
		want += " " + r.post("a")
		if got := find(t, x, born, "a"); got != want {
			t.Errorf("found %q, want %q", got, want)
		}
		time.Sleep(time.Minute)
		want += " " + r.post("a")
		for range 3 { // the newest is read again each time
			if got := find(t, x, born, "none", "a", "a"); got != want {
				t.Errorf("found %q, want %q", got, want)
			}
			time.Sleep(time.Millisecond)
		}
		if n := len(x.conversations["C1"].posts["a"]); n != 3 {
			t.Errorf("%d are remembered", n)
		}
	})
}

// A conversation that is longer than what is read at a time is read piece by piece.
func TestAnIncompleteReadingSaysSoAndIsContinued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{page: 10}
		x := New(r.read)
		born := time.Now()
		fill := func(n int) {
			for range n {
				r.post("")
				time.Sleep(time.Minute)
			}
		}
		attempts := func(want string) (n int) {
			for n = 1; ; n++ {
				ids, err := x.Find(t.Context(), "C1", born, "a")
				if got := strings.Join(ids, " "); err != nil && !errors.Is(err, errMore) || err == nil && got != want || n > 10 {
					t.Fatalf("attempt %d: found %q, want %q, error: %v", n, got, want, err)
				}
				if err == nil {
					return n
				}
				time.Sleep(time.Second)
			}
		}
		want := r.post("a")
		fill(25)
		if n := attempts(want); n != 3 { // the oldest message of each is read again by the next
			t.Errorf("complete after %d attempts", n)
		}
		if n := attempts(want); n != 1 {
			t.Errorf("complete after %d attempts, though nothing is new", n)
		}
		want += " " + r.post("a")
		fill(12) // more than what is read at a time: a gap
		if n := attempts(want); n < 2 {
			t.Errorf("complete after %d attempts in spite of the gap", n)
		}
	})
}

// A service that limits how often it is read lets no long reading come to its end.
func TestWhatAReadingGaveBeforeItFailedIsNotReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{page: 10, err: errors.New("too fast")}
		x := New(r.read)
		born := time.Now()
		want := r.post("a")
		for range 15 {
			time.Sleep(time.Minute)
			r.post("")
		}
		if _, err := x.Find(t.Context(), "C1", born, "a"); !errors.Is(err, r.err) {
			t.Errorf("error %v", err)
		}
		r.err = nil
		if got := find(t, x, born, "a"); got != want {
			t.Errorf("found %q, want %q", got, want)
		}
	})
}

// A service may say that it has come to the end of what it lets us read, and why.
func TestAReadingThatEndsInAnErrorIsNotComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		born := time.Now()
		want := r.post("a")
		time.Sleep(time.Minute)
		r.post("")
		fault := errors.New("no more for you")
		x := New(func(ctx context.Context, id string, since time.Time, until Message, each func(Message)) (bool, error) {
			if fault == nil {
				return r.read(ctx, id, since, until, each)
			}
			each(Message{ID: "m1", At: time.Now()})
			return true, fault
		})
		if _, err := x.Find(t.Context(), "C1", born, "a"); !errors.Is(err, fault) {
			t.Errorf("error %v", err)
		}
		fault = nil
		time.Sleep(time.Minute)
		if got := find(t, x, born, "a"); got != want {
			t.Errorf("found %q, want %q", got, want)
		}
	})
}

func TestWhatIsOlderThanTheRequestIsNeverRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		x := New(r.read)
		r.post("a")
		time.Sleep(time.Hour)
		for born := time.Now(); time.Since(born) < time.Minute; time.Sleep(time.Second) {
			find(t, x, born, "a")
		}
		if r.given != 0 {
			t.Errorf("%d messages were read", r.given)
		}
	})
}

func TestAReadingWithoutAnAnswerIsNotComplete(t *testing.T) {
	x := New(func(context.Context, string, time.Time, Message, func(Message)) (bool, error) { return false, nil })
	if ids, err := x.Find(t.Context(), "C1", time.Now(), "a"); len(ids) != 0 || !errors.Is(err, errMore) {
		t.Errorf("found %q, error: %v", ids, err)
	}
}

func TestAReadingThatFailsIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{err: errors.New("try again")}
		x := New(r.read)
		born := time.Now()
		want := r.post("a")
		if _, err := x.Find(t.Context(), "C1", born, "b"); !errors.Is(err, r.err) {
			t.Errorf("error %v", err)
		}
		r.err = nil
		if got := find(t, x, born, "a"); got != want {
			t.Errorf("found %q, want %q", got, want)
		}
	})
}

func TestNobodyWaitsForAnotherLongerThanHisCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{takes: time.Hour}
		x := New(r.read)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := x.Find(ctx, "C1", time.Now(), "a"); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("error %v", err)
				}
			})
		}
		wg.Wait()
	})
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	r := &room{}
	x := New(r.read)
	for i := range 3 * maxConversations {
		if _, err := x.Find(t.Context(), fmt.Sprint("C", i), time.Now(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(x.conversations); n > maxConversations {
		t.Errorf("%d conversations are remembered", n)
	}
}

// An id can be used again, and the message of the earlier request may still be there.
func TestWhatIsOlderThanTheRequestIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		x := New(r.read)
		born := time.Now()
		old := r.post("a")
		time.Sleep(2 * ClockSkew)
		young := r.post("a")
		for created, want := range map[time.Time]string{born: old + " " + young, time.Now(): young} {
			if got := find(t, x, created, "a"); got != want {
				t.Errorf("found %q, want %q", got, want)
			}
		}
	})
}

// Whoever reads from one message to the next is told the oldest that was read.
func TestAReadingGoesOnFromTheOldestMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{page: 2}
		var from []string
		x := New(func(ctx context.Context, id string, since time.Time, until Message, each func(Message)) (bool, error) {
			from = append(from, until.ID)
			return r.read(ctx, id, since, until, each)
		})
		born := time.Now()
		for range 4 {
			r.post("a")
			time.Sleep(2 * ClockSkew)
		}
		for range 3 {
			_, _ = x.Find(t.Context(), "C1", born, "a")
		}
		if got := strings.Join(from, " "); got != " m2 m1" {
			t.Errorf("read from %q", got)
		}
	})
}
