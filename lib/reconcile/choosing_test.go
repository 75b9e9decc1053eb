package reconcile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/teleport"
)

// fields are those of the lines with a message, in order.
func (r *rig) fields(line string) (list []map[string]any) {
	for _, e := range r.logs.FilterMessage(line).All() {
		list = append(list, e.ContextMap())
	}
	return list
}

func TestARecordHoldsAtMostEightKilobytesOfEachList(t *testing.T) {
	const item = 1024
	app := func(i, size int) types.ResourceID {
		return types.ResourceID{Kind: "app", Name: fmt.Sprintf("%0*d", size, i)}
	}
	around := len(teleport.ResourceTexts([]teleport.Resource{{ID: app(0, 100)}}, nil)[0]) - 100
	resources := func(n int) (ids []types.ResourceID) {
		for i := range n {
			ids = append(ids, app(i, item-around))
		}
		return ids
	}
	annotations := func(sizes ...int) map[string][]string {
		m := make(map[string][]string)
		for i, size := range sizes {
			m[string(rune('a'+i))] = []string{strings.Repeat("x", size)}
		}
		return m
	}
	for name, c := range map[string]struct {
		resources       int
		annotations     map[string][]string
		wantResources   int
		wantAnnotations []string
	}{
		"nothing":                  {0, nil, 0, nil},
		"as much as there is":      {8, annotations(4095, 4095), 8, []string{"a", "b"}},
		"one too many":             {9, annotations(4095, 4095, 1), 8, []string{"a", "b"}},
		"many too many":            {20, annotations(4095, 4096), 8, []string{"a"}},
		"the first is too large":   {1, annotations(8193, 1), 1, []string{"a", "b"}},
		"one with a name to spare": {1, annotations(8192), 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				x := r.start()
				defer x.stop()
				r.memory.put("1", func(req types.AccessRequest) {
					req.SetRequestedResourceIDs(resources(c.resources))
					req.SetSystemAnnotations(c.annotations)
				})
				r.settle(time.Second)
				rec := r.record("1")
				if n := len(rec.Resources); n != c.wantResources {
					t.Errorf("%d resources, want %d", n, c.wantResources)
				}
				var keys []string
				size := 0
				for key, list := range rec.Annotations {
					keys = append(keys, key)
					size += len(key) + len(strings.Join(list, ""))
				}
				slices.Sort(keys)
				if !slices.Equal(keys, c.wantAnnotations) || size > 8<<10 {
					t.Errorf("annotations %q of %d bytes, want %q", keys, size, c.wantAnnotations)
				}
			})
		})
	}
}

func TestWhomTheRouterNames(t *testing.T) {
	inTime(t, func(r *rig) {
		r.recipients = []string{"", "ops", "ops", "sec", ""}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Second)
		r.wantPosts(map[string]int{"ops": 1, "sec": 1})
	})
}

func TestOfVeryManyRecipientsTheFirstFiveThousandAreLookedAt(t *testing.T) {
	inTime(t, func(r *rig) {
		r.recipients = nil
		for i := range 6000 {
			r.recipients = append(r.recipients, fmt.Sprintf("%04d", 5999-i))
		}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Minute)
		list := r.fields("An access request has too many recipients; the first of them in alphabetical order are told")
		if len(list) != 1 || list[0]["told"] != int64(100) || list[0]["recipients"] != int64(5001) {
			t.Errorf("logged %v", list)
		}
		if posts := r.posts(); len(posts) != 100 || posts["0999"] != 1 {
			t.Errorf("%d places are told", len(posts))
		}
	})
}

func TestThatNobodyHearsOfARequestIsLoggedOnce(t *testing.T) {
	const line = "An access request has no recipients; nobody hears of it"
	for name, c := range map[string]struct {
		recipients []string
		deciders   []integration.Decider
		lines      int
	}{
		"nobody":          {nil, nil, 1},
		"somebody":        {[]string{"ops"}, nil, 0},
		"a decider alone": {nil, []integration.Decider{&decider{verdict: integration.Verdict{Again: time.Minute}}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.recipients, r.deciders = c.recipients, c.deciders
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(time.Second)
				r.memory.review("1", "bob", types.RequestState_APPROVED, "")
				r.settle(time.Second)
				if n := r.logs.FilterLevelExact(zap.WarnLevel).FilterMessage(line).Len(); n != c.lines {
					t.Errorf("logged %d times, want %d", n, c.lines)
				}
			})
		})
	}
}
