package reconcile_test

import (
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/outbound"
)

// The fallback hears of a request that nobody else can hear of, once, and of no other.
func TestTheFallback(t *testing.T) {
	refuse := func(step string, kind outbound.Kind, scope outbound.Scope, times int, addresses ...string) func(string, string) error {
		return func(at, address string) error {
			for _, a := range addresses {
				if at == step && address == a && times > 0 {
					times--
					return failWith(kind, scope)
				}
			}
			return nil
		}
	}
	const ever = 1 << 30
	for name, c := range map[string]struct {
		recipients []string
		fault      func(step, address string) error
		want       map[string]int
		warned     int
	}{
		"all are told":              {[]string{"ops", "db"}, nil, map[string]int{"ops": 1, "db": 1}, 0},
		"one of two is told":        {[]string{"ops", "db"}, refuse("post", outbound.Refused, outbound.ThePlace, ever, "db"), map[string]int{"ops": 1}, 0},
		"no place can be posted in": {[]string{"ops", "db"}, refuse("post", outbound.Refused, outbound.ThePlace, ever, "db", "ops"), map[string]int{"last": 1, "resort": 1}, 1},
		"no message is taken":       {[]string{"ops", "db"}, refuse("post", outbound.Refused, outbound.OneCall, ever, "db", "ops"), map[string]int{"last": 1, "resort": 1}, 1},
		"nobody is known":           {[]string{"ops", "db"}, refuse("resolve", outbound.Refused, outbound.ThePlace, ever, "db", "ops"), map[string]int{"last": 1, "resort": 1}, 1},
		"one is unknown, the other refused": {[]string{"ops", "db"}, func(step, address string) error {
			if step == "post" && address == "db" || step == "resolve" && address == "ops" {
				return failWith(outbound.Refused, outbound.ThePlace)
			}
			return nil
		}, map[string]int{"last": 1, "resort": 1}, 1},
		"a failure that passes is waited for":             {[]string{"ops"}, refuse("post", outbound.Retry, outbound.ThePlace, 5, "ops"), map[string]int{"ops": 1}, 0},
		"one who is told later hears all of it":           {[]string{"ops"}, refuse("post", outbound.Refused, outbound.ThePlace, 2, "ops"), map[string]int{"ops": 1, "last": 1, "resort": 1}, 1},
		"a refused token says nothing of places":          {[]string{"ops"}, refuse("post", outbound.Refused, outbound.TheToken, ever, "ops"), nil, 0},
		"one of the fallback is refused among the others": {[]string{"ops", "last"}, refuse("post", outbound.Refused, outbound.ThePlace, ever, "ops", "last"), map[string]int{"resort": 1}, 1},
		"one of the fallback is told among the others":    {[]string{"ops", "last"}, refuse("post", outbound.Refused, outbound.ThePlace, ever, "ops"), map[string]int{"last": 1}, 0},
		"the fallback is refused as well":                 {[]string{"ops"}, refuse("post", outbound.Refused, outbound.ThePlace, ever, "ops", "last", "resort"), nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.recipients, r.fallback, r.desk.fault = c.recipients, []string{"last", "resort"}, c.fault
				x, y := r.start(), r.start()
				defer y.stop()
				r.memory.put("1", nil)
				r.settle(10 * time.Minute)
				x.stop() // whoever goes on knows it from the record
				r.memory.review("1", "bob", types.RequestState_APPROVED, "")
				r.settle(10 * time.Minute)
				r.wantPosts(c.want)
				const line = "None of the recipients of an access request can be reached; those of the fallback are notified"
				if n := r.logs.FilterMessage(line).Len(); n < c.warned || n > 2*c.warned {
					t.Errorf("logged %d times, want %d", n, c.warned)
				}
			})
		})
	}
}

// The requester's own copy is nobody's who decides.
func TestTheFallbackIsToldThoughTheRequesterIs(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service, r.fallback = teller{finder{r.desk}}, []string{"last"}
		r.desk.fault = func(step, address string) error {
			if step == "post" && address == "ops" {
				return failWith(outbound.Refused, outbound.ThePlace)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		r.wantPosts(map[string]int{"alice": 1, "last": 1})
	})
}

// What is decided before anybody could be told is no business of the fallback's.
func TestTheFallbackHearsOfNothingThatHasEnded(t *testing.T) {
	inTime(t, func(r *rig) {
		r.fallback = []string{"last"}
		r.desk.fault = func(step, address string) error {
			if address == "ops" && step == "resolve" {
				return fail(outbound.Retry)
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Second)
		r.memory.decide("1", types.RequestState_DENIED)
		r.desk.mu.Lock()
		r.desk.fault = func(step, address string) error {
			if address == "ops" {
				return failWith(outbound.Refused, outbound.ThePlace)
			}
			return nil
		}
		r.desk.mu.Unlock()
		r.settle(time.Hour)
		r.wantPosts(nil)
	})
}
