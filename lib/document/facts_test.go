package document

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gravitational/trace"

	"teleport-plugins/lib/request"
	"teleport-plugins/lib/request/requesttest"
)

// asked gives the same answer each time, and counts.
func asked[T any](n *atomic.Int32, found T, err *error) func(context.Context, string) (T, error) {
	return func(context.Context, string) (T, error) {
		n.Add(1)
		time.Sleep(time.Millisecond)
		return found, *err
	}
}

// Facts are looked up once for all who want them at the same time, and again once they
// are old.
func TestFactsAreLookedUpOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var traits, labels, names atomic.Int32
		var none error
		l := NewLookup(Sources{
			Traits: asked(&traits, map[string][]string{"team": {"payments"}}, &none),
			Labels: asked(&labels, []map[string]string{{"env": "prod"}}, &none),
			Names:  asked(&names, []string{"web-1"}, &none),
		})
		want := Facts{Traits: map[string][]string{"team": {"payments"}}, Labels: []map[string]string{{"env": "prod"}}, Names: []string{"web-1"}}
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if got := l.Of(t.Context(), requesttest.Pending()); !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v", got)
				}
			})
		}
		all.Wait()
		if traits.Load() != 1 || labels.Load() != 1 || names.Load() != 1 {
			t.Errorf("asked %d, %d and %d times", traits.Load(), labels.Load(), names.Load())
		}
		time.Sleep(factsAge)
		l.Of(t.Context(), requesttest.Pending())
		l.Of(t.Context(), request.View{ID: "2", User: "bob"}) // asks for no resource
		if traits.Load() != 3 || labels.Load() != 2 || names.Load() != 2 {
			t.Errorf("asked %d, %d and %d times", traits.Load(), labels.Load(), names.Load())
		}
	})
}

// What may not be read is not asked for again for a while; what fails is, and is missing
// until then.
func TestFactsThatAreMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var traits, labels, names atomic.Int32
		denied, broken := trace.AccessDenied("access denied"), errors.New("connection refused")
		one, other := error(denied), broken
		l := NewLookup(Sources{
			Traits: asked(&traits, map[string][]string{"team": {"payments"}}, &one),
			Labels: asked(&labels, []map[string]string{{"env": "prod"}}, &other),
			Names:  asked(&names, []string{"web-1"}, &other),
		})
		for range 3 {
			if got := l.Of(t.Context(), requesttest.Pending()); !got.Passing || got.Traits != nil || got.Labels != nil {
				t.Errorf("got %+v", got)
			}
		}
		if traits.Load() != 1 || labels.Load() != 3 {
			t.Errorf("asked %d and %d times", traits.Load(), labels.Load())
		}
		other = trace.NotFound("no such request")
		if got := l.Of(t.Context(), requesttest.Pending()); got.Passing {
			t.Error("what is not there may come yet")
		}
		one = nil
		time.Sleep(deniedAge)
		if got := l.Of(t.Context(), requesttest.Pending()); got.Traits == nil {
			t.Error("a right that was given is not noticed")
		}
	})
}

// Whoever gives up does so for himself alone, and nobody waits for ever.
func TestALookUpThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLookup(Sources{Traits: func(ctx context.Context, _ string) (map[string][]string, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		if got := l.Of(ctx, requesttest.Pending()); !got.Passing || time.Since(began) != LookTime {
			t.Errorf("got %+v after %v", got, time.Since(began))
		}
	})
}
