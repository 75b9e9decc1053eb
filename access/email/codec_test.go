package email

import (
	"reflect"
	"testing"

	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

func TestRecordsOfTeleportsOwnPlugin(t *testing.T) {
	const stamp = "2023-05-01 10:00:00.123456789 +0000 UTC m=+1.5"
	for name, tc := range map[string]struct {
		data map[string]string
		want []plugindata.Message
	}{
		"by SMTP":          {map[string]string{"email_threads": "a@x.com/" + stamp + "/2QLX.1ANK@host,b@x.com/" + stamp + "/3QLX.1ANK@host"}, []plugindata.Message{{Channel: "a@x.com", ID: "2QLX.1ANK@host"}, {Channel: "b@x.com", ID: "3QLX.1ANK@host"}}},
		"by Mailgun":       {map[string]string{"email_threads": "a@x.com/" + stamp + "/<2023.abc@mg.x.com>"}, []plugindata.Message{{Channel: "a@x.com", ID: "2023.abc@mg.x.com"}}},
		"two in one place": {map[string]string{"email_threads": "a@x.com/" + stamp + "/1@h,a@x.com/" + stamp + "/2@h,a@x.com/" + stamp + "/1@h"}, []plugindata.Message{{Channel: "a@x.com", ID: "1@h"}, {Channel: "a@x.com", ID: "2@h"}}},
		"the oldest":       {map[string]string{"email": "a@x.com", "timestamp": stamp}, []plugindata.Message{{Channel: "a@x.com", ID: noID}}},
		"broken":           {map[string]string{"email_threads": "a@x.com,a@x.com/1,/x/y,a/b@x.com/t/i"}, nil},
		"of another kind":  {map[string]string{"messages": "C1/2", "channel_id": "C1", "timestamp": "1"}, nil},
	} {
		k, err := codec{}.Decode(tc.data)
		if err != nil || !reflect.DeepEqual(k.Messages, tc.want) {
			t.Errorf("%s: %v, %v", name, k.Messages, err)
		}
	}
}

// What we write is read by Teleport's own plugin: all its keys, and items of three parts.
func TestRecordsForTeleportsOwnPlugin(t *testing.T) {
	k := plugindata.Known{
		User: "alice", Roles: []string{"a", "b"}, Reason: "why", ReviewsCount: 2, Resolution: request.Approved, ResolveReason: "fine",
		Messages: []plugindata.Message{{Channel: "a@x.com", ID: "i@x.com"}, {Channel: "o@x.com", ID: noID}, {Channel: "a/b@x.com", ID: "j@x.com"}},
	}
	got := codec{}.Encode(k)
	for key, want := range map[string]string{
		"user": "alice", "roles": "a,b", "request_reason": "why", "reviews_count": "2", "resolution": "APPROVED", "resolve_reason": "fine",
		"email_threads": "a@x.com/0/i@x.com,o@x.com/0/",
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
	if _, ok := got["messages"]; ok {
		t.Error("there is a key of other plugins")
	}
	back, err := codec{}.Decode(got)
	k.Messages = k.Messages[:2]
	if err != nil || !reflect.DeepEqual(back, k) {
		t.Errorf("read back as %+v, %v", back, err)
	}
	if empty := (codec{}).Encode(plugindata.Known{}); empty["reviews_count"] != "" || len(empty) < 7 {
		t.Errorf("an empty record is %v", empty)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add("a@x.com/t/i@x.com,b@x.com/t/", "a@x.com")
	f.Fuzz(func(t *testing.T, threads, email string) {
		k, _ := codec{}.Decode(map[string]string{"email_threads": threads, "email": email})
		again, _ := codec{}.Decode(codec{}.Encode(k))
		for _, m := range k.Messages {
			if m.Channel == "" || m.ID == "" {
				t.Errorf("a mail without a name: %+v", m)
			}
		}
		if len(again.Messages) > len(k.Messages) {
			t.Errorf("%v became %v", k.Messages, again.Messages)
		}
	})
}
