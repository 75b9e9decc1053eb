package slackapi_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/slack/slackapi"
)

// reasonInput is a block in which a person writes a reason.
const reasonInput = `{"type":"input","block_id":"why","label":{"type":"plain_text","text":"Reason"},
	"element":{"type":"plain_text_input","action_id":"reason","multiline":true,"max_length":20}}`

// modal is a dialog for a reason, with more members or others.
func modal(more string) string {
	return `{"type":"modal","callback_id":"review","private_metadata":"r1","title":{"type":"plain_text","text":"Deny"},
		"submit":{"type":"plain_text","text":"Deny"},"blocks":[` + reasonInput + `]` + more + `}`
}

// view calls views.open.
func (r room) view(trigger, view string) map[string]any {
	r.t.Helper()
	return r.call("views.open", url.Values{"trigger_id": {trigger}, "view": {view}})
}

// pressed has alice press, and returns what the app got.
func (r room) pressed() slackapi.Outcome {
	r.t.Helper()
	out, err := r.Press(r.t.Context(), approve(r.offer(requests)))
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func TestATriggerOpensOneDialogForItsPerson(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		out := r.pressed()
		open := func(trigger, view, want string) map[string]any {
			t.Helper()
			a := r.view(trigger, view)
			if got := fmt.Sprint(a["error"]); got != orNil(want) {
				t.Errorf("error %s, want %q", got, want)
			}
			return a
		}
		open("", modal(""), "invalid_arguments")
		open("1.2.made-up", modal(""), "invalid_trigger_id")
		open(out.Trigger, `{}`, "invalid_arguments")
		open(out.Trigger, strings.Repeat("x", 250_001), "view_too_large")
		a := open(out.Trigger, modal(""), "")
		open(out.Trigger, modal(""), "exchanged_trigger_id")
		view, _ := a["view"].(map[string]any)
		shown, ok := r.Modal(alice)
		if !ok || view["id"] != shown.ID || shown.PrivateMetadata != "r1" || shown.CallbackID != "review" || shown.User != alice {
			t.Errorf("answered %v, alice sees %+v", view, shown)
		}
		if _, ok := r.Modal(bob); ok {
			t.Error("bob sees it")
		}
		if at, ok := r.Opened(out.Trigger); !ok || at.ID != shown.ID {
			t.Errorf("the press led to %+v", at)
		}
		r.Dismiss(shown.ID)
		if _, ok := r.Modal(alice); ok {
			t.Error("it is still there")
		}
		late := r.pressed()
		time.Sleep(3*time.Second + time.Millisecond)
		open(late.Trigger, modal(""), "expired_trigger_id")
	})
}

func TestDialogsThatAreRefused(t *testing.T) {
	plainOf := func(n int) string { return plain(n) }
	block := func(b string) string {
		return `{"type":"modal","title":` + plain(3) + `,"submit":` + plain(3) + `,"blocks":[` + b + `]}`
	}
	input := func(element string) string {
		return block(`{"type":"input","label":` + plain(3) + `,"element":{"type":"plain_text_input"` + element + `}}`)
	}
	for name, tc := range map[string]struct{ view, want string }{
		"a dialog":              {modal(""), ""},
		"an input":              {input(`,"action_id":"a","min_length":0,"max_length":3000,"placeholder":` + plain(150)), ""},
		"nothing to fill in":    {`{"type":"modal","title":` + plain(24) + `,"close":` + plain(24) + `,"blocks":[{"type":"divider"}]}`, ""},
		"a hundred blocks":      {block(strings.TrimSuffix(strings.Repeat(`{"type":"divider"},`, 100), ",")), ""},
		"the longest metadata":  {strings.Replace(modal(""), `"r1"`, str(3000), 1), ""},
		"the longest callback":  {strings.Replace(modal(""), `"review"`, str(255), 1), ""},
		"the shortest limit":    {input(`,"max_length":1,"min_length":3000,"initial_value":` + str(3000)), ""},
		"a limit of no number":  {input(`,"max_length":"1"`), "/max_length"},
		"a value of no text":    {input(`,"initial_value":1`), "/initial_value"},
		"multiline of no truth": {input(`,"multiline":1`), "/multiline"},
		"a long hint":           {block(`{"type":"input","label":` + plain(3) + `,"hint":` + plain(2001) + `,"element":{"type":"plain_text_input"}}`), "/hint"},
		"no JSON":               {"nonsense", "must provide an object"},
		"a list":                {"[]", "must provide an object"},
		"null":                  {"null", "must provide an object"},
		"a home tab":            {`{"type":"home","title":` + plain(3) + `,"blocks":[{"type":"divider"}]}`, "/view/type"},
		"no title":              {`{"type":"modal","blocks":[{"type":"divider"}]}`, "missing required field: title"},
		"no blocks":             {`{"type":"modal","title":` + plain(3) + `}`, "missing required field: blocks"},
		"101 blocks":            {block(strings.TrimSuffix(strings.Repeat(`{"type":"divider"},`, 101), ",")), "no more than 100 items"},
		"a long title":          {`{"type":"modal","title":` + plainOf(25) + `,"blocks":[{"type":"divider"}]}`, "/view/title"},
		"a title in mrkdwn":     {`{"type":"modal","title":` + mrkdwn(3) + `,"blocks":[{"type":"divider"}]}`, "/view/title"},
		"a long submit":         {`{"type":"modal","title":` + plain(3) + `,"submit":` + plain(25) + `,"blocks":[{"type":"divider"}]}`, "/view/submit"},
		"a long close":          {modal(`,"close":` + plain(25)), "/view/close"},
		"a long metadata":       {strings.Replace(modal(""), `"r1"`, str(3001), 1), "/view/private_metadata"},
		"metadata of no text":   {strings.Replace(modal(""), `"r1"`, `1`, 1), "/view/private_metadata"},
		"a long callback":       {strings.Replace(modal(""), `"review"`, str(256), 1), "/view/callback_id"},
		"an unknown member":     {modal(`,"colour":"red"`), "invalid additional property: colour"},
		"an input, no submit":   {`{"type":"modal","title":` + plain(3) + `,"blocks":[` + reasonInput + `]}`, "missing required field: submit"},
		"no label":              {block(`{"type":"input","element":{"type":"plain_text_input"}}`), "missing required field: label"},
		"a long label":          {block(`{"type":"input","label":` + plain(2001) + `,"element":{"type":"plain_text_input"}}`), "/label"},
		"no element":            {block(`{"type":"input","label":` + plain(3) + `}`), "missing required field: element"},
		"an element of text":    {block(`{"type":"input","label":` + plain(3) + `,"element":"x"}`), "/element"},
		"an unknown element":    {block(`{"type":"input","label":` + plain(3) + `,"element":{"type":"x"}}`), "unsupported type"},
		"optional of no truth":  {block(`{"type":"input","label":` + plain(3) + `,"optional":"x","element":{"type":"plain_text_input"}}`), "/optional"},
		"two of a block_id":     {block(reasonInput + "," + reasonInput), "already exists"},
		"a long placeholder":    {input(`,"placeholder":` + plain(151)), "/placeholder"},
		"a long limit":          {input(`,"max_length":3001`), "/max_length"},
		"a limit of nothing":    {input(`,"max_length":0`), "/max_length"},
		"a negative limit":      {input(`,"min_length":-1`), "/min_length"},
		"a long value":          {input(`,"initial_value":` + str(3001)), "/initial_value"},
		"a long action_id":      {input(`,"action_id":` + str(256)), "/action_id"},
	} {
		inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
			out := r.pressed()
			a := r.view(out.Trigger, tc.view)
			if tc.want == "" {
				if a["ok"] != true {
					t.Errorf("%s: %v", name, a)
				}
				return
			}
			if a["error"] != "invalid_arguments" || !strings.Contains(fmt.Sprint(a["response_metadata"]), tc.want) {
				t.Errorf("%s: got %v, want %q", name, a, tc.want)
			}
			if b := r.view(out.Trigger, modal("")); b["ok"] != true {
				t.Errorf("%s: the trigger is used up: %v", name, b)
			}
		})
	}
}

// submit has a dialog opened and sent off, and answered by the app.
func (r room) submit(p *phone, reason, answer string) (payload string, err error) {
	r.t.Helper()
	out := r.trigger(p)
	if a := r.view(out.Trigger, modal("")); a["ok"] != true {
		r.t.Fatalf("the dialog: %v", a)
	}
	done := make(chan error, 1)
	var sent slackapi.Outcome
	go func() {
		var err error
		sent, err = r.Submit(r.t.Context(), slackapi.Submission{User: alice, Values: map[string]string{"why": reason}})
		done <- err
	}()
	if answer == "late" {
		p.next()
	} else {
		p.ack(p.next(), answer)
	}
	err = <-done
	return string(sent.Payload), err
}

// trigger has alice press, and the app acknowledge that.
func (r room) trigger(p *phone) slackapi.Outcome {
	r.t.Helper()
	done := r.pressing(approve(r.offer(requests)))
	p.ack(p.next(), "")
	return <-done
}

func TestWhatTheAppAnswersToADialog(t *testing.T) {
	for answer, tc := range map[string]struct {
		open  bool
		saw   []string
		wrong bool
	}{
		``:                            {false, nil, false},
		`{}`:                          {false, nil, false},
		`{"response_action":"clear"}`: {false, nil, false},
		`{"response_action":"errors","errors":{"why":"too short"}}`:   {true, []string{"too short"}, false},
		`{"response_action":"errors","errors":{"reason":"no block"}}`: {true, []string{slackapi.SubmitFailed}, true},
		`{"response_action":"dance"}`:                                 {true, []string{slackapi.SubmitFailed}, false},
		`{"response_action":"update","view":` + modal("") + `}`:       {true, nil, false},
		`{"response_action":"push","view":` + modal("") + `}`:         {true, nil, false},
		`{"response_action":"update","view":{}}`:                      {true, []string{slackapi.SubmitFailed}, true},
		`late`:                                                        {true, []string{slackapi.SubmitFailed}, false},
	} {
		inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
			p, _ := r.connect()
			_, err := r.submit(p, "because", answer)
			if (err != nil) != tc.wrong {
				t.Errorf("%s: error %v", answer, err)
			}
			_, open := r.Modal(alice)
			if saw := r.Saw(alice); open != tc.open || !slices.Equal(saw, tc.saw) {
				t.Errorf("%s: open %v, alice saw %q", answer, open, saw)
			}
		})
	}
}

func TestADialogIsSentWithWhatWasWritten(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		p, _ := r.connect()
		sent, err := r.submit(p, "because", "")
		if err != nil {
			t.Fatal(err)
		}
		got := decode[submission](t, sent)
		if got.Type != "view_submission" || got.User.ID != alice || got.View.Metadata != "r1" || got.View.Callback != "review" ||
			got.View.ID == "" || got.View.State.Values["why"]["reason"].Value != "because" || got.Message != nil || got.Reply != "" || len(got.URLs) != 0 {
			t.Errorf("sent %+v", got)
		}
	})
}

type submission struct {
	Type string
	User struct{ ID string }
	View struct {
		ID, Hash string
		Metadata string `json:"private_metadata"`
		Callback string `json:"callback_id"`
		State    struct {
			Values map[string]map[string]struct{ Value string }
		}
	}
	Message any      `json:"message"`
	Reply   string   `json:"response_url"`
	URLs    []string `json:"response_urls"`
}

func TestWhatSlacksClientDoesNotSend(t *testing.T) {
	inRoom(t, slackapi.Options{}, func(t *testing.T, r room) {
		if _, err := r.Submit(t.Context(), slackapi.Submission{User: alice}); err == nil {
			t.Error("no dialog was sent off")
		}
		r.view(r.pressed().Trigger, modal(""))
		v, _ := r.Modal(alice)
		for name, sub := range map[string]slackapi.Submission{
			"nothing written":  {User: alice},
			"blanks":           {User: alice, Values: map[string]string{"reason": "  "}},
			"too much":         {User: alice, Values: map[string]string{"why": strings.Repeat("x", 21)}},
			"another's dialog": {User: bob, View: v.ID, Values: map[string]string{"why": "x"}},
			"nobody's dialog":  {User: "U0NOBODY", View: v.ID},
		} {
			if _, err := r.Submit(t.Context(), sub); err == nil {
				t.Errorf("%s: it was sent", name)
			}
		}
		out, err := r.Submit(t.Context(), slackapi.Submission{User: bob, View: v.ID, Anyway: true})
		if err != nil || !strings.Contains(string(out.Payload), bob) || !strings.Contains(string(out.Payload), `"value":null`) {
			t.Errorf("all the same: %s, %v", out.Payload, err)
		}
	})
}
