package document

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/request/requesttest"
	"teleport-plugins/lib/sandbox/schema"
)

// validate holds a document against the schema.
func validate(t *testing.T, s schema.Schema, text []byte) {
	t.Helper()
	if err := s.Check(text); err != nil {
		t.Errorf("%s: %v", text, err)
	}
}

func TestDocumentsAreOfTheSchema(t *testing.T) {
	events := compile(t, Schema)
	full := Facts{Traits: map[string][]string{"groups": {"dev"}, "none": nil}, Labels: []map[string]string{{"env": "prod"}}, Names: []string{"web-1"}}
	least := request.View{ID: "1", User: "a", Roles: []string{"dev"}, Status: request.Expired, Resources: []string{"node/web-1"}}
	for _, v := range []request.View{requesttest.Pending(), requesttest.ReviewedBy(requesttest.Pending(), "bob"), least, {}} {
		for _, f := range []Facts{full, {}} {
			for _, s := range []request.Status{request.Pending, request.Approved, request.Denied, request.Promoted, request.Expired} {
				v.Status = s
				d := New(KindOf(integration.Effect{Kind: integration.End}, v), "evt_1", v, f)
				if s == request.Pending {
					d.Type, d.Review = Prefix+Reviewed, &Review{Author: "bob", State: "APPROVED"}
					d.Refused = &Refusal{Decision: "deny"}
				}
				text, err := json.Marshal(d)
				if err != nil {
					t.Fatal(err)
				}
				validate(t, events, text)
			}
		}
	}
}

func TestExamplesAreOfTheSchema(t *testing.T) {
	events := compile(t, Schema)
	if len(Examples()) < 3 {
		t.Errorf("the examples are %q", Examples())
	}
	for _, name := range Examples() {
		text, err := Example(name)
		if err != nil {
			t.Fatal(err)
		}
		validate(t, events, text)
		var d Event
		if err := json.Unmarshal(text, &d); err != nil || d.Request.User == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every field is in the schema, and everything in the schema is a field.
func TestTheSchemaHasEveryField(t *testing.T) {
	var s struct {
		Properties map[string]struct{ Properties map[string]any }
		Defs       map[string]struct{ Properties map[string]any } `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(Schema), &s); err != nil {
		t.Fatal(err)
	}
	top := make(map[string]any)
	for name := range s.Properties {
		top[name] = nil
	}
	for name, tc := range map[string]struct {
		of  any
		has map[string]any
	}{
		"event": {Event{}, top}, "cluster": {Cluster{}, s.Properties["cluster"].Properties}, "refused": {Refusal{}, s.Properties["refused"].Properties},
		"request": {Request{}, s.Defs["request"].Properties}, "resource": {Resource{}, s.Defs["resource"].Properties}, "review": {Review{}, s.Defs["review"].Properties},
	} {
		fields := reflect.TypeOf(tc.of)
		for i := range fields.NumField() {
			key, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ",")
			if key == "-" {
				continue
			}
			if _, ok := tc.has[key]; !ok {
				t.Errorf("%s: the schema lacks %q", name, key)
			}
			delete(tc.has, key)
		}
		if len(tc.has) > 0 {
			t.Errorf("%s: the schema has %v, which no document has", name, tc.has)
		}
	}
}

func TestADocumentSaysAllOfTheRequest(t *testing.T) {
	v := requesttest.ReviewedBy(requesttest.Pending(), "bob")
	d := New(Created, "evt_1", v, Facts{Traits: map[string][]string{"groups": {"dev"}}, Labels: []map[string]string{{"env": "prod"}}})
	r := d.Request
	if d.Type != "access_request.created" || d.Version != 1 || d.Cluster.Proxy != "teleport.example.com" || r.Reason != v.Reason || r.State != "PENDING" ||
		r.DurationSeconds != 8*3600 || r.Resources[0].Labels["env"] != "prod" || r.Resources[0].Logins[0] != "root" || r.Traits["groups"][0] != "dev" ||
		r.Thresholds[0].Approve != 2 || r.Reviews[0].Author != "bob" || r.Kind != "short_term" {
		t.Errorf("%+v", d)
	}
	gone := New("expired", "evt_1", request.View{Status: request.Expired, Resources: []string{"node/web-1"}}, Facts{}).Request
	if gone.Resources != nil || gone.Traits != nil || len(gone.Names) != 1 {
		t.Errorf("what is not known is said: %+v", gone)
	}
}

// An id is the same whoever delivers the event, whatever else the request says by then,
// and is that of no other event.
func TestIDs(t *testing.T) {
	v := requesttest.Pending()
	of := func(v request.View, end string, e integration.Effect) string { return ID(v, end, e.String()) }
	announce := integration.Effect{Kind: integration.Announce}
	first := of(v, "portal", announce)
	if later := requesttest.ReviewedBy(v, "bob"); of(later, "portal", announce) != first {
		t.Error("the id changes with the request")
	}
	seen := map[string]bool{first: true}
	other, elsewhere, remade := v, v, v
	other.ID, elsewhere.Cluster, remade.Created = "2", "leaf", v.Created.Add(1e9)
	for _, id := range []string{
		of(v, "policy", announce), of(v, "portal", integration.Effect{Kind: integration.Review}), of(v, "portal", integration.Effect{Kind: integration.Review, Index: 1}),
		of(v, "portal", integration.Outcome(integration.End, request.Approved)), of(v, "portal", integration.Outcome(integration.End, request.Denied)),
		of(v, "portal", integration.Effect{Kind: integration.Pending, Index: 900}), of(v, "portal", integration.Effect{Kind: integration.Pending, Index: 1800}),
		of(other, "portal", announce), of(elsewhere, "portal", announce), of(remade, "portal", announce),
	} {
		if seen[id] || strings.ContainsAny(id, "., /") {
			t.Errorf("%q is seen twice, or does not fit a header or a record", id)
		}
		seen[id] = true
	}
}
