package message

import (
	"fmt"
	"testing"

	"teleport-plugins/lib/request"
)

func TestARequestIsWrittenOnceForAllPlaces(t *testing.T) {
	var d Drafts[string, string]
	written := 0
	of := func(v request.View, form string) string {
		return d.Of(v, form, func() string {
			written++
			return form + " " + string(v.Status)
		})
	}
	v := request.View{ID: "1", Status: request.Pending, Logins: map[string][]string{"a": {"root"}}}
	same := v
	same.Logins = map[string][]string{"a": {"root"}}
	for range 2 {
		if got := of(v, "full") + of(same, "full") + of(v, "plain"); got != "full PENDINGfull PENDINGplain PENDING" {
			t.Errorf("got %q", got)
		}
	}
	if written != 2 {
		t.Errorf("written %d times", written)
	}
	for name, change := range map[string]func(*request.View){
		"state":  func(v *request.View) { v.Status = request.Denied },
		"logins": func(v *request.View) { v.Logins = map[string][]string{"a": {"mallory"}} },
		"review": func(v *request.View) { v.Reviews = []request.Review{{Author: "bob"}} },
	} {
		changed, before := v, written
		change(&changed)
		if got := of(changed, "full"); got != "full "+string(changed.Status) || written != before+1 {
			t.Errorf("with another %s: %q, written %d times", name, got, written-before)
		}
		_ = of(v, "full")
	}
}

func TestWhatIsWrittenIsNotKeptForEver(t *testing.T) {
	var d Drafts[int, int]
	for i := range 3 * maxDrafts {
		for range 2 {
			d.Of(request.View{ID: fmt.Sprint(i)}, 0, func() int { return i })
		}
	}
	if n := len(d.kept); n > maxDrafts {
		t.Errorf("%d are kept", n)
	}
}
