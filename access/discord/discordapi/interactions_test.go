package discordapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/sandbox/apiserver"
)

// clock is a clock that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) pass(d time.Duration) { c.ahead.Add(int64(d)) }

// pressing is a server with a press that bob made.
type pressing struct {
	service
	*clock
	id, token string
}

func newPressing(t *testing.T) *pressing {
	t.Helper()
	c := new(clock)
	s := start(t, discordapi.Options{Options: apiserver.Options{Now: c.now}})
	id := s.pressed(t, discordapi.BobID, requests, s.offer(t, requests))
	i, _ := s.Interaction(id)
	return &pressing{s, c, id, i.Token}
}

func (p *pressing) answer(body string) error {
	_, err := p.raw(http.MethodPost, "interactions/"+p.id+"/"+p.token+"/callback", body)
	return err
}

func (p *pressing) edit(content string) error {
	_, err := p.raw(http.MethodPatch, "webhooks/"+discordapi.DefaultApplicationID+"/"+p.token+"/messages/@original", fmt.Sprintf(`{"content":%q}`, content))
	return err
}

func (p *pressing) follow(content string) error {
	_, err := p.raw(http.MethodPost, "webhooks/"+discordapi.DefaultApplicationID+"/"+p.token, fmt.Sprintf(`{"content":%q,"flags":64}`, content))
	return err
}

const (
	deferred = `{"type":5,"data":{"flags":64}}`
	dialog   = `{"type":9,"data":{"custom_id":"c","title":"t","components":[{"type":18,"label":"l","component":{"type":4,"custom_id":"reason","style":2,"min_length":2,"max_length":10}}]}}`
)

func TestAPressIsAnsweredOnceAndInTime(t *testing.T) {
	p := newPressing(t)
	if p.pass(discordapi.AcknowledgeWithin - time.Second); p.answer(deferred) != nil {
		t.Error("refused in time")
	}
	wantCode(t, p.answer(deferred), 40060)
	if saw := p.Saw(discordapi.BobID); saw != nil {
		t.Errorf("saw %q before the answer", saw)
	}
	if err := p.edit("done"); err != nil {
		t.Error(err)
	}
	if err := p.follow("more"); err != nil {
		t.Error(err)
	}
	if saw := p.Saw(discordapi.BobID); !slices.Equal(saw, []string{"done", "more"}) {
		t.Errorf("saw %q", saw)
	}
	p.pass(discordapi.AnswerWithin)
	wantCode(t, p.edit("late"), 10015)
	wantCode(t, p.follow("late"), 10015)
}

func TestAPressThatNobodyAnswersFails(t *testing.T) {
	p := newPressing(t)
	p.pass(discordapi.AcknowledgeWithin + time.Millisecond)
	wantCode(t, p.answer(deferred), 10062)
	wantCode(t, p.edit("x"), 10015)
	if saw := p.SawOf(p.id); !slices.Equal(saw, []string{discordapi.Failed}) {
		t.Errorf("saw %q", saw)
	}
	if saw := p.Saw(discordapi.AliceID); saw != nil {
		t.Errorf("alice saw %q", saw)
	}
}

func TestAnswersAreHeldAgainstTheirForm(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		code int
	}{
		"deferred":            {deferred, 0},
		"deferred, no data":   {`{"type":5}`, 0},
		"update later":        {`{"type":6}`, 0},
		"message":             {`{"type":4,"data":{"content":"x","flags":64}}`, 0},
		"dialog":              {dialog, 0},
		"dialog of rows":      {`{"type":9,"data":{"custom_id":"c","title":"t","components":[{"type":1,"components":[{"type":4,"custom_id":"r","style":1,"label":"l"}]}]}}`, 0},
		"no type":             {`{"data":{}}`, 50035},
		"a ping":              {`{"type":1}`, 50035},
		"completion":          {`{"type":8}`, 50035},
		"empty message":       {`{"type":4,"data":{"content":" "}}`, 50006},
		"long message":        {`{"type":4,"data":{"content":"` + strings.Repeat("x", 2001) + `"}}`, 50035},
		"dialog, no id":       {strings.Replace(dialog, `"custom_id":"c",`, "", 1), 50035},
		"dialog, long id":     {strings.Replace(dialog, `"c"`, `"`+strings.Repeat("x", 101)+`"`, 1), 50035},
		"dialog, no title":    {strings.Replace(dialog, `"title":"t",`, "", 1), 50035},
		"dialog, long title":  {strings.Replace(dialog, `"t"`, `"`+strings.Repeat("x", 46)+`"`, 1), 50035},
		"dialog, no parts":    {`{"type":9,"data":{"custom_id":"c","title":"t","components":[]}}`, 50035},
		"dialog, long label":  {strings.Replace(dialog, `"l"`, `"`+strings.Repeat("x", 46)+`"`, 1), 50035},
		"dialog, two labels":  {strings.Replace(dialog, `"style":2`, `"style":2,"label":"x"`, 1), 50035},
		"dialog, bad style":   {strings.Replace(dialog, `"style":2`, `"style":3`, 1), 50035},
		"dialog, long reason": {strings.Replace(dialog, `"max_length":10`, `"max_length":4001`, 1), 50035},
		"dialog of a button":  {`{"type":9,"data":{"custom_id":"c","title":"t","components":[{"type":2}]}}`, 50035},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPressing(t)
			wantCode(t, p.answer(c.body), c.code)
			if i, _ := p.Interaction(p.id); (i.Answer != 0) != (c.code == 0) {
				t.Errorf("got %+v", i)
			}
		})
	}
}

func TestAnAnswerNeedsItsTokenAndNoOther(t *testing.T) {
	p := newPressing(t)
	p.client.Token = ""
	good := p.token
	p.token = "another"
	wantCode(t, p.answer(deferred), 10062)
	if p.token = good; p.answer(deferred) != nil {
		t.Error("refused without the bot's token")
	}
	p.token = "another"
	wantCode(t, p.edit("x"), 10015)
	_, err := p.raw(http.MethodPatch, "webhooks/1/"+good+"/messages/@original", `{"content":"x"}`)
	wantCode(t, err, 10015)
	p.token = good
	wantCode(t, p.edit(strings.Repeat("x", 2001)), 50035)
	wantCode(t, p.edit(""), 50006)
	if err := p.edit("x"); err != nil {
		t.Error(err)
	}
}

func TestADialogIsFilledInWithinItsBounds(t *testing.T) {
	p := newPressing(t)
	if _, err := p.Submit(discordapi.BobID, p.id, "text"); err == nil {
		t.Error("there is no dialog yet")
	}
	if err := p.answer(dialog); err != nil {
		t.Fatal(err)
	}
	wantCode(t, p.edit("x"), 10008)
	for text, fine := range map[string]bool{"": false, "x": false, "xx": true, strings.Repeat("x", 10): true, strings.Repeat("x", 11): false} {
		id, err := p.Submit(discordapi.BobID, p.id, text)
		if (err == nil) != fine {
			t.Errorf("%q: %v", text, err)
		}
		if !fine {
			continue
		}
		i, _ := p.Interaction(id)
		sent := &pressing{p.service, p.clock, id, i.Token}
		wantCode(t, sent.answer(dialog), 50035) // a dialog opens no other
		if err := sent.answer(deferred); err != nil {
			t.Error(err)
		}
	}
}

func TestOnlyWhatPeopleSeeIsPressed(t *testing.T) {
	s := start(t, discordapi.Options{})
	m, dm := s.offer(t, requests), s.OpenDM(discordapi.AliceID)
	direct := s.offer(t, dm)
	gone := s.offer(t, requests)
	if err := s.DeleteMessage(requests, gone); err != nil {
		t.Fatal(err)
	}
	thread := func(archived, locked bool) (channel, message string) {
		ch := s.AddChannel(discordapi.Channel{Name: "x", Type: discordapi.PublicThread, GuildID: discordapi.GuildID, ParentID: requests})
		message = s.offer(t, ch.ID)
		ch.Archived, ch.Locked = archived, locked
		s.AddChannel(ch)
		return ch.ID, message
	}
	archived, inArchived := thread(true, false)
	locked, inLocked := thread(false, true)
	open, inOpen := thread(false, false)
	for name, c := range map[string]struct {
		user, channel, message, button string
		fine                           bool
	}{
		"a button":                     {discordapi.BobID, requests, m, "approve:1", true},
		"no such button":               {discordapi.BobID, requests, m, "approve:2", false},
		"a grey button":                {discordapi.BobID, requests, m, "off", false},
		"no such person":               {"1", requests, m, "approve:1", false},
		"no such channel":              {discordapi.BobID, "nowhere", m, "approve:1", false},
		"no such message":              {discordapi.BobID, requests, "1", "approve:1", false},
		"a message that is gone":       {discordapi.BobID, requests, gone, "approve:1", false},
		"a direct message":             {discordapi.AliceID, dm, direct, "approve:1", true},
		"another's direct message":     {discordapi.BobID, dm, direct, "approve:1", false},
		"in a thread":                  {discordapi.BobID, open, inOpen, "approve:1", true},
		"in a thread that is archived": {discordapi.BobID, archived, inArchived, "approve:1", false},
		"in a thread that is locked":   {discordapi.BobID, locked, inLocked, "approve:1", false},
	} {
		if _, err := s.Press(c.user, c.channel, c.message, c.button); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
	id, err := s.Press(discordapi.BobID, open, inOpen, "approve:1")
	if err != nil {
		t.Fatal(err)
	}
	ch, _ := s.Channel(open)
	ch.Locked = true
	s.AddChannel(ch)
	i, _ := s.Interaction(id)
	wantCode(t, (&pressing{s, new(clock), id, i.Token}).answer(deferred), 50083)
}
