package pagerduty

import (
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// theirs is a record as Teleport's own plugin leaves it.
func theirs() map[string]string {
	return map[string]string{
		"incident_id": "Q0123", "service_id": "PSAPPRV", "user": "dana@example.com", "roles": "dba,prod-db",
		"created": "1772600767", "request_reason": "it is broken", "resolve_reason": "as agreed",
		"reviews_count": "2", "resolution": "approved",
	}
}

func ours() plugindata.Known {
	return plugindata.Known{
		User: "dana@example.com", Roles: []string{"dba", "prod-db"}, Reason: "it is broken", ResolveReason: "as agreed",
		Created: time.Unix(1772600767, 0).UTC(), ReviewsCount: 2, Resolution: request.Approved,
		Messages: []plugindata.Message{{Channel: "PSAPPRV", ID: "Q0123"}},
	}
}

func TestRecordsOfTeleportsPluginAreReadAndWritten(t *testing.T) {
	got, err := Codec{}.Decode(theirs())
	if err != nil || !reflect.DeepEqual(got, ours()) {
		t.Errorf("decoded %+v, %v", got, err)
	}
	if out := (Codec{}).Encode(ours()); !maps.Equal(out, theirs()) {
		t.Errorf("encoded %v", out)
	}
}

func TestEveryKeyIsAlwaysWritten(t *testing.T) {
	out := Codec{}.Encode(plugindata.Known{})
	if len(out) != len(theirs()) {
		t.Errorf("%d keys, want %d", len(out), len(theirs()))
	}
	for key, value := range out {
		if _, known := theirs()[key]; !known || value != "" {
			t.Errorf("key %q: %q", key, value)
		}
	}
}

func TestResolutionsAreLowerCase(t *testing.T) {
	for s, want := range map[request.Status]string{
		request.Approved: "approved", request.Denied: "denied", request.Expired: "expired", request.Promoted: "promoted", "": "",
	} {
		out := Codec{}.Encode(plugindata.Known{Resolution: s})
		if out["resolution"] != want {
			t.Errorf("%s: wrote %q", s, out["resolution"])
		}
		if k, err := (Codec{}).Decode(out); err != nil || k.Resolution != s {
			t.Errorf("%s: read %q, %v", s, k.Resolution, err)
		}
	}
}

func TestTheOldestRecordsNameNoService(t *testing.T) {
	old := map[string]string{"incident_id": "Q1", "user": "dana", "roles": "a", "created": "1600000000"}
	k, err := Codec{}.Decode(old)
	if err != nil || len(k.Messages) != 1 || k.Messages[0].ID != "Q1" || k.Messages[0].Channel == "" {
		t.Fatalf("decoded %+v, %v", k, err)
	}
	if out := (Codec{}).Encode(k); out["incident_id"] != "Q1" || out["service_id"] != "" {
		t.Errorf("encoded %v", out)
	}
}

func TestFurtherIncidentsStayOutOfTheKnownPart(t *testing.T) {
	k := ours()
	k.Messages = append(k.Messages, plugindata.Message{Channel: "PSPAYMT", ID: "Q9"})
	if out := (Codec{}).Encode(k); !maps.Equal(out, theirs()) {
		t.Errorf("encoded %v", out)
	}
}

func TestWhatCannotBeReadIsNamedAndLeftOut(t *testing.T) {
	bad := theirs()
	bad["created"], bad["reviews_count"] = "yesterday", "-1"
	k, err := Codec{}.Decode(bad)
	if err == nil || !strings.Contains(err.Error(), "created") || !strings.Contains(err.Error(), "reviews_count") {
		t.Errorf("error %v", err)
	}
	if k.ReviewsCount != 0 || !k.Created.IsZero() || k.User != "dana@example.com" || len(k.Messages) != 1 {
		t.Errorf("decoded %+v", k)
	}
}

func TestNumbersOfARecordAreBounded(t *testing.T) {
	for _, text := range []string{"10001", "2147483647", "253402300800", "9223372036854775808", "-1", "1e3", " 1"} {
		bad := theirs()
		bad["created"], bad["reviews_count"] = text, text
		if text == "10001" || text == "2147483647" {
			bad["created"] = "253402300800"
		}
		k, err := Codec{}.Decode(bad)
		if err == nil || k.ReviewsCount != 0 || !k.Created.IsZero() {
			t.Errorf("%s: decoded %+v, %v", text, k, err)
		}
	}
}

func FuzzCodec(f *testing.F) {
	f.Add("Q1", "P1", "a,b", "1600000000", "3", "approved")
	f.Add("", "P1", ",", "-1", "x", "\xff")
	f.Fuzz(func(t *testing.T, incident, service, roles, created, reviews, resolution string) {
		in := map[string]string{
			"incident_id": incident, "service_id": service, "roles": roles, "created": created,
			"reviews_count": reviews, "resolution": resolution,
		}
		k, _ := Codec{}.Decode(in)
		if k.ReviewsCount < 0 || len(k.Messages) > 0 && k.Messages[0].ID == "" {
			t.Errorf("decoded %+v", k)
		}
		once := Codec{}.Encode(k)
		again, err := Codec{}.Decode(once)
		if err != nil || !maps.Equal(Codec{}.Encode(again), once) {
			t.Errorf("%v became %v, %v", once, again, err)
		}
	})
}
