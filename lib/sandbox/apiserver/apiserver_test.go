package apiserver_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"teleport-plugins/lib/sandbox/apiserver"
)

func TestTheNewestCallsAreKeptAndAllAreCounted(t *testing.T) {
	for name, tc := range map[string]struct {
		size int
		want []int
	}{
		"some": {3, []int{3, 4, 5}},
		"many": {100, []int{1, 2, 3, 4, 5}},
		"none": {-1, []int{}},
	} {
		t.Run(name, func(t *testing.T) {
			c := apiserver.NewCallLog[int](tc.size)
			for i := range 5 {
				c.Add("post", i+1)
			}
			if got := c.Requests(); !slices.Equal(got, tc.want) {
				t.Errorf("kept %v, want %v", got, tc.want)
			}
			if c.Calls("post") != 5 || c.Calls("edit") != 0 || len(c.Counts()) != 1 || c.Keeps() != (tc.size > 0) {
				t.Errorf("counted %v", c.Counts())
			}
		})
	}
}

func TestWhoWaitsIsWokenByAChange(t *testing.T) {
	w := apiserver.NewWatchers("the thing")
	changes, stop := w.Subscribe()
	w.Wake()
	w.Wake() // the first was not looked at yet
	<-changes
	select {
	case <-changes:
		t.Error("two values for a reader who is slow")
	default:
	}
	stop()
	w.Wake()
	asked := 0
	if err := w.Wait(t.Context(), func() bool { asked++; go w.Wake(); return asked == 3 }); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Wait(ctx, func() bool { return false }); !errors.Is(err, context.Canceled) || err.Error() != "waiting for the thing: context canceled" {
		t.Errorf("error %v", err)
	}
}

func TestAListenerComesBackAtItsAddress(t *testing.T) {
	l := apiserver.NewListener("the thing", "", "/api/")
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	get := func() (int, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.URL(), nil)
		if err != nil {
			return 0, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	if l.URL() != "" || l.Close() != nil {
		t.Errorf("before the start: %q", l.URL())
	}
	var before string
	for range 2 {
		if err := l.Serve(answer); err != nil {
			t.Fatal(err)
		}
		if before != "" && l.URL() != before {
			t.Errorf("came back at %s, was at %s", l.URL(), before)
		}
		before = l.URL()
		if err := l.Serve(answer); err == nil {
			t.Error("started twice")
		}
		if code, err := get(); code != http.StatusTeapot || err != nil {
			t.Errorf("answer %d, %v", code, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := get(); err == nil {
			t.Error("answers after the end")
		}
	}
}
