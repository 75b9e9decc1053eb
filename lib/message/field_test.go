package message_test

import (
	"testing"
	"time"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

// Services lay fields out by their keys, so that a label can be worded anew.
func TestEveryFieldHasAKeyOfItsOwn(t *testing.T) {
	seen := make(map[message.Key]string)
	note := func(f message.Field) {
		if other := seen[f.Key]; f.Key == 0 || other != "" && other != f.Label {
			t.Errorf("%s has the key %d, as has %q", f.Label, f.Key, other)
		}
		seen[f.Key] = f.Label
	}
	logins := func(v *request.View) { v.Logins = map[string][]string{"editor": nil} }
	times := func(v *request.View) {
		v.Start, v.AccessUntil, v.Expires = created.Add(time.Hour), created.Add(2*time.Hour), created.Add(time.Hour)
	}
	resources := func(v *request.View) {
		v.Resources, v.Reason, v.LongTerm, v.SuggestedReviewers = []string{"app/wiki"}, "INC-204", true, []string{"bob"}
	}
	for _, v := range []request.View{sample(logins, times), sample(withoutLink, resources)} {
		for _, f := range message.Fields(v) {
			note(f)
			if f.Also != nil {
				note(*f.Also)
			}
		}
	}
	if len(seen) != int(message.FieldDeny) {
		t.Errorf("%d keys are in use: %v", len(seen), seen)
	}
}
