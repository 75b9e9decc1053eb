package message_test

import (
	"testing"
	"time"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

func quoted(s string) string { return "<" + s + ">" }

func TestWhatIsSaidOfAPendingRequest(t *testing.T) {
	at := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	by := func(names ...string) (list []request.Review) {
		for _, n := range names {
			list = append(list, request.Review{Author: n, State: request.Approved})
		}
		return list
	}
	for want, v := range map[string]request.View{
		"This request is still pending.":                                                       {Status: request.Pending},
		"This request is still pending. It expires in 20 minutes.":                             {Status: request.Pending, Now: at, Expires: at.Add(20 * time.Minute)},
		"This request is still pending, with 1 of 2 approvals. It expires in 1 hour.":          {Status: request.Pending, Now: at, Expires: at.Add(time.Hour), ApprovalsNeeded: 2, Reviews: by("bob")},
		"This request is still pending, with 1 approval. Not answered yet: <carol>.":           {Status: request.Pending, Now: at, Expires: at, Reviews: by("bob"), SuggestedReviewers: []string{"bob", "carol"}},
		"This request is still pending. Not answered yet: <a>, <b>, <c>, <d>, <e> and 2 more.": {Status: request.Pending, SuggestedReviewers: []string{"a", "b", "c", "d", "e", "f", "g"}},
	} {
		if got := message.Pending(v, quoted); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestWhatIsSaidOfADecidedRequest(t *testing.T) {
	at := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	reviews := []request.Review{
		{Author: "bob", State: request.Denied, Created: at.Add(time.Minute)},
		{Author: "carol", State: request.Approved, Created: at.Add(35 * time.Minute)},
		{Author: "dave", State: request.Approved, Created: at.Add(20 * time.Minute)},
	}
	for want, v := range map[string]request.View{
		"No decision is needed any more: the request was approved by <carol>, <dave>, 35 minutes after it was made.": {Status: request.Approved, Created: at, Reviews: reviews},
		"No decision is needed any more: the request was denied by <bob>, 1 minute after it was made.":               {Status: request.Denied, Created: at, Reviews: reviews},
		"No decision is needed any more: the request was denied by <bob>.":                                           {Status: request.Denied, Reviews: reviews},
		"No decision is needed any more: the request has expired.":                                                   {Status: request.Expired, Created: at, Reviews: reviews},
		"No decision is needed any more: the request was approved.":                                                  {Status: request.Approved, Reviews: make([]request.Review, 3)},
		"No decision is needed any more: the request is <strange>.":                                                  {Status: "STRANGE"},
	} {
		if got := message.Decided(v, quoted); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestWhatIsSaidOfAccessThatEnds(t *testing.T) {
	at := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	for want, v := range map[string]request.View{
		"Your access ends in 15 minutes. To go on after that, ask for it again, as with <tsh request create --roles=a,b>.": {Now: at, AccessUntil: at.Add(15 * time.Minute), Roles: []string{"a", "b"}},
		"Your access ends. To go on after that, ask for it again, as with <tsh request create>.":                           {Now: at, AccessUntil: at, Roles: []string{"a"}, Resources: []string{"node/db"}},
	} {
		if got := message.Ending(v, quoted); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestSpansInWords(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "1 minute"},
		{29 * time.Second, "1 minute"},
		{89 * time.Second, "1 minute"},
		{90 * time.Second, "2 minutes"},
		{time.Hour - time.Second, "1 hour"},
		{time.Hour + time.Minute, "1 hour and 1 minute"},
		{23*time.Hour + 59*time.Minute, "23 hours and 59 minutes"},
		{24 * time.Hour, "1 day"},
		{49 * time.Hour, "2 days and 1 hour"},
		{72*time.Hour + 5*time.Minute, "3 days"},
	} {
		if got := message.Span(c.d); got != c.want {
			t.Errorf("%v is %q, want %q", c.d, got, c.want)
		}
	}
}
