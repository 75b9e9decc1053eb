package queue

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, q *Queue[string]) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	key, ok := q.Get(ctx)
	if !ok {
		return ""
	}
	return key
}

func want(t *testing.T, q *Queue[string], keys ...string) {
	t.Helper()
	for _, k := range keys {
		if got := get(t, q); got != k {
			t.Fatalf("got key %q, want %q", got, k)
		}
	}
	if got := get(t, q); got != "" {
		t.Fatalf("got key %q, want none", got)
	}
}

func TestKeysComeInOrderAndOnce(t *testing.T) {
	q := New[string]()
	for _, k := range []string{"a", "b", "a", "c", "b"} {
		q.Add(k, Live)
	}
	want(t, q, "a", "b", "c")
}

func TestLiveKeysOvertakeTheBackground(t *testing.T) {
	q := New[string]()
	q.Add("old1", Background)
	q.Add("old2", Background)
	q.Add("new", Live)
	q.Add("old2", Live)       // moved up
	q.Add("old2", Background) // does not move down again
	want(t, q, "new", "old2", "old1")
}

func TestADelayThatIsForgottenBringsNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[string]()
		q.AddAfter("a", time.Minute)
		q.Add("b", Live)
		q.Forget("a")
		q.Forget("b") // waits, and still does
		time.Sleep(time.Hour)
		want(t, q, "b")
		q.AddAfter("a", time.Minute)
		time.Sleep(time.Hour)
		want(t, q, "a")
	})
}

func TestAKeyAddedWhileBusyIsHandedOutOnceMoreAfterwards(t *testing.T) {
	q := New[string]()
	q.Add("a", Live)
	want(t, q, "a")
	q.Add("a", Background)
	q.Add("a", Live)
	want(t, q)
	q.Done("a")
	want(t, q, "a")
	q.Done("a")
	want(t, q)
	if q.Len() != 0 {
		t.Fatalf("%d keys left", q.Len())
	}
}

func TestADelayedKeyComesWhenItsShortestDelayIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[string]()
		defer q.Close()
		q.AddAfter("a", time.Minute)
		q.AddAfter("a", time.Second)
		q.AddAfter("a", 30*time.Second)
		q.AddAfter("a", time.Hour)
		if len(q.delayed) != 1 {
			t.Fatalf("%d delayed keys, want 1", len(q.delayed))
		}
		start := time.Now()
		if key, ok := q.Get(t.Context()); !ok || key != "a" || time.Since(start) != time.Second {
			t.Fatalf("got %q, %v after %v", key, ok, time.Since(start))
		}
		q.Done("a")
		time.Sleep(2 * time.Hour)
		want(t, q)
		q.AddAfter("a", time.Hour)
		time.Sleep(time.Hour + time.Second)
		want(t, q, "a")
	})
}

func TestCloseWakesEveryWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New[string]()
		q.AddAfter("later", time.Hour)
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if key, ok := q.Get(t.Context()); ok {
					t.Errorf("got key %q from a closed queue", key)
				}
			})
		}
		synctest.Wait()
		q.Close()
		wg.Wait()
		q.Add("a", Live)
		q.AddAfter("a", 0)
		want(t, q)
	})
}

// Many producers and workers hammer a few keys: no key is ever in two hands,
// and the last change of each key is always seen by a worker.
func TestNoKeyInTwoHandsAndNoChangeMissed(t *testing.T) {
	const keys, producers, workers, changes = 7, 4, 8, 3000
	q := New[int]()
	var changed, seen [keys]atomic.Int64
	var held [keys]atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for range workers {
		work.Go(func() {
			for {
				k, ok := q.Get(ctx)
				if !ok {
					return
				}
				if held[k].Swap(true) {
					t.Errorf("key %d is in two hands", k)
				}
				seen[k].Store(changed[k].Load())
				held[k].Store(false)
				q.Done(k)
			}
		})
	}
	var produce sync.WaitGroup
	for p := range producers {
		produce.Go(func() {
			r := rand.New(rand.NewPCG(uint64(p), 1))
			for range changes {
				k := r.IntN(keys)
				changed[k].Add(1)
				switch r.IntN(3) {
				case 0:
					q.AddAfter(k, time.Duration(r.IntN(1000))*time.Microsecond)
				case 1:
					q.Add(k, Background)
				default:
					q.Add(k, Live)
				}
			}
		})
	}
	produce.Wait()
	for k := range keys {
		q.Add(k, Live)
		for deadline := time.Now().Add(10 * time.Second); seen[k].Load() != changed[k].Load(); {
			if time.Now().After(deadline) {
				t.Fatalf("key %d: change %d was never seen, only %d", k, changed[k].Load(), seen[k].Load())
			}
			time.Sleep(time.Millisecond)
		}
	}
	cancel()
	q.Close()
	work.Wait()
}
