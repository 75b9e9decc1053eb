package cluster_test

import (
	"testing"

	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"

	"teleport-plugins/lib/sandbox/cluster"
)

func requestsOnly() types.Watch {
	return types.Watch{Kinds: []types.WatchKind{{Kind: types.KindAccessRequest}}}
}

func requestsAndRules(partial bool) types.Watch {
	return types.Watch{
		Kinds:               []types.WatchKind{{Kind: types.KindAccessRequest}, {Kind: types.KindAccessMonitoringRule}},
		AllowPartialSuccess: partial,
	}
}

func TestWatchConfirmsTheKindsThatItMayTell(t *testing.T) {
	both := []string{types.KindAccessRequest, types.KindAccessMonitoringRule}
	tests := map[string]struct {
		old     bool
		deny    []string
		partial bool
		want    []string // nil when the watch is refused
		refused func(error) bool
	}{
		"both":                               {want: both},
		"both, partial":                      {partial: true, want: both},
		"rules denied":                       {deny: both[1:], refused: trace.IsAccessDenied},
		"rules denied, partial":              {deny: both[1:], partial: true, want: both[:1]},
		"all denied, partial":                {deny: both, partial: true, refused: trace.IsBadParameter},
		"old cluster":                        {old: true, refused: trace.IsBadParameter},
		"old cluster, partial":               {old: true, partial: true, want: both[:1]},
		"old cluster, partial, none is left": {old: true, deny: both[:1], partial: true, refused: trace.IsBadParameter},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := start(t, cluster.Options{Old: test.old})
			for _, kind := range test.deny {
				c.Deny(cluster.PluginRole, kind)
			}
			w := watch(t, connect(t, c, cluster.PluginUser), requestsAndRules(test.partial))
			if test.want != nil {
				same(t, confirmed(t, w), test.want)
				return
			}
			if err := ended(t, w); !test.refused(err) {
				t.Errorf("the watch ended with %v", err)
			}
		})
	}
}

func TestWatchTellsRules(t *testing.T) {
	c := start(t, cluster.Options{})
	w := watch(t, connect(t, c, cluster.PluginUser), requestsAndRules(true))
	confirmed(t, w)
	must(t, c.PutRule(cluster.Rule{Name: "all", Condition: "true", Plugin: "example", Recipients: []string{"#ops"}}))
	must(t, c.DeleteRule("all"))

	put := next(t, w)
	same(t, put.Type, types.OpPut)
	same(t, put.Resource.GetKind(), types.KindAccessMonitoringRule)
	same(t, put.Resource.GetName(), "all")
	gone := next(t, w)
	same(t, gone.Type, types.OpDelete)
	same(t, gone.Resource.GetName(), "all")
}

// A filter hides puts that do not match, so that the decision of a request is
// not told to who watches the pending ones; deletions are always told.
func TestWatchFilterHidesPutsOnly(t *testing.T) {
	c := start(t, cluster.Options{})
	pending := types.AccessRequestFilter{State: types.RequestState_PENDING}
	w := watch(t, connect(t, c, cluster.PluginUser), types.Watch{
		Kinds: []types.WatchKind{{Kind: types.KindAccessRequest, Filter: pending.IntoMap()}},
	})
	confirmed(t, w)
	id := create(t, c, cluster.CreateParams{})
	must(t, c.Decide(id, types.RequestState_DENIED, ""))
	must(t, c.Delete(id))
	same(t, next(t, w).Type, types.OpPut)
	same(t, next(t, w).Type, types.OpDelete)
}

func TestWatchHasNoReplay(t *testing.T) {
	c := start(t, cluster.Options{})
	create(t, c, cluster.CreateParams{})
	w := watch(t, connect(t, c, cluster.PluginUser), requestsOnly())
	confirmed(t, w)
	later := create(t, c, cluster.CreateParams{})
	same(t, next(t, w).Resource.GetName(), later)
}

func TestEveryWatcherIsToldAndForgottenAtItsEnd(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	const n = 5
	watchers := make([]types.Watcher, n)
	for i := range watchers {
		watchers[i] = watch(t, clt, requestsOnly())
		confirmed(t, watchers[i])
	}
	same(t, c.Watchers(), n)
	id := create(t, c, cluster.CreateParams{})
	for _, w := range watchers {
		same(t, next(t, w).Resource.GetName(), id)
	}
	c.Stop() // waits for the streams' ends
	same(t, c.Watchers(), 0)
}

func TestOnChange(t *testing.T) {
	c := start(t, cluster.Options{})
	changes, stop := c.OnChange()
	id := create(t, c, cluster.CreateParams{})
	<-changes
	must(t, c.SetPluginData(id, "example", map[string]string{"k": "v"}))
	<-changes
	stop()
	must(t, c.Delete(id))
	select {
	case <-changes:
		t.Error("a change was told after the subscription had ended")
	default:
	}
}
