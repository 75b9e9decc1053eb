package reconcile_test

import (
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	worldFull   = flag.Bool("worlds.full", false, "live as many worlds as the other flags say, and not a small sample of them")
	worldSeed   = flag.Uint64("worlds.seed", 1, "which worlds a thinned-out run takes; or the one random world of -worlds.one")
	worldOne    = flag.Bool("worlds.one", false, "live the random world of -worlds.seed alone, and print it")
	worldThin   = flag.Int("worlds.thin", 2000, "take one of so many worlds with two faults, and of those with one if there are 400 times as many")
	worldOnly   = flag.String("worlds.only", "", "only small worlds whose setting begins with this")
	worldFaults = flag.String("worlds.faults", "", "live just the small world of -worlds.only with these faults, printed as {kind @ point} {kind @ point}")
	worldRandom = flag.Int("worlds.random", 10000, "how many random worlds")
)

// stories are those of the small worlds.
func stories() map[string]setting {
	tell := func(gap time.Duration, whats ...string) (s setting) {
		for i, what := range whats {
			s.story = append(s.story, happening{time.Duration(i) * gap, "r1", what})
		}
		return s
	}
	const slow, quick = 2 * time.Minute, 25 * time.Millisecond
	waits := func(s setting) setting { s.waits = true; return s }
	outage := func(s setting) setting { s.opening = 10 * time.Minute; return s }
	return map[string]setting{
		"created":          tell(slow, "create"),
		"reviewed":         tell(slow, "create", "review", "review"),
		"approved":         tell(slow, "create", "review", "approve"),
		"denied":           tell(slow, "create", "deny"),
		"expired":          tell(slow, "create", "expire"),
		"promoted":         tell(slow, "create", "promote"),
		"approved, gone":   tell(slow, "create", "approve", "expire"),
		"removed":          tell(slow, "create", "remove", "review"),
		"removed, denied":  tell(slow, "create", "remove", "deny"),
		"quick":            tell(quick, "create", "review", "approve"),
		"quickly gone":     tell(quick, "create", "review", "expire"),
		"waiting":          waits(tell(slow, "create")),
		"waiting, denied":  waits(tell(time.Minute, "create", "deny")),
		"waiting, gone":    waits(tell(slow, "create", "expire")),
		"outage, waiting":  waits(outage(tell(slow, "create"))),
		"outage, approved": outage(tell(slow, "create", "review", "approve")),
		"outage, expired":  outage(tell(slow, "create", "expire")),
		"outage, pending":  outage(tell(slow, "create", "review")),
	}
}

// settings are the small worlds before anything goes wrong.
func settings() (all []setting) {
	for _, places := range [][]placeKind{{searchable, searchable}, {searchable, blind}, {blind, blind}, {blind, refusing}} {
		for bits := range 16 {
			if bits&8 != 0 && bits&2 == 0 {
				continue // without a way to change messages the end is always told
			}
			for _, s := range stories() {
				s.places, s.replicas = places, 2
				s.notify, s.shows, s.keyed, s.ends = bits&1 != 0, bits&2 != 0, bits&4 != 0, bits&8 != 0
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b setting) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// draw is a number that depends on all of its arguments.
func draw(args ...any) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, args...)
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

// each does the work for all items on all processors.
func each[T any](items []T, do func(T)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(items); i = next.Add(1) - 1 {
				do(items[i])
			}
		})
	}
	wg.Wait()
}

// parseFaults reads faults as they are printed.
func parseFaults(text string) (faults []fault) {
	for _, f := range strings.Split(strings.Trim(text, "[{} ]"), "} {") {
		if kind, point, ok := strings.Cut(f, " @ "); ok {
			faults = append(faults, fault{point, faultKind(kind)})
		}
	}
	return faults
}

// TestOneWorld lives and prints the small world that the flags name.
func TestOneWorld(t *testing.T) {
	if *worldFaults == "" {
		t.Skip("no world is named")
	}
	for _, s := range settings() {
		if s.String() == *worldOnly {
			r := live(t, s, placed(parseFaults(*worldFaults)))
			t.Logf("%v\n%s\n%s", r.fired, strings.Join(r.trace, "\n"), strings.Join(r.said, "\n"))
			for _, wrong := range r.wrong {
				t.Error(wrong)
			}
		}
	}
}

// TestSmallWorlds places up to two faults at every step of short stories.
func TestSmallWorlds(t *testing.T) {
	pairs := *worldThin
	singles := max(1, pairs/400)
	if !*worldFull {
		singles, pairs = 150, 60000
	}
	found := newFindings()
	var worlds, longest atomic.Int64
	run := func(s setting, faults []fault) result {
		r := live(t, s, placed(faults))
		worlds.Add(1)
		longest.Store(max(longest.Load(), int64(r.calls)))
		if len(r.wrong) > 0 {
			found.add(t, s, r)
		}
		return r
	}
	start := time.Now()
	each(settings(), func(s setting) {
		chance := rand.New(rand.NewPCG(*worldSeed, draw(s)))
		if !*worldFull && chance.IntN(4) != 0 || !strings.HasPrefix(s.String(), *worldOnly) {
			return
		}
		calm := run(s, nil)
		for _, first := range calm.trace {
			for _, k := range kindsAt(first) {
				one := []fault{{first, k}}
				r := result{}
				if chance.IntN(singles) == 0 {
					r = run(s, one)
				}
				after := calm.trace
				if r.trace != nil {
					after = r.trace
				}
				for _, second := range after[slices.Index(after, first)+1:] {
					for _, k := range kindsAt(second) {
						if chance.IntN(pairs) == 0 {
							run(s, []fault{one[0], {second, k}})
						}
					}
				}
			}
		}
	})
	fmt.Fprintf(os.Stderr, "%d small worlds in %v, at most %d calls\n", worlds.Load(), time.Since(start).Round(time.Second), longest.Load())
	found.report(t)
}

// TestRandomWorlds lives larger worlds with many faults.
func TestRandomWorlds(t *testing.T) {
	seeds := *worldRandom
	if !*worldFull {
		seeds = 200
	}
	found := newFindings()
	var all []uint64
	for i := range seeds {
		all = append(all, *worldSeed*1_000_000+uint64(i))
	}
	if *worldOne {
		all = []uint64{*worldSeed}
	}
	start := time.Now()
	each(all, func(seed uint64) {
		s, faults := randomWorld(seed)
		r := live(t, s, faults)
		if *worldOne {
			t.Logf("%v %v\n%s\n%s", s, r.fired, strings.Join(r.trace, "\n"), strings.Join(r.said, "\n"))
		}
		if len(r.wrong) > 0 {
			t.Logf("seed %d (-run RandomWorlds -worlds.one -worlds.seed=%d): %s", seed, seed, strings.Join(r.wrong, "; "))
			found.add(t, s, r)
		}
	})
	fmt.Fprintf(os.Stderr, "%d random worlds in %v\n", len(all), time.Since(start).Round(time.Second))
	found.report(t)
}

// randomWorld is the world of a seed. A fault depends on the seed and the point
// alone, so that the world is the same again whichever replica comes first.
func randomWorld(seed uint64) (setting, func(string) faultKind) {
	pick := func(what string, n int) int { return int(draw(seed, what) % uint64(n)) }
	s := setting{
		replicas: 3, notify: pick("notify", 2) == 0, shows: pick("shows", 4) > 0,
		keyed: pick("keyed", 3) == 0, ends: pick("ends", 3) == 0, waits: pick("waits", 2) == 0,
	}
	kinds := []placeKind{searchable, searchable, searchable, blind, blind, refusing}
	for i := range 1 + pick("places", 4) {
		s.places = append(s.places, kinds[pick(fmt.Sprint("place", i), len(kinds))])
	}
	whats := []string{"review", "review", "review", "approve", "deny", "expire", "promote", "remove"}
	gaps := []time.Duration{15 * time.Millisecond, 300 * time.Millisecond, 3 * time.Second, 35 * time.Second, 3 * time.Minute}
	for i := range 1 + pick("requests", 5) {
		id := fmt.Sprint("r", i+1)
		at := time.Duration(pick(id+"at", 3000)) * 10 * time.Millisecond
		s.story = append(s.story, happening{at, id, "create"})
		for k := range pick(id+"length", 5) {
			at += gaps[pick(fmt.Sprint(id, "gap", k), len(gaps))]
			s.story = append(s.story, happening{at, id, whats[pick(fmt.Sprint(id, "what", k), len(whats))]})
		}
	}
	slices.SortStableFunc(s.story, func(a, b happening) int { return int(a.at - b.at) })
	rate, left := uint64(4+pick("rate", 30)), 12
	return s, func(point string) faultKind {
		if left == 0 || draw(seed, point)%rate != 0 {
			return ""
		}
		left--
		kinds := kindsAt(point)
		return kinds[draw(seed, point, "kind")%uint64(len(kinds))]
	}
}
