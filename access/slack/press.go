package slack

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/pace"
)

// payload is what is used of what Slack sends when somebody presses a button or
// submits a dialog. It is decoded here, and leniently: slack-go refuses the whole of
// one that holds a block which it does not know.
type payload struct {
	Type      string `json:"type"`
	TriggerID string `json:"trigger_id"`
	Answer    string `json:"response_url"`
	User      struct {
		ID string `json:"id"`
	} `json:"user"`
	Container struct {
		Type    string `json:"type"`
		TS      string `json:"message_ts"`
		Channel string `json:"channel_id"`
	} `json:"container"`
	Actions []struct {
		ID    string `json:"action_id"`
		Block string `json:"block_id"`
		Value string `json:"value"`
		TS    string `json:"action_ts"`
	} `json:"actions"`
	Team struct {
		ID string `json:"id"`
	} `json:"team"`
	View struct {
		ID       string `json:"id"`
		Callback string `json:"callback_id"`
		Memory   string `json:"private_metadata"`
		State    struct {
			Values map[string]map[string]struct {
				Value string `json:"value"`
			} `json:"values"`
		} `json:"state"`
	} `json:"view"`
}

// maxPresses is how many presses are worked on at once, and for how many more there is
// an answer.
const maxPresses = 200

// listener works on presses, however they come in.
type listener struct {
	*service
	desk decision.Desk
	work *decision.Room
}

func (s *service) listener(desk decision.Desk) *listener {
	return &listener{service: s, desk: desk, work: decision.NewRoom(maxPresses, maxPresses)}
}

// Listen implements decision.Listener.
func (s *service) Listen(ctx context.Context, desk decision.Desk) error {
	l := s.listener(desk)
	defer l.work.Wait()
	if s.review.Listen != "" {
		return l.serve(ctx)
	}
	return l.follow(ctx)
}

// take works on a payload that was acknowledged. It returns at once, and the work goes
// on when ctx ends.
func (l *listener) take(ctx context.Context, raw []byte) {
	var p payload
	if err := json.Unmarshal(raw, &p); err != nil {
		l.log.Warn("What somebody pressed in Slack cannot be understood", zap.Error(err))
		return
	}
	ctx = context.WithoutCancel(ctx)
	work := func() {
		switch p.Type {
		case "block_actions":
			l.pressed(ctx, p)
		case "view_submission":
			l.submitted(ctx, p)
		}
	}
	crowded := func() {
		l.answer(ctx, pointer{decision.Dialog{Channel: p.Container.Channel, Person: p.User.ID}, p.Answer}, decision.Crowded)
	}
	if !l.work.Begin(work, crowded) {
		l.log.Warn("Too many people press buttons in Slack at once; a press is left", zap.String("person", p.User.ID))
	}
}

// pressed works on a press of a button.
func (l *listener) pressed(ctx context.Context, p payload) {
	if len(p.Actions) != 1 || p.Actions[0].Block != blockID || verdictOf[p.Actions[0].ID] == "" {
		return // a button with a link, or one that another version of the app has
	}
	a := p.Actions[0]
	at := pointer{decision.Dialog{
		Request: a.Value, Channel: p.Container.Channel, Message: p.Container.TS,
		Verdict: verdictOf[a.ID], Person: p.User.ID, Team: p.Team.ID,
	}, p.Answer}
	if l.review.AsksReason(at.Verdict) {
		l.ask(ctx, p.TriggerID, at)
		return
	}
	l.decide(ctx, at, strings.Join([]string{"action", p.User.ID, at.Message, a.TS}, "/"), "")
}

// ask opens the dialog. It goes before everything else: Slack gives three seconds, by
// its own clock.
func (l *listener) ask(ctx context.Context, trigger string, at pointer) {
	ctx, cancel := context.WithTimeoutCause(ctx, stepTime, errors.New("the dialog was not taken in time"))
	defer cancel()
	view, err := dialog(at)
	if err == nil {
		err = l.call(ctx, "views.open", "", func(ctx context.Context) error {
			_, err := l.api.OpenViewContext(ctx, trigger, view)
			return err
		})
	}
	if err != nil {
		l.log.Warn("The dialog for the reason of a decision could not be opened", zap.String("request_id", at.Request), zap.Error(err))
		l.answer(context.WithoutCancel(ctx), at, decision.NoDialog)
	}
}

// submitted works on the dialog that was sent off.
func (l *listener) submitted(ctx context.Context, p payload) {
	var at pointer
	if p.View.Callback != dialogID {
		return
	}
	if err := json.Unmarshal([]byte(p.View.Memory), &at); err != nil || at.Person != p.User.ID {
		l.log.Warn("A dialog came back that the plugin did not open for this person", zap.String("person", p.User.ID))
		return
	}
	reason := strings.TrimSpace(p.View.State.Values[reasonBlock][reasonID].Value)
	if reason == "" {
		l.answer(ctx, at, decision.NoReason)
		return
	}
	l.decide(ctx, at, "view/"+p.View.ID, reason)
}

// decide has the desk decide, and tells the person what came of it.
func (l *listener) decide(ctx context.Context, at pointer, id, reason string) {
	got := l.desk.Press(ctx, at.Press(id, reason, l.whois))
	l.answer(ctx, at, got.Text)
}

// The times of an answer. All of it fits into the time that the process has at its end.
const (
	// answerTime bounds each way of an answer, so that one which hangs leaves time for
	// the next.
	answerTime = 3 * time.Second
	// answersTime is how long it is tried to answer.
	answersTime = 9 * time.Second
)

// answerPauses are those between two tries to answer.
var answerPauses = pace.Pace{Min: 300 * time.Millisecond, Max: 2 * time.Second}

// answer tells the person alone, and tries again while that may help: by the address
// that came with the press, else by a message that only they see, else by a direct
// message. A way on which nothing came back is not tried again, or they would hear the
// same many times.
func (l *listener) answer(ctx context.Context, at pointer, text string) {
	text = message.Text(text, textLimit, escapeMarkup)
	ctx, cancel := context.WithTimeoutCause(ctx, answersTime, errors.New("the answer was not taken in time"))
	defer cancel()
	ways := []func(context.Context) error{
		func(ctx context.Context) error { return l.respond(ctx, at.Answer, text) },
		func(ctx context.Context) error {
			return l.call(ctx, "chat.postEphemeral", at.Channel, func(ctx context.Context) error {
				_, err := l.api.PostEphemeralContext(ctx, at.Channel, at.Person, slack.MsgOptionText(text, false))
				return err
			})
		},
		func(ctx context.Context) error {
			_, err := l.post(ctx, at.Person, "", content{text: text})
			return err
		},
	}
	for n := 1; ; n++ {
		var wait time.Duration
		var err error
		if ways, wait, err = try(ctx, ways); err == nil {
			return
		}
		wait = max(answerPauses.Backoff(n), wait)
		if end, _ := ctx.Deadline(); len(ways) == 0 || wait > time.Until(end) || !pace.Sleep(ctx, wait) {
			l.log.Warn("A person could not be told what came of their press", zap.String("person", at.Person), zap.String("request_id", at.Request), zap.Error(err))
			return
		}
	}
}

// try tries ways one after the other until one is taken. It returns those that may be
// taken later, how long the first of them is to be left alone, and the last failure.
func try(ctx context.Context, ways []func(context.Context) error) (later []func(context.Context) error, wait time.Duration, failure error) {
	for _, way := range ways {
		limited, cancel := context.WithTimeoutCause(ctx, answerTime, errors.New("the answer was not taken in time"))
		failure = way(limited)
		cancel()
		if failure == nil {
			return nil, 0, nil
		}
		if mayPass(failure) {
			if after := outbound.AfterOf(failure); len(later) == 0 || after < wait {
				wait = after
			}
			later = append(later, way)
		}
	}
	return later, wait, failure
}

// mayPass reports whether a call that failed was not carried out, as far as can be
// known, and may be taken later.
func mayPass(err error) bool {
	var e *outbound.Error
	switch {
	case outbound.KindOf(err) == outbound.Refused:
		return false
	case errors.As(err, &e) && e.Kind == outbound.Unclear:
		return e.Status >= http.StatusInternalServerError
	}
	return true
}

// whois asks Slack who somebody is, now.
func (s *service) whois(ctx context.Context, id string) (decision.Person, error) {
	var who *slack.User
	err := s.call(ctx, "users.info", "", func(ctx context.Context) (err error) {
		who, err = s.api.GetUserInfoContext(ctx, id)
		return whole(err != nil || who != nil && who.ID == id, err)
	})
	if err != nil {
		return decision.Person{}, err
	}
	me, err := s.ours(ctx)
	if err != nil {
		return decision.Person{}, err
	}
	p := decision.Person{Name: who.Name}
	sameOrg := me.org != "" && who.Enterprise.EnterpriseID == me.org
	switch {
	case who.Deleted:
		p.Outsider = "deactivated"
	case who.IsBot, who.IsAppUser:
		p.Outsider = "a bot"
	case who.IsRestricted, who.IsUltraRestricted:
		p.Outsider = "a guest"
	case who.IsStranger, who.TeamID != me.team && !sameOrg:
		p.Outsider = "of another workspace"
	}
	if who.IsEmailConfirmed {
		p.Email = who.Profile.Email
	}
	return p, nil
}
