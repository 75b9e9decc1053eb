package fault_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/lib/sandbox/fault"
)

func TestAFaultHitsTheCallsThatItIsAbout(t *testing.T) {
	call := fault.Call{Method: "post", Target: "C1", Content: `{"reason":"see /etc/passwd"}`}
	for name, tc := range map[string]struct {
		fault fault.Fault
		hits  bool
	}{
		"every call":      {fault.Fault{}, true},
		"its method":      {fault.Fault{Method: "post", Target: "C1"}, true},
		"another method":  {fault.Fault{Method: "edit"}, false},
		"another target":  {fault.Fault{Method: "post", Target: "C2"}, false},
		"its content":     {fault.Fault{Content: "/etc/passwd"}, true},
		"another content": {fault.Fault{Target: "C1", Content: "/etc/shadow"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var s fault.Set
			s.Add(tc.fault)
			if _, hit := s.TakeCall(call); hit != tc.hits {
				t.Errorf("hit: %v", hit)
			}
		})
	}
}

func TestAFaultIsRemovedAlone(t *testing.T) {
	var s fault.Set
	s.Add(fault.Fault{Effect: fault.Cut, Times: 1})
	remove := s.Add(fault.Fault{Effect: fault.Hang})
	s.Add(fault.Fault{Effect: fault.Slow})
	var seen []fault.Effect
	s.Observe(func(f fault.Fault, c fault.Call) {
		if c.Method != "post" {
			t.Errorf("call %v", c)
		}
		seen = append(seen, f.Effect)
	})
	s.Take("post", "")
	remove()
	remove() // does nothing
	s.Take("post", "")
	s.Clear()
	s.Take("post", "")
	if want := []fault.Effect{fault.Cut, fault.Slow}; !slices.Equal(seen, want) {
		t.Errorf("seen %v, want %v", seen, want)
	}
}

func TestAGatewayAnswersWithAPageOfItsOwn(t *testing.T) {
	for status, location := range map[int]string{http.StatusForbidden: "", http.StatusFound: "/login?from=gateway"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		if !fault.Before(w, r, fault.Fault{Effect: fault.Gateway, HTTPStatus: status}) {
			t.Error("the work is done")
		}
		if w.Code != status || w.Header().Get("Location") != location || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			t.Errorf("answer %d, %v", w.Code, w.Header())
		}
	}
}
