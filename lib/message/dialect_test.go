package message_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

// spoken is a dialect in which all that it writes can be told apart.
var spoken = message.Dialect{
	Label: "_", Bold: "!", Line: quoted, Code: func(s string) string { return "`" + s + "`" }, Block: func(s string) string { return "\n> " + s },
	Link: func(address, name string) string { return "[" + name + "]" + address }, Moment: func(at time.Time) string { return at.Format(time.Kitchen) },
}

func TestWhatTheRequesterIsTold(t *testing.T) {
	at := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	for want, v := range map[string]request.View{
		"✅ Your request for role `a` was !approved!.\n_ID_: `1`\n_Reason_:\n> fine\n_To use it_: `tsh login --request-id=1` or []https://x\n_Access ends_: 10:00AM": {
			ID: "1", Status: request.Approved, Roles: []string{"a"}, ResolveReason: "fine", Link: "https://x", AccessUntil: at,
		},
		"❌ Your request for roles `a, b` was !denied!.\n_ID_: `1`": {ID: "1", Status: request.Denied, Roles: []string{"a", "b"}, AccessUntil: at},
		"⌛ Your request for access to `n` has !expired!.\n_ID_: `1`\n_To ask again_: `tsh request create`": {
			ID: "1", Status: request.Expired, Roles: []string{"a"}, Resources: []string{"n"},
		},
		"Your request for access was !promoted! to the access list <L>.\n_ID_: `1`":                     {ID: "1", Status: request.Promoted, AccessList: "L"},
		"Your request for access was !promoted! to an access list.\n_ID_: `1`":                          {ID: "1", Status: request.Promoted},
		"Your request for access is now !<" + strings.Repeat("x", 40) + "> (truncated)!.\n_ID_: `1`":    {ID: "1", Status: request.Status(strings.Repeat("x", 41))},
		"✅ Your request for access was !approved!.\n_ID_: `1`\n_To use it_: `tsh login --request-id=1`": {ID: "1", Status: request.Approved},
	} {
		if got := strings.Join(spoken.Notice(v), "\n"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	v := request.View{ID: "1", Roles: []string{"a"}, Now: at, AccessUntil: at.Add(15 * time.Minute)}
	want := "⌛ Your access ends in 15 minutes. To go on after that, ask for it again, as with `tsh request create --roles=a`.\n_ID_: `1`\n_For_: role `a`\n_Access ends_: 10:15AM"
	if got := strings.Join(spoken.Ending(v), "\n"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatIsToldBelowAMessage(t *testing.T) {
	v := request.View{Status: request.Promoted, AccessList: "L", ResolveReason: "long"}
	want := "_Status_: <PROMOTED>\n_Access list_: <L>\n_Resolution reason_:\n> long\nNo decision is needed any more: the request was promoted."
	if got := strings.Join(spoken.Ended(v), "\n"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	v = request.View{Status: request.Pending, ApprovalsNeeded: 2}
	if got := spoken.Status(v) + "\n" + spoken.Pending(v); got != "_Status_: ⏳ <PENDING> (0 of 2 approvals)\n⏳ This request is still pending, with 0 of 2 approvals." {
		t.Errorf("got %s", got)
	}
	if got := strings.Join(spoken.Verdict(request.Review{State: request.Denied, Reason: "no"}), "\n"); got != "_Decision_: ❌ <DENIED>\n_Reason_:\n> no" {
		t.Errorf("got %s", got)
	}
}

// Roles with a line each are counted from a number on, where the first of those would be.
func TestManyRolesAreCounted(t *testing.T) {
	v := request.View{ID: "1", Roles: []string{"a", "b", "c"}, Reason: "why", Logins: map[string][]string{"a": {"root"}, "b": nil, "c": nil}}
	wanted := func(f message.Field) bool { return f.Key == message.FieldRole || f.Key == message.FieldReason }
	for roles, want := range map[int]string{
		3: "_Role_: `a` _Login(s)_: `root`\n_Role_: `b` _Login(s)_: `-`\n_Role_: `c` _Login(s)_: `-`\n_Reason_:\n> why",
		1: "_Role_: `a` _Login(s)_: `root`\n… and 2 more roles\n_Reason_:\n> why",
		0: "… and 3 more roles\n_Reason_:\n> why",
	} {
		if got := strings.Join(spoken.Fields(v, roles, wanted), "\n"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// A text that is too long is written with less and less of each value.
func TestFit(t *testing.T) {
	for room, want := range map[int]int{100: 100, 99: 50, 30: 25, 1: 6} {
		got := message.Fit(100, room, utf8.RuneCountInString, func(limit int) string { return strings.Repeat("x", limit) })
		if len(got) != want {
			t.Errorf("into %d fit %d, want %d", room, len(got), want)
		}
	}
}
