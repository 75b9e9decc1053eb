package discord

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// buckets keeps within the rate limits that Discord tells with each answer, so
// that it need not refuse calls: too many refusals (10,000 in ten minutes) have
// an address banned. What it has told nothing of yet is not held back.
type buckets struct {
	mu  sync.Mutex
	all map[string]*bucket
}

// bucket is what is known of the limit on one kind of call to one channel.
type bucket struct {
	limit, left int
	window      time.Duration
	ends        time.Time
}

// manyBuckets is how many are kept before those that are over are dropped;
// each thread makes one.
const manyBuckets = 1000

// take counts a call that is about to be made, or tells how long to wait.
func (b *buckets) take(op, target string, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	k := b.all[op+" "+target]
	if k == nil {
		return 0
	}
	if !now.Before(k.ends) {
		k.left, k.ends = k.limit, now.Add(k.window)
	}
	if k.left <= 0 {
		return k.ends.Sub(now)
	}
	k.left--
	return 0
}

// learn takes in what an answer tells. Of the calls left it believes the lower
// number, since answers to calls under way are still to come.
func (b *buckets) learn(op, target string, h http.Header, now time.Time) {
	limit, err := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	left, err2 := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	after, err3 := strconv.ParseFloat(h.Get("X-RateLimit-Reset-After"), 64)
	if err != nil || err2 != nil || err3 != nil || limit < 1 || !(after >= 0 && after < 3600) {
		return
	}
	wait := time.Duration(after * float64(time.Second))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tidy(now)
	key := op + " " + target
	k := b.all[key]
	if k == nil || !now.Before(k.ends) {
		b.all[key] = &bucket{limit: limit, left: left, window: wait, ends: now.Add(wait)}
		return
	}
	k.limit, k.left, k.window, k.ends = limit, min(k.left, left), max(k.window, wait), now.Add(wait)
}

func (b *buckets) tidy(now time.Time) {
	if b.all == nil {
		b.all = make(map[string]*bucket)
	}
	if len(b.all) < manyBuckets {
		return
	}
	for key, k := range b.all {
		if !now.Before(k.ends) {
			delete(b.all, key)
		}
	}
}
