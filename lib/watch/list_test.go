package watch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/watch"
)

// ends counts the lists that were ended.
func (w *world) ends() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, s := range w.told {
		if s == "end" {
			n++
		}
	}
	return n
}

func (w *world) condition() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.bad[watch.Condition]
}

// Ready is the end of the first list that was read to its end, and no later one.
func TestReadyIsSaidOnceAllWasRead(t *testing.T) {
	w, ready := newWorld(), 0
	w.requests, w.records, w.data = []string{"1"}, []string{"1", "2"}, errors.New("too busy")
	inTime(t, w, func(o *watch.Options) { o.Ready = func() { w.with(func() { ready++ }) } }, func(t *testing.T) {
		settle(20 * time.Second)
		w.with(func() {
			if ready != 0 {
				t.Error("ready before the records were read")
			}
			w.data = nil
		})
		settle(time.Minute)
		w.last().end()
		settle(time.Hour)
		w.with(func() {
			if ready != 1 || len(w.lists) < 5 {
				t.Errorf("ready %d times after %d lists", ready, len(w.lists))
			}
		})
	})
}

// The guides of Teleport's own plugin quote these sentences.
func TestTheWatcherIsLogged(t *testing.T) {
	w := newWorld()
	core, logs := observer.New(zap.DebugLevel)
	inTime(t, w, func(o *watch.Options) { o.Log = zap.New(core) }, func(t *testing.T) {
		for _, sentence := range []string{"Starting a request watcher", "Watcher connected"} {
			if n := logs.FilterLevelExact(zap.DebugLevel).FilterMessage(sentence).Len(); n != 1 {
				t.Errorf("%q was logged %d times", sentence, n)
			}
		}
	})
}

// A list that failed half-way is no list: until records and requests were read
// once, the same comes again.
func TestAListThatFailedIsNoList(t *testing.T) {
	busy := errors.New("too busy")
	for name, fail := range map[string]func(*world, error){
		"half of the records":  func(w *world, err error) { w.data = err },
		"half of the requests": func(w *world, err error) { w.list = err },
		"the right is unknown": func(w *world, err error) { w.right.err = err },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.requests, w.records = []string{"1", "2"}, []string{"1", "gone"}
			fail(w, busy)
			inTime(t, w, nil, func(t *testing.T) {
				settle(2 * time.Second)
				if w.condition() != "" {
					t.Errorf("after two failures the condition is %q", w.condition())
				}
				settle(1500 * time.Millisecond)
				if w.condition() != busy.Error() {
					t.Errorf("after three failures the condition is %q", w.condition())
				}
				settle(16 * time.Second)
				if n := w.ends(); n != 0 {
					t.Errorf("%d lists were ended", n)
				}
				w.with(func() {
					if !slices.ContainsFunc(w.told, func(s string) bool { return strings.HasPrefix(s, "listed 1") }) {
						t.Error("the request that was shown waits for the one that was not")
					}
				})
				w.with(func() { fail(w, nil); w.told = nil })
				settle(40 * time.Second)
				w.want(t, "record 1", "record gone", "listed 1 with 2 records", "listed 2 with 2 records", "end")
				if w.condition() != "" {
					t.Errorf("after recovery the condition is %q", w.condition())
				}
			})
		})
	}
}

// Half of the records are not shown together with requests: what is missing
// would look like requests without a record.
func TestRequestsAreShownOnceWhileRecordsFail(t *testing.T) {
	w := newWorld()
	w.requests, w.records, w.data = []string{"1"}, []string{"1", "2"}, errors.New("too large")
	inTime(t, w, nil, func(t *testing.T) {
		settle(time.Hour)
		w.with(func() {
			told := slices.DeleteFunc(w.told, func(s string) bool { return s == "record 1" })
			if !slices.Equal(told, []string{"listed 1 with 0 records"}) || len(w.lists) != 1 {
				t.Errorf("%d lists, told %q", len(w.lists), told)
			}
			if w.bulk < 100 || w.bulk > 150 {
				t.Errorf("records were asked for %d times in an hour", w.bulk)
			}
			w.told = nil
		})
		w.last().end() // events were missed
		settle(time.Second)
		if !slices.Contains(w.told, "listed 1 with 0 records") {
			t.Errorf("after a loss: %q", w.told)
		}
	})
}

func TestAListThatFailsIsTriedEverMoreSlowly(t *testing.T) {
	w := newWorld()
	w.list = errors.New("too busy")
	inTime(t, w, nil, func(t *testing.T) {
		for _, step := range []struct {
			until      time.Duration
			least, max int
		}{{4 * time.Second, 2, 3}, {time.Minute, 5, 8}, {time.Hour, 105, 140}} {
			settle(step.until)
			w.with(func() {
				if n := len(w.lists); n < step.least || n > step.max {
					t.Errorf("%d lists after %v", n, step.until)
				}
			})
		}
	})
}

// What was decided and deleted while nobody listened is only known by a list
// that ends, also one that was made while all went well.
func TestEveryCompleteListEnds(t *testing.T) {
	w := newWorld()
	w.records = []string{"1"}
	inTime(t, w, nil, func(t *testing.T) {
		w.last().end()
		settle(time.Second)
		w.want(t, "record 1", "end", "end")
		settle(time.Hour)
		if n := w.ends(); n < 5 || n != len(w.lists)-2 {
			t.Errorf("%d lists, %d ends", len(w.lists), n)
		}
		if w.bulk != 1 {
			t.Errorf("all records were listed %d times", w.bulk)
		}
	})
}

// A list that shows nothing is not a list that is empty.
func TestTheRightToListIsProven(t *testing.T) {
	t.Run("missing, it is a condition until it is there", func(t *testing.T) {
		w := newWorld()
		w.records, w.right = []string{"1"}, right{not: true}
		inTime(t, w, nil, func(t *testing.T) {
			settle(time.Minute)
			if n := w.ends(); n != 0 || len(w.lists) != 1 {
				t.Errorf("%d lists, %d were ended", len(w.lists), n)
			}
			if want := "the plugin's role may not list access requests; add the rule access_request: list, read to it"; w.condition() != want {
				t.Errorf("the condition is %q", w.condition())
			}
			var good int
			w.with(func() { good = w.good })
			w.last().end() // a confirmed stream is no evidence of the right
			settle(time.Minute)
			w.with(func() {
				if w.good != good || w.bad[watch.Condition] == "" {
					t.Errorf("a new stream made it good: %q", w.bad[watch.Condition])
				}
				w.right.not, w.requests, w.told = false, []string{"1"}, nil
			})
			settle(40 * time.Second)
			w.want(t, "record 1", "listed 1 with 1 records", "end")
			if w.condition() != "" {
				t.Errorf("after recovery the condition is %q", w.condition())
			}
		})
	})
	t.Run("taken away later", func(t *testing.T) {
		w := newWorld()
		w.requests = []string{"1"}
		inTime(t, w, nil, func(t *testing.T) {
			w.with(func() { w.requests, w.right.not, w.told = nil, true, nil })
			settle(12 * time.Minute)
			w.want(t)
			if w.condition() == "" {
				t.Error("no condition")
			}
		})
	})
	t.Run("not to be found out now, requests are shown all the same", func(t *testing.T) {
		w := newWorld()
		w.requests = []string{"1"}
		inTime(t, w, nil, func(t *testing.T) {
			w.with(func() { w.right.err, w.told = errors.New("too busy"), nil })
			settle(12 * time.Minute)
			w.want(t, "listed 1 with 0 records")
		})
	})
	t.Run("unknown, an empty list proves nothing and one with requests does", func(t *testing.T) {
		w := newWorld()
		w.right = right{not: true, unsure: true}
		inTime(t, w, nil, func(t *testing.T) {
			settle(time.Hour)
			w.want(t)
			if w.condition() != "" {
				t.Errorf("the condition is %q", w.condition())
			}
			w.with(func() { w.requests = []string{"1"} })
			settle(12 * time.Minute)
			if w.ends() == 0 {
				t.Errorf("told %q", w.told)
			}
		})
	})
}

func TestARefusalNamesTheRule(t *testing.T) {
	watched := "the plugin's role may not watch access requests; add the rule access_request: list, read to it"
	for name, r := range map[string]struct {
		refuse func(*world, error)
		want   string
	}{
		"of the stream":              {func(w *world, err error) { w.refused = err }, watched + " (denied)"},
		"of the kind in the stream":  {func(w *world, err error) { w.kinds = map[bool][]string{true: {}}[err != nil] }, watched},
		"of the records":             {func(w *world, err error) { w.data = err }, "the plugin's role may not read plugin data; add the rule access_plugin_data: read, update to it (denied)"},
		"of the requests":            {func(w *world, err error) { w.list = err }, "the plugin's role may not list access requests; add the rule access_request: list, read to it (denied)"},
		"that comes at once":         {func(w *world, err error) { w.unwatched = err }, "denied"},
		"that is a lock, not a rule": {func(w *world, err error) { w.refused = map[bool]error{true: errors.New("locked out")}[err != nil] }, "locked out"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			r.refuse(w, errDenied)
			inTime(t, w, nil, func(t *testing.T) {
				if w.condition() != r.want {
					t.Errorf("got  %q\nwant %q", w.condition(), r.want)
				}
				w.with(func() { r.refuse(w, nil) })
				settle(time.Minute)
				if w.condition() != "" {
					t.Errorf("after recovery: %q", w.condition())
				}
			})
		})
	}
}

func TestTry(t *testing.T) {
	refused := func(err error) bool { return errors.Is(err, errDenied) }
	for name, r := range map[string]struct {
		change func(*world)
		want   string
	}{
		"all is well":            {func(*world) {}, ""},
		"nobody knows":           {func(w *world) { w.right = right{not: true, unsure: true} }, ""},
		"no right to list":       {func(w *world) { w.right.not = true }, "the plugin's role may not list access requests; add the rule access_request: list, read to it"},
		"no right to watch":      {func(w *world) { w.refused = errDenied }, "the plugin's role may not watch access requests; add the rule access_request: list, read to it (denied)"},
		"the kind is left out":   {func(w *world) { w.kinds = []string{} }, "the plugin's role may not watch access requests; add the rule access_request: list, read to it"},
		"it hangs up":            {func(w *world) { w.unwatched = errors.New("reset") }, "reset"},
		"it cannot be found out": {func(w *world) { w.right.err = errors.New("hung up") }, "hung up"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			r.change(w)
			src, err := w.Connect(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			err = watch.Try(t.Context(), src, refused)
			if w.last().watched {
				t.Error("the stream was not closed")
			}
			if got := fmt.Sprint(err); got != r.want && !(err == nil && r.want == "") {
				t.Errorf("got %q, want %q", got, r.want)
			}
		})
	}
}
