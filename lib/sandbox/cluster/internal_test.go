package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPluginDataExpiresAfterItsRequestsAccess(t *testing.T) {
	c, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	id, err := c.CreateRequest(CreateParams{User: Alice, Roles: []string{"editor"}, MaxDuration: 2 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetPluginData(id, "example", map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	r, _ := c.Request(id)
	end := r.GetAccessExpiry().Add(time.Hour)

	if left := c.removeExpired(end.Add(-time.Minute)); left > time.Minute {
		t.Errorf("the reaper would look again only after %v", left)
	}
	if c.PluginData(id, "example") == nil {
		t.Error("the record was removed too early")
	}
	c.removeExpired(end)
	if c.PluginData(id, "example") != nil {
		t.Error("the record was not removed")
	}
	if len(c.Requests()) != 0 {
		t.Error("the request was not removed")
	}
}

// A reader that falls behind is ended, so that it does not hold memory without
// bound.
func TestSlowWatcherIsEnded(t *testing.T) {
	w, err := newWatcher("user", []types.WatchKind{{Kind: types.KindAccessRequest}})
	if err != nil {
		t.Fatal(err)
	}
	gone := deletion(types.KindAccessRequest, types.V3, "x").message
	for range watcherBacklog + 1 {
		w.offer(gone)
	}
	if events, more, err := w.next(t.Context()); len(events) != 0 || more || err == nil {
		t.Errorf("got %d events, more %v, error %v", len(events), more, err)
	}
}

// Reading an index page by page gives what sorting and filtering give.
func FuzzIndexPages(f *testing.F) {
	f.Add("b,a,c,ab,b", "", 1, false)
	f.Add("PENDING/1,DENIED/2,PENDING/3", "PENDING/", 2, true)
	f.Fuzz(func(t *testing.T, text, prefix string, limit int, descending bool) {
		if limit < 1 || limit > 100 {
			t.Skip()
		}
		var x index[string]
		var want []string
		for _, key := range strings.Split(strings.ToValidUTF8(text, ""), ",") {
			if key == "" {
				continue // names are never empty
			}
			x.put(key, key)
			want = append(want, key)
		}
		slices.Sort(want)
		want = slices.Compact(want)
		prefix = strings.ToValidUTF8(prefix, "")
		even := func(s string) bool { return len(s)%2 == 0 }
		want = slices.DeleteFunc(want, func(s string) bool { return !strings.HasPrefix(s, prefix) || !even(s) })
		if descending {
			slices.Reverse(want)
		}
		s := span{prefix: prefix, limit: limit, descending: descending}
		var got []string
		for {
			page, next := x.page(s, even)
			got = append(got, page...)
			if next == "" {
				break
			}
			s.start = next
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// Names come back as they were quoted, whatever is in them.
func FuzzNamesOf(f *testing.F) {
	f.Add("a", `b" || name == "c`)
	f.Add("", `\`)
	f.Fuzz(func(t *testing.T, a, b string) {
		names, err := namesOf(fmt.Sprintf(`resource.metadata.name == %q || resource.metadata.name == %q`, a, b))
		if err != nil {
			t.Fatal(err)
		}
		if !names[a] || !names[b] {
			t.Errorf("got %v of %q and %q", names, a, b)
		}
	})
}
