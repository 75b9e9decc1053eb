package cluster_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gravitational/teleport/api/client"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"

	"teleport-plugins/lib/sandbox/cluster"
)

type data = map[string]string

func update(ctx context.Context, clt *client.Client, id string, expect, set data) error {
	return clt.UpdatePluginData(ctx, types.PluginDataUpdateParams{
		Kind: types.KindAccessRequest, Resource: id, Plugin: "example", Expect: expect, Set: set,
	})
}

func TestUpdatePluginData(t *testing.T) {
	tests := map[string]struct {
		before, expect, set data
		conflict            bool
		after               data
	}{
		"first write, nothing expected":       {set: data{"k": "1"}, after: data{"k": "1"}},
		"first write, absence expected":       {expect: data{"k": ""}, set: data{"k": "1"}, after: data{"k": "1"}},
		"first write, a value expected":       {expect: data{"k": "0"}, set: data{"k": "1"}, conflict: true},
		"value as expected":                   {before: data{"k": "0"}, expect: data{"k": "0"}, set: data{"k": "1"}, after: data{"k": "1"}},
		"value not as expected":               {before: data{"k": "9"}, expect: data{"k": "0"}, set: data{"k": "1"}, conflict: true, after: data{"k": "9"}},
		"absence expected, value there":       {before: data{"k": "9"}, expect: data{"k": ""}, set: data{"k": "1"}, conflict: true, after: data{"k": "9"}},
		"unexpected keys are not looked at":   {before: data{"k": "0", "x": "y"}, expect: data{"k": "0"}, set: data{"k": "1"}, after: data{"k": "1", "x": "y"}},
		"nothing expected overwrites":         {before: data{"k": "9"}, set: data{"k": "1"}, after: data{"k": "1"}},
		"an empty value deletes":              {before: data{"k": "0", "x": "y"}, set: data{"k": ""}, after: data{"x": "y"}},
		"an entry that is left empty is gone": {before: data{"k": "0"}, set: data{"k": ""}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := start(t, cluster.Options{})
			id := create(t, c, cluster.CreateParams{})
			if test.before != nil {
				must(t, c.SetPluginData(id, "example", test.before))
			}
			err := update(background(t), connect(t, c, cluster.PluginUser), id, test.expect, test.set)
			if trace.IsCompareFailed(err) != test.conflict || err != nil && !test.conflict {
				t.Errorf("got %v", err)
			}
			same(t, c.PluginData(id, "example"), test.after)
		})
	}
}

func TestPluginDataIsReadByResourceAndByPlugin(t *testing.T) {
	c := start(t, cluster.Options{})
	r1, r2, r3 := create(t, c, cluster.CreateParams{}), create(t, c, cluster.CreateParams{}), create(t, c, cluster.CreateParams{})
	must(t, c.SetPluginData(r1, "example", data{"k": "1"}))
	must(t, c.SetPluginData(r2, "example", data{"k": "2"}))
	must(t, c.SetPluginData(r2, "another", data{"k": "3"}))
	_ = r3

	tests := map[string]struct {
		filter types.PluginDataFilter
		want   map[string]bool
	}{
		"one":                     {types.PluginDataFilter{Resource: r1, Plugin: "example"}, map[string]bool{r1: true}},
		"one of any plugin":       {types.PluginDataFilter{Resource: r2}, map[string]bool{r2: true}},
		"one of another plugin":   {types.PluginDataFilter{Resource: r1, Plugin: "another"}, map[string]bool{}},
		"nothing stored":          {types.PluginDataFilter{Resource: r3, Plugin: "example"}, map[string]bool{}},
		"unknown request":         {types.PluginDataFilter{Resource: "none", Plugin: "example"}, map[string]bool{}},
		"all of a plugin":         {types.PluginDataFilter{Plugin: "example"}, map[string]bool{r1: true, r2: true}},
		"all of another plugin":   {types.PluginDataFilter{Plugin: "another"}, map[string]bool{r2: true}},
		"all of an unused plugin": {types.PluginDataFilter{Plugin: "third"}, map[string]bool{}},
	}
	clt := connect(t, c, cluster.PluginUser)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.filter.Kind = types.KindAccessRequest
			all, err := clt.GetPluginData(background(t), test.filter)
			must(t, err)
			got := map[string]bool{}
			for _, d := range all {
				got[d.GetName()] = true
			}
			same(t, got, test.want)
		})
	}
}

func TestPluginDataOutlivesItsRequest(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	ctx := background(t)
	id := create(t, c, cluster.CreateParams{})
	must(t, update(ctx, clt, id, nil, data{"k": "1"}))
	must(t, c.Expire(id))

	all, err := clt.GetPluginData(ctx, types.PluginDataFilter{Kind: types.KindAccessRequest, Resource: id, Plugin: "example"})
	must(t, err)
	same(t, all[0].Entries()["example"].Data, data{"k": "1"})
	must(t, update(ctx, clt, id, data{"k": "1"}, data{"k": "2"})) // the record is there, so it can still be written
	same(t, c.PluginData(id, "example"), data{"k": "2"})
}

func TestFirstWriteNeedsTheRequest(t *testing.T) {
	c := start(t, cluster.Options{})
	err := update(background(t), connect(t, c, cluster.PluginUser), "none", nil, data{"k": "1"})
	same(t, trace.IsNotFound(err), true)
}

func TestPluginDataHasALimit(t *testing.T) {
	c := start(t, cluster.Options{})
	id := create(t, c, cluster.CreateParams{})
	clt := connect(t, c, cluster.PluginUser)
	must(t, update(background(t), clt, id, nil, data{"k": strings.Repeat("x", cluster.MaxPluginData/2)}))
	err := update(background(t), clt, id, nil, data{"l": strings.Repeat("x", cluster.MaxPluginData/2)})
	same(t, trace.IsBadParameter(err), true)
	same(t, len(c.PluginData(id, "example")), 1)
}

func TestPluginDataOfAccessLists(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	ctx := background(t)
	must(t, clt.UpdatePluginData(ctx, types.PluginDataUpdateParams{
		Kind: types.KindAccessList, Resource: "payments", Plugin: "example", Set: data{"k": "1"},
	}))
	all, err := clt.GetPluginData(ctx, types.PluginDataFilter{Kind: types.KindAccessList, Resource: "payments", Plugin: "example"})
	must(t, err)
	same(t, all[0].Entries()["example"].Data, data{"k": "1"})
	if all[0].Expiry().IsZero() {
		t.Error("the record never expires")
	}
	// The same name under the other kind is another record.
	same(t, c.PluginData("payments", "example"), nil)
}

func TestPluginDataOfOtherKindsIsRefused(t *testing.T) {
	c := start(t, cluster.Options{})
	clt := connect(t, c, cluster.PluginUser)
	_, err := clt.GetPluginData(background(t), types.PluginDataFilter{Kind: types.KindNode})
	same(t, trace.IsBadParameter(err), true)
}

// Many writers that all expect what they read: each success is one step, so no
// write is lost and none is done twice.
func TestCompareAndSwapArbitrates(t *testing.T) {
	c := start(t, cluster.Options{})
	id := create(t, c, cluster.CreateParams{})
	ctx := background(t)
	const writers, steps = 4, 25
	var wg sync.WaitGroup
	for range writers {
		clt := connect(t, c, cluster.PluginUser)
		wg.Go(func() {
			for done := 0; done < steps; {
				old := c.PluginData(id, "example")["n"]
				n, _ := strconv.Atoi(old)
				err := update(ctx, clt, id, data{"n": old}, data{"n": strconv.Itoa(n + 1)})
				switch {
				case err == nil:
					done++
				case !trace.IsCompareFailed(err):
					t.Errorf("got %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	same(t, c.PluginData(id, "example")["n"], strconv.Itoa(writers*steps))
}
