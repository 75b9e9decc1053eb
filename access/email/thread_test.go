package email

import (
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

var made = time.Date(2026, 3, 2, 9, 30, 0, 500, time.UTC)

func TestMoment(t *testing.T) {
	now := made.Add(5*time.Hour + 10*time.Minute)
	one, two := request.Review{State: request.Denied, Created: made.Add(time.Hour)}, request.Review{State: request.Approved, Created: made.Add(2 * time.Hour)}
	end := integration.Effect{Kind: integration.End}
	for name, tc := range map[string]struct {
		v    request.View
		e    integration.Effect
		want time.Time
	}{
		"announcement":              {request.View{Created: made}, integration.Effect{Kind: integration.Announce}, made},
		"nobody knows when":         {request.View{}, integration.Effect{Kind: integration.Announce}, now.Truncate(time.Hour)},
		"review":                    {request.View{Created: made, Reviews: []request.Review{one, two}}, integration.Effect{Kind: integration.Review, Index: 1}, two.Created},
		"a review without a time":   {request.View{Created: made, Reviews: []request.Review{{}}}, integration.Effect{Kind: integration.Review}, made},
		"decided by a review":       {request.View{Created: made, Status: request.Approved, Reviews: []request.Review{one, two}}, end, two.Created},
		"decided without one":       {request.View{Created: made, Status: request.Approved}, end, now.Truncate(time.Hour)},
		"decided against the words": {request.View{Created: made, Status: request.Approved, Reviews: []request.Review{one}}, end, now.Truncate(time.Hour)},
		"lapsed":                    {request.View{Created: made, Status: request.Expired, Expires: made.Add(3 * time.Hour)}, end, made.Add(3 * time.Hour)},
		"deleted before":            {request.View{Created: made, Status: request.Expired, Expires: made.Add(9 * time.Hour)}, end, now.Truncate(time.Hour)},
	} {
		if got := moment(tc.v, tc.e, now); !got.Equal(tc.want.Truncate(time.Second)) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestMessageIDs(t *testing.T) {
	v := request.View{Cluster: "example.com", ID: "1", Created: made}
	e := integration.Effect{Kind: integration.Announce}
	id := messageID(v, "a@example.com", e, "example.com")
	if id != messageID(v, "A@example.com", e, "example.com") || !isID(id) || strings.ContainsAny(id, "/,") {
		t.Errorf("the id %s", id)
	}
	other, later := v, v
	other.Cluster, later.Created = "example.net", made.Add(time.Second)
	for name, got := range map[string]string{
		"another cluster": messageID(other, "a@example.com", e, "example.com"),
		"a new request":   messageID(later, "a@example.com", e, "example.com"),
		"another address": messageID(v, "b@example.com", e, "example.com"),
		"another effect":  messageID(v, "a@example.com", integration.Effect{Kind: integration.Review}, "example.com"),
	} {
		if got == id {
			t.Errorf("%s has the same id", name)
		}
	}
}

func TestReferences(t *testing.T) {
	v := request.View{Cluster: "example.com", ID: "1", Created: made, Status: request.Approved, Reviews: make([]request.Review, 20)}
	const a = "a@example.com"
	id := func(k integration.Kind, i int) string {
		return messageID(v, a, integration.Effect{Kind: k, Index: i}, "example.com")
	}
	root := id(integration.Announce, 0)
	var last []string
	for i := 11; i < 20; i++ {
		last = append(last, id(integration.Review, i))
	}
	for name, tc := range map[string]struct {
		root string
		e    integration.Effect
		want []string
	}{
		"announcement":                {"", integration.Effect{Kind: integration.Announce}, nil},
		"first review":                {root, integration.Effect{Kind: integration.Review}, []string{root}},
		"third review":                {root, integration.Effect{Kind: integration.Review, Index: 2}, []string{root, id(integration.Review, 0), id(integration.Review, 1)}},
		"end":                         {root, integration.Effect{Kind: integration.End}, append([]string{root}, last...)},
		"reminder":                    {root, integration.Effect{Kind: integration.Pending, Index: 900}, append([]string{root}, last...)},
		"end of the access":           {"", integration.Effect{Kind: integration.Ending, Index: 900}, []string{root}},
		"of another program":          {"2QLX8.1ANK@host", integration.Effect{Kind: integration.End}, []string{"2QLX8.1ANK@host"}},
		"of one that recorded no id":  {noID, integration.Effect{Kind: integration.End}, nil},
		"a record that forges a line": {"x@y>\r\nBcc: z@example.com", integration.Effect{Kind: integration.End}, nil},
		"a record that is too long":   {strings.Repeat("x", maxID) + "@y", integration.Effect{Kind: integration.End}, nil},
	} {
		got := references(v, integration.Place{Address: a, Message: plugindata.Message{Channel: a, ID: tc.root}}, tc.e, "example.com")
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
