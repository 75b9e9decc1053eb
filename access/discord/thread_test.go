package discord

import (
	"errors"
	"sync"
	"testing"
	"time"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/fault"
)

func TestReviewsAreToldInTheThread(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, sample())
	v := reviewed(sample(), approval("bob", "looks good"), request.Review{Author: "carol", State: request.Denied, Created: created})
	for i := range v.Reviews {
		b.wantFound(t, m, review(i), v)
		for range 2 { // the second is a repeat after an unclear outcome
			if err := b.reply(t, m, v, i); err != nil {
				t.Fatal(err)
			}
		}
		told := b.discord.Messages(m.ID)
		if len(told) != i+1 {
			t.Fatalf("told %d times, want %d", len(told), i+1)
		}
		b.wantFound(t, m, review(i), v, told[i].ID)
	}
	thread, ok := b.discord.Channel(m.ID)
	if !ok || thread.ParentID != requests || thread.Name != "Access request from alice@example.com" {
		t.Errorf("thread %+v", thread)
	}
	told := b.discord.Messages(m.ID)
	contains(t, told[0].Rendered.Text, "bob", "✅ APPROVED", "looks good")
	contains(t, told[1].Rendered.Text, "carol", "❌ DENIED")
}

func TestReviewsCanBeToldBelowAMessageThatHasNoThreadYet(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, sample())
	v := reviewed(sample(), approval("bob", "one"), approval("carol", "two"))
	if err := b.reply(t, m, v, 1); err != nil {
		t.Fatal(err)
	}
	contains(t, b.discord.Messages(m.ID)[0].Content, "carol")
}

// Of a request that is gone only the number of reviews is known.
func TestAReviewOfWhichNothingIsKnownIsNotToldNorFound(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, sample())
	v := sample()
	v.Reviews = make([]request.Review, 1)
	for _, i := range []int{-1, 0, 1} {
		if err := b.reply(t, m, v, i); err != nil {
			t.Errorf("review %d: %v", i, err)
		}
		b.wantFound(t, m, review(i), v)
	}
	if n := b.discord.Calls(startThread); n != 0 {
		t.Errorf("%d threads", n)
	}
}

func TestInADirectMessageTheAnnouncementShowsTheReviews(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	v := reviewed(sample(), approval("bob", "one"), approval("carol", "two"))
	dm, err := b.Resolve(t.Context(), "user:"+discordapi.AliceID)
	if err != nil {
		t.Fatal(err)
	}
	m, err := b.post(t, dm, v)
	if err != nil {
		t.Fatal(err)
	}
	for i := range v.Reviews {
		if err := b.reply(t, m, v, i); err != nil {
			t.Error(err)
		}
		b.wantFound(t, m, review(i), v)
	}
	contains(t, b.shown(t, m).Rendered.Text, "bob", "carol")
	if n := b.discord.Calls(startThread); n != 1 {
		t.Errorf("asked for a thread %d times", n)
	}
}

// What is missing is said once, with the right advice, however many reviews come at
// once; it is tried again after a while.
func TestWithoutThreadRightsTheAdviceIsRightAndGivenOnce(t *testing.T) {
	for name, lacks := range map[string]discordapi.Permission{
		"open": discordapi.CreatePublicThreads, "write": discordapi.SendMessagesInThreads,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, discordapi.Options{})
			channel := b.channel("no-threads", lacks)
			v := reviewed(sample(), approval("bob", "one"), approval("carol", "two"))
			m, err := b.post(t, channel, v)
			if err != nil {
				t.Fatal(err)
			}
			errs := make([]error, 2)
			var both sync.WaitGroup
			for i := range errs {
				both.Go(func() { errs[i] = b.reply(t, m, v, i) })
			}
			both.Wait()
			var e *outbound.Error
			if err := errors.Join(errs...); !errors.As(err, &e) || e.Kind != outbound.Refused || e.Scope != outbound.TheMethod {
				t.Errorf("got %v", err)
			} else if contains(t, e.Hint, "Create Public Threads", "Send Messages in Threads"); errs[0] != nil && errs[1] != nil {
				t.Errorf("said twice: %v", err)
			}
			calls := len(b.discord.Requests())
			if err := b.reply(t, m, v, 0); err != nil || len(b.discord.Requests()) != calls {
				t.Errorf("asked again at once: %v", err)
			}
			b.lacking = lapsed(b.lacking)
			if err := b.reply(t, m, v, 0); err != nil || len(b.discord.Requests()) == calls {
				t.Errorf("not asked again after a while, or said twice: %v", err)
			}
			b.discord.AddChannel(discordapi.Channel{ID: channel, Name: "no-threads", GuildID: discordapi.GuildID})
			b.lacking = lapsed(b.lacking)
			if err := b.reply(t, m, v, 0); err != nil || len(b.discord.Messages(m.ID)) != 1 {
				t.Errorf("the right that was granted is not used: %v", err)
			}
			b.discord.AddChannel(discordapi.Channel{ID: channel, Name: "no-threads", GuildID: discordapi.GuildID, Deny: lacks | discordapi.SendMessagesInThreads})
			if err := b.reply(t, m, v, 1); outbound.KindOf(err) != outbound.Refused {
				t.Errorf("that it was taken away again is not said: %v", err)
			}
		})
	}
}

// In a channel that is closed to us as a whole Discord refuses threads in the same
// words as where they alone are missing. Reviews stay due there.
func TestReviewsAreDueUntilAChannelIsOpenAgain(t *testing.T) {
	const all = discordapi.BotPermissions
	refuse := func(f fault.Fault) func(bench) {
		return func(b bench) { b.discord.Faults().Add(f) }
	}
	deny := func(p discordapi.Permission) func(bench) {
		return func(b bench) {
			b.discord.AddChannel(discordapi.Channel{ID: requests, Name: "access-requests", GuildID: discordapi.GuildID, Deny: p})
		}
	}
	also := func(f fault.Fault) func(bench) { // while the permissions are looked up
		return func(b bench) {
			refuse(fault.Fault{Method: startThread, Effect: fault.Refuse, Code: "50013"})(b)
			refuse(f)(b)
		}
	}
	for name, c := range map[string]struct {
		happens func(bench)
		kind    outbound.Kind
		scope   outbound.Scope
	}{
		"closed, 50013":       {refuse(fault.Fault{Target: requests, Effect: fault.Refuse, Code: "50013"}), outbound.Refused, outbound.ThePlace},
		"closed, 50001":       {refuse(fault.Fault{Target: requests, Effect: fault.Refuse, Code: "50001"}), outbound.Refused, outbound.ThePlace},
		"closed, 10003":       {refuse(fault.Fault{Target: requests, Effect: fault.Refuse, Code: "10003"}), outbound.Refused, outbound.ThePlace},
		"hidden":              {deny(discordapi.ViewChannel), outbound.Refused, outbound.ThePlace},
		"nothing is allowed":  {deny(all), outbound.Refused, outbound.ThePlace},
		"only to be read":     {deny(discordapi.SendMessages | discordapi.CreatePublicThreads), outbound.Refused, outbound.ThePlace},
		"no member any more":  {also(fault.Fault{Method: discordapi.GetMember, Effect: fault.Refuse, Code: "10007"}), outbound.Refused, outbound.ThePlace},
		"open again by now":   {refuse(fault.Fault{Method: startThread, Effect: fault.Refuse, Code: "50013"}), outbound.Refused, outbound.OneCall},
		"cannot be looked up": {also(fault.Fault{Method: discordapi.GetGuild, Effect: fault.Status, HTTPStatus: 503}), outbound.Retry, outbound.OneCall},
		"must wait":           {also(fault.Fault{Method: getChannel, Effect: fault.RateLimit, RetryAfterMS: 60_000}), outbound.Wait, outbound.OneCall},
		"token refused":       {also(fault.Fault{Method: getChannel, Effect: fault.Refuse, Code: "0"}), outbound.Refused, outbound.TheToken},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, discordapi.Options{})
			v := reviewed(sample(), approval("bob", "one"))
			m := b.mustPost(t, sample())
			c.happens(b)
			err := b.reply(t, m, v, 0)
			wantKind(t, err, c.kind)
			var e *outbound.Error
			if !errors.As(err, &e) || e.Scope != c.scope || b.lacks(threads, requests) {
				t.Fatalf("got %+v; threads are given up: %t", err, b.lacks(threads, requests))
			}
			if c.scope == outbound.ThePlace {
				if e.Hint == "" || e.Hint == threadsHint {
					t.Errorf("advice %q", e.Hint)
				}
			}
			b.discord.Faults().Clear()
			deny(0)(b)
			if err := b.reply(t, m, v, 0); err != nil || len(b.discord.Messages(m.ID)) != 1 {
				t.Errorf("not told once the channel is open: %v", err)
			}
		})
	}
}

// lapsed is what was believed a while ago.
func lapsed(lacking map[string]time.Time) map[string]time.Time {
	for key := range lacking {
		lacking[key] = time.Now().Add(-time.Second)
	}
	return lacking
}

func TestAThreadThatPeopleLockedIsLeftAlone(t *testing.T) {
	b := newBench(t, discordapi.Options{})
	m := b.mustPost(t, sample())
	v := reviewed(sample(), approval("bob", "one"), approval("carol", "two"))
	if err := b.reply(t, m, v, 0); err != nil {
		t.Fatal(err)
	}
	thread, _ := b.discord.Channel(m.ID)
	thread.Archived, thread.Locked = true, true
	b.discord.AddChannel(thread)
	if err := b.reply(t, m, v, 1); err != nil || b.lacks(threads, requests) {
		t.Errorf("other threads of the channel are given up: %v", err)
	}
}

// A gateway that answers the opening of the thread does not open it.
func TestAThreadThatWasNotOpenedIsTriedAgain(t *testing.T) {
	for _, f := range []fault.Fault{
		{Method: startThread, Effect: fault.Garbage},
		{Method: startThread, Effect: fault.Status, HTTPStatus: 403},
		{Method: startThread, Effect: fault.DoneNotAnswered},
		{Method: startThread, Effect: fault.Refuse, Code: "160004"}, // without a thread
	} {
		b := newBench(t, discordapi.Options{})
		m := b.mustPost(t, sample())
		b.discord.Faults().Add(f)
		wantKind(t, b.reply(t, m, reviewed(sample(), approval("bob", "one")), 0), outbound.Retry)
		if b.lacks(threads, requests) {
			t.Errorf("%+v: the channel is believed to have no threads", f)
		}
	}
}
