package slackapi

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// triggerLife is how long a trigger is good after the press.
const triggerLife = 3 * time.Second

// trigger is what lets the app open a dialog for a person.
type trigger struct {
	user string
	made time.Time
	used bool
}

// newTrigger makes a trigger.
func (ws *workspace) newTrigger(user string, now time.Time) string {
	id := fmt.Sprintf("%d.%d.%s", now.UnixMilli(), 100, ws.live.unique("t"))
	ws.live.triggers[id] = &trigger{user: user, made: now}
	return id
}

// Limits of dialogs, from Slack's reference of views.
const (
	maxViewBytes    = 250_000
	maxViewTitle    = 24
	maxViewBlocks   = 100
	maxViewMetadata = 3_000
	maxInputLabel   = 2_000
	maxInputText    = 3_000
	maxPlaceholder  = 150
)

// openView opens a dialog. The order in which Slack checks the trigger and the view
// is not documented; here the view comes first, and a view that is refused leaves
// the trigger as it was.
func (s *Server) openView(c call) (any, error) {
	v, err := readView(c.args["view"])
	if err != nil {
		return nil, err
	}
	t := s.state.live.triggers[c.args["trigger_id"]]
	switch {
	case c.args["trigger_id"] == "":
		return nil, &apiError{code: "invalid_arguments", messages: []string{"missing required field: trigger_id"}}
	case t == nil:
		return nil, failure("invalid_trigger_id")
	case t.used:
		return nil, failure("exchanged_trigger_id")
	case s.Now().Sub(t.made) > triggerLife:
		return nil, failure("expired_trigger_id")
	}
	t.used = true
	v.ID, v.User, v.Trigger = s.state.live.unique("V0SANDBOX"), t.user, c.args["trigger_id"]
	s.state.live.views = append(s.state.live.views, v)
	s.Changed()
	return done(object{"view": s.state.wireView(v, nil)}), nil
}

// readView reads and checks a dialog.
func readView(raw string) (*View, error) {
	if len(raw) > maxViewBytes {
		return nil, failure("view_too_large")
	}
	var fields map[string]any
	var v View
	if json.Unmarshal([]byte(raw), &fields) != nil || json.Unmarshal([]byte(raw), &v.fields) != nil || fields == nil {
		return nil, &apiError{code: "invalid_arguments", messages: []string{"must provide an object [json-pointer:/view]"}}
	}
	c := blockChecker{ids: make(map[string]bool)}
	c.view(fields)
	if len(c.problems) > 0 {
		return nil, &apiError{code: "invalid_arguments", messages: c.problems}
	}
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		return nil, &apiError{code: "invalid_arguments", messages: []string{err.Error()}}
	}
	v.Inputs = v.inputs()
	return &v, nil
}

// view checks a dialog. Home tabs are not for views.open.
func (c *blockChecker) view(v map[string]any) {
	if v["type"] != "modal" {
		c.problem("/view/type", "must be a valid enum value")
	}
	c.fields("/view", v, []string{"title", "blocks"}, "close", "submit", "private_metadata", "callback_id",
		"clear_on_close", "notify_on_close", "external_id", "submit_disabled")
	for _, name := range []string{"title", "close", "submit"} {
		c.text("/view/"+name, v[name], maxViewTitle, "plain_text")
	}
	c.identifier("/view", v, "callback_id")
	c.identifier("/view", v, "external_id")
	if s, ok := v["private_metadata"].(string); v["private_metadata"] != nil && !ok {
		c.problem("/view/private_metadata", "must be a string")
	} else if utf8.RuneCountInString(s) > maxViewMetadata {
		c.problem("/view/private_metadata", "must be less than %d characters", maxViewMetadata+1)
	}
	inputs := false
	for i, e := range c.items("/view/blocks", v["blocks"], 1, maxViewBlocks) {
		path := fmt.Sprintf("/view/blocks/%d", i)
		c.block(path, e)
		if b, ok := e.(map[string]any); ok && b["type"] == "input" {
			inputs = true
			c.input(path, b)
		}
	}
	if inputs && v["submit"] == nil {
		c.problem("/view", "missing required field: submit")
	}
}

// input checks a block in which a person writes.
func (c *blockChecker) input(path string, b map[string]any) {
	c.fields(path, b, []string{"label", "element"}, "block_id", "hint", "optional", "dispatch_action")
	c.text(path+"/label", b["label"], maxInputLabel, "plain_text")
	c.text(path+"/hint", b["hint"], maxInputLabel, "plain_text")
	c.flags(path, b, "optional", "dispatch_action")
	e, ok := b["element"].(map[string]any)
	if !ok {
		if b["element"] != nil {
			c.problem(path+"/element", "must be an object")
		}
		return
	}
	if e["type"] != "plain_text_input" {
		c.element(path+"/element", e)
		return
	}
	c.textInput(path+"/element", e)
}

func (c *blockChecker) textInput(path string, e map[string]any) {
	c.fields(path, e, nil, "action_id", "initial_value", "multiline", "min_length", "max_length", "placeholder", "dispatch_action_config", "focus_on_load")
	c.identifier(path, e, "action_id")
	c.text(path+"/placeholder", e["placeholder"], maxPlaceholder, "plain_text")
	c.flags(path, e, "multiline", "focus_on_load")
	for name, least := range map[string]float64{"min_length": 0, "max_length": 1} {
		n, ok := e[name].(float64)
		if e[name] != nil && (!ok || n < least || n > maxInputText) {
			c.problem(path+"/"+name, "must be between %v and %d", least, maxInputText)
		}
	}
	if s, ok := e["initial_value"].(string); e["initial_value"] != nil && !ok || utf8.RuneCountInString(s) > maxInputText {
		c.problem(path+"/initial_value", "must be a string of at most %d characters", maxInputText)
	}
}

// flags checks members that are true or false.
func (c *blockChecker) flags(path string, obj map[string]any, names ...string) {
	for _, name := range names {
		if _, ok := obj[name].(bool); obj[name] != nil && !ok {
			c.problem(path+"/"+name, "must be a boolean")
		}
	}
}
