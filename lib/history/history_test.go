package history

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

func (r *room) read(ctx context.Context, _ string, since time.Time, each func(Message)) error {
	r.mu.Lock()
	all, takes, err := slices.Clone(r.messages), r.takes, r.err
	r.readings++
	r.mu.Unlock()
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, m := range slices.Backward(all) {
		if m.At.Before(since) {
			break
		}
		r.mu.Lock()
		r.given++
		r.mu.Unlock()
		each(m)
	}
	return err
}

func find(t *testing.T, x *Index, created time.Time, keys ...string) string {
	t.Helper()
	id, err := x.Find(t.Context(), "C1", created, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return id
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

func TestTheNewestOfTwoAnnouncementsCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		x := New(r.read)
		born := time.Now()
		r.post("a")
		second := r.post("a")
		if got := find(t, x, born, "a"); got != second {
			t.Errorf("found %q, want %q", got, second)
		}
		time.Sleep(time.Minute)
		third := r.post("a")
		if got := find(t, x, born, "a"); got != third {
			t.Errorf("found %q, want %q", got, third)
		}
	})
}

func TestAReadingThatFailsIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &room{err: errors.New("try again")}
		x := New(r.read)
		born := time.Now()
		want := r.post("a")
		if _, err := x.Find(t.Context(), "C1", born, "a"); !errors.Is(err, r.err) {
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
