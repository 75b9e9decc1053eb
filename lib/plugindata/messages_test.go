package plugindata_test

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// full is a record with a value in each field that the codec knows.
func full() plugindata.Known {
	return plugindata.Known{
		User: "mia@example.org", Roles: []string{"editor", "db-admin"}, Resources: []string{"app/wiki", "node/a,b"},
		Reason: "line one\nline two, with \"quotes\"",
		Logins: map[string][]string{"editor": {"root"}}, Annotations: map[string][]string{"team": {"db", "ops"}},
		SuggestedReviewers: []string{"bob@example.org"}, ReviewsCount: 3,
		Resolution: request.Approved, ResolveReason: "fine",
		Messages: []plugindata.Message{{Channel: "C1", ID: "1.000001"}, {Channel: "D2", ID: "2.000002"}},
	}
}

func TestMessagesAreWrittenAsTeleportsOwnPluginWritesThem(t *testing.T) {
	for name, c := range map[string]struct {
		known plugindata.Known
		want  map[string]string
	}{
		"full": {full(), map[string]string{
			"user": "mia@example.org", "roles": "editor,db-admin", "resources": `["app/wiki","node/a,b"]`,
			"request_reason": "line one\nline two, with \"quotes\"", "reviews_count": "3",
			"resolution": "APPROVED", "resolve_reason": "fine", "messages": "C1/1.000001,D2/2.000002",
			"logins_by_role": `{"editor":["root"]}`, "system_annotations": `{"team":["db","ops"]}`,
			"suggested_reviewers": `["bob@example.org"]`,
		}},
		// The zero record is what a plugin expects before it creates one: each of
		// the keys that are always written, empty.
		"zero": {plugindata.Known{}, map[string]string{
			"user": "", "roles": "", "resources": "", "request_reason": "", "reviews_count": "",
			"resolution": "", "resolve_reason": "", "messages": "",
		}},
		"a comma in a role": {plugindata.Known{Roles: []string{"a,b", "c"}}, map[string]string{
			"user": "", "roles": "a b,c", "resources": "", "request_reason": "", "reviews_count": "",
			"resolution": "", "resolve_reason": "", "messages": "",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (plugindata.Messages{}).Encode(c.known); !maps.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRecordsOfTeleportsOwnPluginsAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		data map[string]string
		want plugindata.Known
	}{
		"nothing": {nil, plugindata.Known{}},
		"of the oldest kind": {
			map[string]string{"user": "mia", "roles": "editor", "channel_id": "C1", "timestamp": "1.1"},
			plugindata.Known{User: "mia", Roles: []string{"editor"}, Messages: []plugindata.Message{{"C1", "1.1"}}},
		},
		"of the oldest kind, rewritten by a newer plugin": {
			map[string]string{"channel_id": "C1", "timestamp": "1.1", "messages": "C1/1.1,C2/2.2"},
			plugindata.Known{Messages: []plugindata.Message{{"C1", "1.1"}, {"C2", "2.2"}}},
		},
		"half of the oldest kind": {
			map[string]string{"channel_id": "C1", "messages": "C2/2.2"},
			plugindata.Known{Messages: []plugindata.Message{{"C2", "2.2"}}},
		},
		"of the first plugin with several messages": {
			map[string]string{"user": "mia", "roles": "a,b", "request_reason": "why", "messages": "C1/1.1,C2/2.2"},
			plugindata.Known{User: "mia", Roles: []string{"a", "b"}, Reason: "why", Messages: []plugindata.Message{{"C1", "1.1"}, {"C2", "2.2"}}},
		},
		"items that name no message": {
			map[string]string{"messages": "C1/1.1,,C2,/3.3,C4/,a/b/c, ,C1/1.1"},
			plugindata.Known{Messages: []plugindata.Message{{"C1", "1.1"}}},
		},
		"keys that nobody knows": {
			map[string]string{"user": "mia", "max_duration": "2026-03-01T00:00:00Z", "kind": "SHORT_TERM"},
			plugindata.Known{User: "mia"},
		},
		"no reviews, written out":   {map[string]string{"reviews_count": "0"}, plugindata.Known{}},
		"as many reviews as can be": {map[string]string{"reviews_count": "10000"}, plugindata.Known{ReviewsCount: 10_000}},
		"full":                      {plugindata.Messages{}.Encode(full()), full()},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := plugindata.Messages{}.Decode(c.data)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestGarbledValuesAreNamedAndTheRestIsUsed(t *testing.T) {
	sound := map[string]string{"user": "mia", "messages": "C1/1.1", "resources": `["a"]`}
	for key, values := range map[string][]string{
		"reviews_count":       {"x", "-1", "1.5", "10001", "99999999999999999999"},
		"resources":           {"{", `{"a":1}`, `["a",1]`},
		"logins_by_role":      {"[]", `{"editor":"root"}`, `{"a":["b"],"c":1}`},
		"system_annotations":  {"nope"},
		"suggested_reviewers": {"bob,eve"},
	} {
		for _, value := range values {
			t.Run(key+"="+value, func(t *testing.T) {
				data := maps.Clone(sound)
				data[key] = value
				got, err := plugindata.Messages{}.Decode(data)
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", key)) {
					t.Errorf("the error does not name the key: %v", err)
				}
				without := maps.Clone(sound)
				delete(without, key)
				want, err := plugindata.Messages{}.Decode(without)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
			})
		}
	}
}

func TestSeveralGarbledValuesAreAllNamedInOrder(t *testing.T) {
	_, err := plugindata.Decode(plugindata.Messages{}, map[string]string{
		"reviews_count": "x", "resources": "y", "suggested_reviewers": "z", "claim": "mine", "deliveries": "[",
	})
	if err == nil {
		t.Fatal("no error")
	}
	at := 0
	for _, key := range []string{"reviews_count", "resources", "suggested_reviewers", "claim", "deliveries"} {
		i := strings.Index(err.Error()[at:], fmt.Sprintf("%q", key))
		if i < 0 {
			t.Fatalf("%s is not named in its place: %v", key, err)
		}
		at += i
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
}

func FuzzWhatIsWrittenIsReadBack(f *testing.F) {
	f.Add("mia", "editor,db", "why\n", 3, "APPROVED", "C1", "1.1", "root")
	f.Add("", "", "", 0, "", "", "", "")
	f.Add("a/b", "a,,b", "\x00", 9999, "x", "C/1", "1,2", "\"")
	f.Fuzz(func(t *testing.T, user, roles, reason string, count int, state, channel, id, login string) {
		for _, s := range []string{user, roles, reason, state, channel, id, login} {
			if !utf8.ValidString(s) {
				t.Skip("the cluster's protocol carries only valid UTF-8")
			}
		}
		k := plugindata.Known{
			User: user, Roles: plugindata.Split(roles), Reason: reason, ReviewsCount: min(max(count, 0), 10_000),
			Resolution: request.Status(state), Resources: []string{reason},
			Logins: map[string][]string{roles: {login}}, Annotations: map[string][]string{reason: {user}},
		}
		if channel != "" && id != "" && !strings.ContainsAny(channel+id, ",/") {
			k.Messages = []plugindata.Message{{channel, id}}
		}
		data := plugindata.Messages{}.Encode(k)
		got, err := plugindata.Messages{}.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, k) {
			t.Errorf("got %+v, want %+v", got, k)
		}
	})
}

func FuzzAnyRecordCanBeReadAndWritten(f *testing.F) {
	f.Add("mia", `["a"]`, "3", "C1/1.1,C2", "abc.4", `{"deliveries":[{"recipient":"a","doubt":{"announce.0":{"tries":1}},"posts":[{"channel":"C1","id":"1.1"}]}]}`)
	f.Add("", "{", "-1", "//,", ".", "null")
	f.Fuzz(func(t *testing.T, user, list, count, messages, claim, progress string) {
		r, _ := plugindata.Decode(plugindata.Messages{}, map[string]string{
			"user": user, "resources": list, "suggested_reviewers": list, "reviews_count": count,
			"messages": messages, "claim": claim, "deliveries": progress,
		})
		set, _ := r.Changes()
		r.Stored(set)
		if set, _ = r.Changes(); len(set) != 0 {
			t.Errorf("what was stored is not what is to be stored: %q", set)
		}
	})
}
