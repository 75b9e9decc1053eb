package document

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"teleport-plugins/lib/recent"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/teleport"
)

// Facts are what the request does not say itself.
type Facts struct {
	// Traits are those of the requester.
	Traits map[string][]string
	// Labels and Names are those of the resources, in the order of the request.
	Labels []map[string]string
	Names  []string
	// Passing says that something could not be looked up, for a reason that passes.
	Passing bool
}

// LookTime bounds the look-ups for an event, which wait for nothing else.
const LookTime = 2 * time.Second

const (
	// factsAge is how long facts are used for the events of one request, and deniedAge
	// how long it is not asked again for what the plugin's role may not read.
	factsAge, deniedAge = 20 * time.Second, time.Minute
	rememberedFacts     = 1000
)

// Sources are asked for facts. One that is nil knows none.
type Sources struct {
	Traits func(ctx context.Context, user string) (map[string][]string, error)
	Labels func(ctx context.Context, request string) ([]map[string]string, error)
	Names  func(ctx context.Context, request string) ([]string, error)
}

// Lookup looks up facts, once for all who hear of an event.
type Lookup struct {
	Sources
	under  singleflight.Group
	known  *recent.Memory[string, known]
	denied *recent.Memory[string, time.Time] // until when it is not asked, by what
}

type known struct {
	Facts
	at time.Time
}

// NewLookup returns a Lookup.
func NewLookup(s Sources) *Lookup {
	return &Lookup{Sources: s, known: recent.New[string, known](rememberedFacts), denied: recent.New[string, time.Time](rememberedFacts)}
}

// Of are the facts about a request.
func (l *Lookup) Of(ctx context.Context, v request.View) Facts {
	key := fmt.Sprintf("%q %q %d", v.ID, v.User, v.Created.Unix())
	if k, ok := l.known.Get(key); ok && time.Since(k.at) < factsAge {
		return k.Facts
	}
	found, _, _ := l.under.Do(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), LookTime)
		defer cancel()
		var f Facts
		var all sync.WaitGroup
		var passing [2]bool
		all.Go(func() { f.Traits, passing[0] = look(l, ctx, "traits", l.Traits, v.User) })
		if len(v.Wanted) > 0 {
			of := kindsOf(v) // a role may see some kinds and not others
			all.Go(func() { f.Labels, passing[1] = look(l, ctx, "labels"+of, l.Labels, v.ID) })
			all.Go(func() { f.Names, _ = look(l, ctx, "names"+of, l.Names, v.ID) }) // nobody decides by them
		}
		all.Wait()
		if f.Passing = passing[0] || passing[1]; !f.Passing {
			l.known.Put(key, known{f, time.Now()})
		}
		return f, nil
	})
	return found.(Facts) //nolint:forcetypeassert // made above
}

// kindsOf names the kinds of the resources that are asked for.
func kindsOf(v request.View) string {
	var kinds []string
	for _, w := range v.Wanted {
		kinds = append(kinds, w.Kind)
	}
	slices.Sort(kinds)
	return fmt.Sprintf(" of %q", slices.Compact(kinds))
}

// look looks one thing up. passing says that it is not known now, and may be later.
func look[T any](l *Lookup, ctx context.Context, what string, ask func(context.Context, string) (T, error), of string) (found T, passing bool) {
	if until, denied := l.denied.Get(what); ask == nil || denied && time.Now().Before(until) {
		return found, false
	}
	found, err := ask(ctx, of)
	if err == nil {
		return found, false
	}
	var none T
	if !teleport.IsDenied(err) {
		return none, !teleport.IsNotFound(err)
	}
	l.denied.Put(what, time.Now().Add(deniedAge))
	return none, false
}
