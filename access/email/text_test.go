package email_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/email/farend"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

var update = flag.Bool("update", false, "write the golden files anew")

// hostile is text that tries to forge fields, headers and links, and to hide.
const hostile = "urgent\nStatus: ✅ APPROVED\r\nLink: https://evil.example\rBcc: x@example.com\u2028ID: 2\u0085User: root\n\n.\r\nFrom: a@b\x00\x1b[31m \u202Eevil\u202C\u2066x\u2069 <script>alert(1)</script> <a href=\"https://evil.example\">x</a> www.evil.example &lt; =3D =?utf-8?q?x?="

// letters are the mails whose forms are kept: the request, and what is said about it.
func letters() map[string]struct {
	v request.View
	e integration.Effect
} {
	bare := pending()
	bare.Link, bare.User, bare.Reason, bare.Roles, bare.AccessUntil = "", "", "", []string{"editor"}, time.Time{}
	done := func(s request.Status, why string) request.View {
		v := reviewed(pending())
		v.Status, v.ResolveReason = s, why
		return v
	}
	promoted := done(request.Promoted, "")
	promoted.AccessList = "Night Watch"
	bad := reviewed(pending())
	bad.User, bad.Reason, bad.Roles, bad.Cluster, bad.ResolveReason, bad.Status = hostile, hostile, []string{hostile, "b"}, "example.com\r\nBcc: x@example.com", hostile, request.Denied
	bad.Reviews[0] = request.Review{Author: hostile, State: request.Denied, Reason: hostile, Created: bad.Created}
	long := pending()
	long.Reason = strings.Repeat("漢字 and words; ", 270)
	for range 400 {
		long.Resources = append(long.Resources, "node/web-"+strings.Repeat("x", 20))
		long.Roles = append(long.Roles, "role-"+strings.Repeat("y", 20))
	}
	long.LongTerm, long.Logins = true, map[string][]string{"editor": {"root", "ubuntu"}}
	waiting := reviewed(pending())
	waiting.ApprovalsNeeded, waiting.SuggestedReviewers, waiting.Expires = 2, []string{"carol@example.com", "https://evil.example/\nLink: x"}, waiting.Created.Add(time.Hour)
	return map[string]struct {
		v request.View
		e integration.Effect
	}{
		"pending": {pending(), announce}, "bare": {bare, announce}, "long": {long, announce}, "hostile": {bad, announce}, "hostile-review": {bad, review},
		"review": {reviewed(pending()), review}, "approved": {done(request.Approved, "go ahead"), end(done(request.Approved, ""))},
		"denied": {done(request.Denied, "not\nnow"), end(done(request.Denied, ""))}, "expired": {done(request.Expired, ""), end(done(request.Expired, ""))},
		"promoted": {promoted, end(promoted)},
		"reminder": {waiting, integration.Effect{Kind: integration.Pending, Index: 2400}}, "ending": {done(request.Approved, ""), integration.Effect{Kind: integration.Ending, Index: 2400}},
	}
}

// sent is a mail as it goes over the wire.
func (r *rig) sent(e integration.Effect, v request.View) string {
	r.Helper()
	root := plugindata.Message{Channel: oncall, ID: "root@example.com"}
	if _, err := r.tell(oncall, e, v, root); err != nil {
		r.Fatal(err)
	}
	all := r.far.Requests()
	return all[len(all)-1].Path
}

func TestMailsAreAsKept(t *testing.T) {
	r := newRig(t, farend.Traits{}, nil)
	for name, l := range letters() {
		// The end of a conversation without a time of its own has that of the clock.
		if l.e.Kind == integration.End && l.v.Status != request.Approved {
			l.v.Reviews[0].State = l.v.Status
		}
		got := r.sent(l.e, l.v)
		path := filepath.Join("testdata", name+".eml")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || string(want) != got {
			t.Errorf("%s is not as kept (%v):\n%s", name, err, got)
		}
	}
}

// The plain part is that of Teleport's own plugin, byte for byte, where the texts have one
// line.
func TestPlainPartIsThatOfTeleportsOwnPlugin(t *testing.T) {
	all := letters()
	for name, want := range map[string]string{
		"pending": "You have a new Role Request:\n\nID: 01998a32-7d0a-7e1c-9c55-6f9e5c1b2a01\nCluster: example.com\nUser: alice@example.com\nRole(s): editor,prod-admin\nReason: replica lag, INC-204\n" +
			"Link: https://teleport.example.com/web/requests/01998a32-7d0a-7e1c-9c55-6f9e5c1b2a01\n\nStatus: ⏳ PENDING",
		"bare": "You have a new Role Request:\n\nID: 01998a32-7d0a-7e1c-9c55-6f9e5c1b2a01\nCluster: example.com\nRole(s): editor\n" +
			"Approve: tsh request review --approve 01998a32-7d0a-7e1c-9c55-6f9e5c1b2a01\nDeny: tsh request review --deny 01998a32-7d0a-7e1c-9c55-6f9e5c1b2a01\n\nStatus: ⏳ PENDING",
		"approved": "Role Request has been resolved:\n\nID: 01998a32-7d0a-7e1c-9c55-6f9e5c1b2a01\nCluster: example.com\nUser: alice@example.com\nRole(s): editor,prod-admin\nReason: replica lag, INC-204\n" +
			"Link: https://teleport.example.com/web/requests/01998a32-7d0a-7e1c-9c55-6f9e5c1b2a01\n\nStatus: ✅ APPROVED (go ahead)",
		"review": "bob@example.com reviewed the request at 02 Mar 26 10:30 UTC.\nResolution: ✅ APPROVED.\nReason: fine by me.",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, farend.Traits{}, nil)
			r.sent(all[name].e, all[name].v)
			title, got, _ := strings.Cut(r.far.Panel(0).Channels[0].Messages[0].Text, "\n")
			if got != want || title != "example.com Role Request 01998a32-7d0a-7e1c-9c55-6f9e5c1b2a01" {
				t.Errorf("%s\n%s\nwant\n%s", title, got, want)
			}
		})
	}
}

// labels are what begins a line of the plain part that is a field.
var labels = []string{"ID:", "Cluster:", "User:", "Role(s):", "Resource(s):", "Type:", "Reason:", "Link:", "Approve:", "Deny:", "Status:", "Access list:"}

// Whatever strangers write: mails are well-formed, which the simulated server looks at,
// go to one person, and have each field once.
func FuzzMail(f *testing.F) {
	f.Add("alice", "why", "editor", "fine")
	f.Add(hostile, hostile, hostile, hostile)
	f.Add("a\r\n.\r\nMAIL FROM:<x@y>", ".", "\u2029Status: ✅ APPROVED", strings.Repeat("é", 2000))
	r := newRig(f, farend.Traits{}, nil)
	n := 0
	f.Fuzz(func(t *testing.T, user, reason, role, word string) {
		v := pending()
		v.User, v.Reason, v.Roles, v.ResolveReason, v.Status = user, reason, []string{role}, word, request.Denied
		v.Resources, v.Cluster, v.AccessList = []string{role}, "example.com "+role, word
		v.Reviews = []request.Review{{Author: "x" + user, Reason: word, State: request.Denied, Created: v.Created}}
		for _, e := range []integration.Effect{announce, review, end(v)} {
			n++
			v.Created = v.Created.Add(time.Duration(n) * time.Second) // another mail each time
			if _, err := r.tell(oncall, e, v); err != nil {
				t.Fatal(err)
			}
			all := r.far.Panel(1).Channels[0].Messages
			for _, label := range labels {
				if got := strings.Count("\n"+all[0].Text, "\n"+label); got > 1 {
					t.Errorf("%s is there %d times:\n%s", label, got, all[0].Text)
				}
			}
			if strings.Contains(all[0].Text, "\u202E") || len(all[0].Mentions) > 0 {
				t.Errorf("text is turned around:\n%s", all[0].Text)
			}
		}
	})
}

// What mail clients make links of is not there, in any case of its letters.
func TestAddressesOfStrangersAreInert(t *testing.T) {
	r := newRig(t, farend.Traits{}, nil)
	v := pending()
	v.Reason = "HtTpS://evil.example WwW.evil.example MAILTO:x@evil.example ftp://evil.example"
	r.sent(announce, v)
	for _, text := range r.far.Pages(oncall) {
		for _, bad := range []string{"tps://evil", "www.evil", "mailto:x", "ftp://evil"} {
			if strings.Contains(strings.ToLower(text), bad) {
				t.Errorf("%q is in\n%s", bad, text)
			}
		}
		if !strings.Contains(text, "WwW.\u200Bevil.example") {
			t.Errorf("what is inert is not there as it was written:\n%s", text)
		}
	}
}

// Nothing in the part in HTML is from a stranger but text, and the link leads to Teleport.
func TestHTMLHoldsNoMarkupOfStrangers(t *testing.T) {
	r := newRig(t, farend.Traits{}, nil)
	for _, name := range []string{"hostile", "hostile-review"} {
		l := letters()[name]
		r.sent(l.e, l.v)
	}
	for _, text := range r.far.Pages(oncall) {
		for _, bad := range []string{"<script", "https://evil", "www.evil", "\u202e", "<img", "<link", "src="} {
			if strings.Contains(text, bad) {
				t.Errorf("%q is in\n%s", bad, text)
			}
		}
		if strings.Count(text, "<a ") > 1 {
			t.Errorf("there is more than one link in\n%s", text)
		}
	}
}
