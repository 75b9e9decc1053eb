package farend

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/cluster"
)

// Whom a recipient stands for, and why one is refused.
func TestRecipients(t *testing.T) {
	r := newRig(t)
	r.Change(func() {
		r.w.named("security").archived = true
		r.w.space("same-1", "Same", "O")
		r.w.space("same-2", "Same", "O")
		r.w.space("hidden", "Hidden", "P").members = map[string]bool{}
		r.w.space("lower", "town", "O") // which is another one's name in addresses, if there is any
		find(r.w.accounts, func(a *account) bool { return a.name == "dave" }).deleted = 1
	})
	bob := r.accountOf(cluster.Bob)
	for name, want := range map[string]string{
		"main/access-requests": r.Place("main/access-requests"), "Main Team/Access Requests": r.Place("main/access-requests"),
		"Main Team/access-requests": r.Place("main/access-requests"), "main/Access Requests": r.Place("main/access-requests"),
		cluster.Bob: r.Place(cluster.Bob), "BOB@example.com": r.Place(cluster.Bob), "@bob": r.Place(cluster.Bob), "@Bob": r.Place(cluster.Bob),
		bob: r.Place(cluster.Bob), r.Place("main/db-team"): r.Place("main/db-team"),
	} {
		if got, err := r.service.Resolve(t.Context(), name); got != want || err != nil {
			t.Errorf("%q is %q, %v, want %q", name, got, err, want)
		}
	}
	for name, why := range map[string]string{
		"main/security": "archived", "main/hidden": "private", "main/nothing": "no such channel", "main/town": "no such channel", "else/town-square": "team's name",
		"Else/town-square": "there is no team", "main/Same": "more than one", "main/Access requests": "there is no public channel",
		r.channel("hidden").id: "invite", r.channel("security").id: "archived", "aaaaaaaaaaaaaaaaaaaaaaaaaa": "no such channel",
		"@nobody": "no account", "nobody@example.com": "no account", cluster.Dave: "deactivated", "@dave": "deactivated",
		"town-square": "no recipient", "a/b/c": "no recipient", "/b": "no recipient", "a/": "no recipient", "@": "no recipient", "": "no recipient", "https://x/y": "no recipient",
	} {
		_, err := r.service.Resolve(t.Context(), name)
		r.fails(name, err, outbound.Refused, outbound.ThePlace)
		if err != nil && !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, and not %q", name, err, why)
		}
	}
	if n := r.logged.FilterMessageSnippet("by the name that people see").Len(); n != 2 {
		t.Errorf("%d lines name what to write", n)
	}
}

// A message has its place, its mark and its thread, and an edit keeps the mark.
func TestAMessageAndItsThread(t *testing.T) {
	r := newRig(t)
	v := view(func(v *request.View) { v.Decidable = true })
	m := r.announce("security", v)
	made := r.entry(m)
	if made.props["teleport_access_request"] != fmt.Sprintf("announce.0/%d/%s", v.Created.Unix(), v.ID) || len(made.buttons()) != 2 {
		t.Errorf("posted was %+v", made)
	}
	if _, err := r.service.Tell(t.Context(), integration.Place{Address: m.Channel, Message: m}, told, v); err != nil {
		t.Fatal(err)
	}
	posts := r.channel("security").posts
	if reply := posts[len(posts)-1]; reply.root != m.ID || !strings.HasPrefix(reply.message, "bob reviewed the request") {
		t.Errorf("the reply is %+v", reply)
	}
	v.Status, v.Decidable = request.Approved, false
	if err := r.service.Show(t.Context(), m, v); err != nil {
		t.Fatal(err)
	}
	shown := r.entry(m)
	if shown.props["teleport_access_request"] != made.props["teleport_access_request"] || shown.props["from_bot"] != "true" || len(shown.buttons()) > 0 || !strings.Contains(shown.message, "APPROVED") {
		t.Errorf("shown is %+v", shown)
	}
	_, err := r.service.Tell(t.Context(), integration.Place{Address: m.Channel, Message: m}, integration.Effect{Kind: integration.Review, Index: 7}, v)
	r.fails("a review that there is none", err, outbound.Retry, 0)
}

// A call that is repeated makes one message for each place, step and request, and nobody
// else can make its key.
func TestRepeatedCallsMakeOneMessage(t *testing.T) {
	r := newRig(t)
	v := view()
	m := r.announce("security", v)
	if again := r.announce("security", v); again != m {
		t.Errorf("%v and %v", m, again)
	}
	for what, other := range map[string]func() plugindata.Message{
		"place": func() plugindata.Message { return r.announce("db-team", v) },
		"request": func() plugindata.Message {
			return r.announce("security", view(func(v *request.View) { v.ID = "other" }))
		},
		"time": func() plugindata.Message {
			return r.announce("security", view(func(v *request.View) { v.Created = v.Created.Add(time.Second) }))
		},
		"generation": func() plugindata.Message {
			m, _ := r.service.Tell(t.Context(), integration.Place{Address: m.Channel}, second, v)
			return m
		},
	} {
		if o := other(); o == m || o.ID == "" {
			t.Errorf("another %s makes %v", what, o)
		}
	}
	keys := make(map[string]bool)
	r.Look(func() {
		for key := range r.w.pending {
			keys[key] = true
		}
	})
	if len(keys) != 5 {
		t.Errorf("%d keys", len(keys))
	}
	r.RenewToken() // which the keys depend on
	for key := range keys {
		if strings.Contains(key, v.ID) {
			t.Errorf("the key %q can be guessed", key)
		}
	}
}

// Why a message cannot be edited decides what becomes of it.
func TestEditsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(r *rig, m plugindata.Message)
		kind  outbound.Kind
		scope outbound.Scope
		warns string
	}{
		"the message was removed": {func(r *rig, m plugindata.Message) { _ = r.Remove(m.Channel, m.ID) }, outbound.Gone, 0, ""},
		"the bot has left":        {func(r *rig, _ plugindata.Message) { delete(r.channel("security").members, r.w.bot.id) }, outbound.Refused, outbound.ThePlace, ""},
		"the bot was never in": {func(r *rig, _ plugindata.Message) {
			delete(r.channel("security").members, r.w.bot.id)
			r.w.bot.roles = "system_user system_post_all"
		}, outbound.Fixed, 0, "invite it to the channel"},
		"the channel was archived":   {func(r *rig, _ plugindata.Message) { r.channel("security").archived = true }, outbound.Refused, outbound.ThePlace, ""},
		"the time for edits is over": {func(r *rig, _ plugindata.Message) { r.w.limited = time.Nanosecond }, outbound.Fixed, 0, ""},
		"it is another account's": {func(r *rig, m plugindata.Message) {
			r.Change(func() { _, e := r.w.post(m.ID); e.user = r.w.accounts[1].id })
		}, outbound.Fixed, 0, "another account"},
		"the bot may edit nothing": {func(r *rig, _ plugindata.Message) { r.w.rigid = true }, outbound.Fixed, 0, "permission to edit"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			m := r.announce("security", view())
			if r.service.Check(t.Context()) != nil {
				t.Fatal("no check")
			}
			time.Sleep(2 * time.Millisecond)
			c.spoil(r, m)
			if err := r.service.Check(t.Context()); err != nil { // as it is done now and then
				t.Fatal(err)
			}
			r.fails(name, r.service.Show(t.Context(), m, view()), c.kind, c.scope)
			lines := r.logged.FilterMessageSnippet("cannot be brought up to date").All()
			if (len(lines) > 0) != (c.warns != "") || len(lines) > 0 && !strings.Contains(fmt.Sprint(lines[0].ContextMap()), c.warns) {
				t.Errorf("logged %v", lines)
			}
		})
	}
}

// A message whose thread is gone is told anew, and one in a closed place is refused.
func TestMessagesThatAreRefused(t *testing.T) {
	r := newRig(t)
	m := r.announce("security", view())
	if err := r.Remove(m.Channel, m.ID); err != nil {
		t.Fatal(err)
	}
	_, err := r.service.Tell(t.Context(), integration.Place{Address: m.Channel, Message: m}, told, view())
	r.fails("a reply to nothing", err, outbound.Gone, 0)
	for what, spoil := range map[string]func(s *space){
		"archived": func(s *space) { s.archived = true }, "without the bot": func(s *space) { s.archived = false; s.members = map[string]bool{} },
	} {
		s := r.channel("db-team")
		r.Change(func() { spoil(s) })
		_, err := r.service.Tell(t.Context(), integration.Place{Address: s.id}, first, view())
		r.fails(what, err, outbound.Refused, outbound.ThePlace)
	}
}

// A server that takes shorter posts only is given such.
func TestPostsFitTheServer(t *testing.T) {
	for most, least := range map[int]int{4000: 1000, usualMost: 4001} {
		r := newRig(t, func(w *world) { w.most = most })
		m := r.announce("security", view(func(v *request.View) {
			v.Logins, v.Roles = make(map[string][]string), nil
			for i := range 40 {
				role := fmt.Sprint(i, strings.Repeat("x", 300))
				v.Roles, v.Logins[role] = append(v.Roles, role), []string{strings.Repeat("y", 300)}
			}
		}))
		if n := utf8.RuneCountInString(r.entry(m).message); n > most || n < least {
			t.Errorf("where %d are taken, it has %d runes", most, n)
		}
	}
}

// What the plugin finds of its own.
func TestFinding(t *testing.T) {
	r := newRig(t)
	v := view()
	s := r.channel("security")
	to := integration.Place{Address: s.id}
	if got := r.found(to, first, v); got != "[] <nil>" {
		t.Errorf("before it is announced: %s", got)
	}
	m := r.announce("security", v)
	mark := r.entry(m).props
	r.say(s, r.accountOf(cluster.Bob), r.entry(m).message, mark) // as anybody can
	r.say(s, r.w.bot.id, "a text", map[string]any{"teleport_access_request": 7})
	if _, err := r.service.Tell(t.Context(), integration.Place{Address: s.id, Message: m}, told, v); err != nil {
		t.Fatal(err)
	}
	if err := r.service.Show(t.Context(), m, view(func(v *request.View) { v.Status = request.Denied })); err != nil { // leaves the earlier form behind
		t.Fatal(err)
	}
	if got := r.found(to, first, v); got != fmt.Sprint([]plugindata.Message{m}, error(nil)) {
		t.Errorf("found is %s, and not %v", got, m)
	}
	if list, err := r.service.Find(t.Context(), integration.Place{Address: s.id, Message: m}, told, v); err != nil || len(list) != 1 || list[0].ID == m.ID {
		t.Errorf("of the review: %v, %v", list, err)
	}
	for what, other := range map[string]request.View{
		"another request": view(func(v *request.View) { v.ID = "other" }), "the id used again": view(func(v *request.View) { v.Created = v.Created.Add(time.Hour) }),
	} {
		if got := r.found(to, first, other); got != "[] <nil>" {
			t.Errorf("%s: %s", what, got)
		}
	}
	if got := r.found(to, second, v); got != "[] <nil>" {
		t.Errorf("of the next generation: %s", got)
	}
	r.Change(func() { s.members = map[string]bool{} })
	_, err := r.service.Find(t.Context(), to, first, v)
	r.fails("without membership", err, outbound.Refused, outbound.OneCall)
}

// Posts of Teleport's own plugin have no mark, and neither have ours that it has edited.
// A text that only quotes the id of a request is none.
func TestFindingWhatTeleportsOwnPluginPosted(t *testing.T) {
	r := newRig(t)
	v := view()
	s := r.channel("security")
	record, err := r.Adopt(s.id, v.ID, "", 2)
	if err != nil {
		t.Fatal(err)
	}
	r.say(s, r.w.bot.id, "**Request ID**: "+v.ID, nil)
	r.say(s, r.w.bot.id, "**User**: x\n**Roles**: y\n**Request ID**: other\n**Reason**: ```\n**Request ID**: "+v.ID+"```\n", nil)
	ours := r.announce("security", v)
	r.Change(func() { _, e := r.w.post(ours.ID); e.props = nil })
	list, err := r.service.Find(t.Context(), integration.Place{Address: s.id}, first, v)
	var names []string
	for _, m := range list {
		names = append(names, m.Channel+"/"+m.ID)
	}
	if want := record["messages"] + "," + ours.Channel + "/" + ours.ID; err != nil || strings.Join(names, ",") != want {
		t.Errorf("found is %q, %v, and not %q", names, err, want)
	}
}

// However much was said since, all of it is read, also what was said at the same moment.
func TestFindingInABusyChannel(t *testing.T) {
	for name, together := range map[string]int{"one after the other": 1, "many at the same moment": 150} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := r.channel("security")
			now := time.Now()
			const many = 9_000
			v := view(func(v *request.View) { v.Created = now.Add(-many * time.Second) })
			var m plugindata.Message
			r.Change(func() {
				for i := range many {
					e := &entry{user: r.w.bot.id, message: "chatter", root: ""}
					if i == 180 {
						e.props = map[string]any{"teleport_access_request": fmt.Sprintf("announce.0/%d/%s", v.Created.Unix(), v.ID)}
					}
					e = r.w.put(s, e, v.Created.Add(time.Duration(i/together*together)*time.Second))
					if i == 180 {
						m = plugindata.Message{Channel: s.id, ID: e.id}
					}
				}
			})
			for range 5 { // a look-up reads so much at a time
				list, err := r.service.Find(t.Context(), integration.Place{Address: s.id}, first, v)
				if outbound.KindOf(err) == outbound.Retry && err != nil {
					continue
				}
				if len(list) != 1 || list[0] != m || err != nil {
					t.Errorf("found is %v, %v, and not %v", list, err, m)
				}
				return
			}
			t.Error("the search does not end")
		})
	}
}

func TestProving(t *testing.T) {
	r := newRig(t)
	for name, want := range map[string]string{
		"main/security": "", cluster.Bob: "", "main/town-square": "invite it with /invite @teleport", "Main Team/Security": "where it is called security", "main/x": "no such channel",
	} {
		if err := r.service.Prove(t.Context(), name); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
