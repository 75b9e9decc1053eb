package slackapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// Limits of Block Kit, from Slack's reference of each block, element and
// object. Slack does not say in which unit it counts; here it is code points.
const (
	maxBlocks         = 50
	maxTextObject     = 3_000
	maxField          = 2_000
	maxFields         = 10
	maxHeader         = 150
	maxButtonText     = 75
	maxButtonValue    = 2_000
	maxURL            = 3_000
	maxIdentifier     = 255
	maxActionElements = 25
	maxContext        = 10
	maxAltText        = 2_000
	// maxAllText is the sum over all blocks of a message. It is not documented;
	// users of the API found it near 13,200.
	maxAllText = 13_200
)

// checkBlocks checks the argument blocks and returns it; no blocks are nil.
func checkBlocks(raw string) (json.RawMessage, error) {
	if raw == "" {
		return nil, nil
	}
	var list []any
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		return nil, failure("invalid_blocks_format")
	}
	if len(list) == 0 {
		return nil, nil
	}
	c := blockChecker{ids: make(map[string]bool)}
	c.blocks(list)
	if len(c.problems) > 0 {
		return nil, &apiError{code: "invalid_blocks", messages: c.problems}
	}
	if c.total > maxAllText {
		return nil, failure("msg_blocks_too_long")
	}
	return json.RawMessage(raw), nil
}

// hasRichText says whether one of the blocks is rich_text.
func hasRichText(blocks json.RawMessage) bool {
	var list []struct {
		Type string `json:"type"`
	}
	if len(blocks) == 0 || json.Unmarshal(blocks, &list) != nil {
		return false
	}
	for _, b := range list {
		if b.Type == "rich_text" {
			return true
		}
	}
	return false
}

// blockChecker collects what is wrong with a message's blocks, each with the
// place as a JSON pointer, as Slack tells it.
type blockChecker struct {
	problems []string
	total    int
	ids      map[string]bool
}

func (c *blockChecker) problem(path, format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...)+" [json-pointer:"+path+"]")
}

func (c *blockChecker) blocks(list []any) {
	if len(list) > maxBlocks {
		c.problem("/blocks", "no more than %d items allowed", maxBlocks)
	}
	for i, b := range list {
		c.block(fmt.Sprintf("/blocks/%d", i), b)
	}
}

func (c *blockChecker) block(path string, v any) {
	b, ok := v.(map[string]any)
	if !ok {
		c.problem(path, "must be an object")
		return
	}
	c.blockID(path, b)
	switch kind, _ := b["type"].(string); kind {
	case "section":
		c.section(path, b)
	case "header":
		c.fields(path, b, []string{"text"}, "block_id")
		c.text(path+"/text", b["text"], maxHeader, "plain_text")
	case "context":
		c.context(path, b)
	case "actions":
		c.actions(path, b)
	case "divider":
		c.fields(path, b, nil, "block_id")
	case "image":
		c.image(path, b, "title", "block_id")
	case "markdown":
		c.fields(path, b, []string{"text"}, "block_id")
		c.length(path+"/text", b["text"], maxMarkdownText)
	case "rich_text":
		c.fields(path, b, []string{"elements"}, "block_id")
		c.items(path+"/elements", b["elements"], 1, 0)
		c.countText(b["elements"])
	case "video", "file", "table", "context_actions", "input", "call", "task_card", "plan":
		// Slack takes these in messages; what is in them is not looked at here.
	case "":
		c.problem(path, "missing required field: type")
	default:
		c.problem(path+"/type", "unsupported type: %s", kind)
	}
}

// blockID checks the name of a block, which no other may have.
func (c *blockChecker) blockID(path string, b map[string]any) {
	c.identifier(path, b, "block_id")
	if id, _ := b["block_id"].(string); id != "" {
		if c.ids[id] {
			c.problem(path+"/block_id", "`block_id` already exists for another block")
		}
		c.ids[id] = true
	}
}

// fields checks that the required members are there and that no others are
// than these, the optional ones and type.
func (c *blockChecker) fields(path string, obj map[string]any, required []string, optional ...string) {
	for _, name := range required {
		if obj[name] == nil {
			c.problem(path, "missing required field: %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(obj)) {
		if name != "type" && !slices.Contains(required, name) && !slices.Contains(optional, name) {
			c.problem(path, "invalid additional property: %s", name)
		}
	}
}

// identifier checks a member that the app may name freely.
func (c *blockChecker) identifier(path string, obj map[string]any, name string) {
	v, ok := obj[name]
	if !ok {
		return
	}
	s, ok := v.(string)
	if !ok {
		c.problem(path+"/"+name, "must be a string")
	} else if utf8.RuneCountInString(s) > maxIdentifier {
		c.problem(path+"/"+name, "must be less than %d characters", maxIdentifier+1)
	}
}

// items checks that v is a list with at least least and at most most entries; a
// most of 0 sets no bound.
func (c *blockChecker) items(path string, v any, least, most int) []any {
	list, ok := v.([]any)
	switch {
	case v == nil:
		return nil // A missing list was told before, where one is required.
	case !ok:
		c.problem(path, "must be an array")
	case len(list) < least:
		c.problem(path, "no less than %d items allowed", least)
	case most > 0 && len(list) > most:
		c.problem(path, "no more than %d items allowed", most)
	}
	return list
}

// length checks a string that must not be empty and counts it as shown text.
func (c *blockChecker) length(path string, v any, most int) {
	s, ok := v.(string)
	n := utf8.RuneCountInString(s)
	c.total += n
	switch {
	case v == nil:
	case !ok:
		c.problem(path, "must be a string")
	case n == 0:
		c.problem(path, "must be more than 0 characters")
	case n > most:
		c.problem(path, "must be less than %d characters", most+1)
	}
}

// text checks a text object of one of the kinds.
func (c *blockChecker) text(path string, v any, most int, kinds ...string) {
	if v == nil {
		return // A missing text was told before, where one is required.
	}
	obj, ok := v.(map[string]any)
	if !ok {
		c.problem(path, "must be an object")
		return
	}
	kind, _ := obj["type"].(string)
	if !slices.Contains(kinds, kind) {
		c.problem(path+"/type", "must be a valid enum value")
		return
	}
	flag := "verbatim"
	if kind == "plain_text" {
		flag = "emoji"
	}
	c.fields(path, obj, []string{"text"}, flag)
	if f, ok := obj[flag]; ok {
		if _, isBool := f.(bool); !isBool {
			c.problem(path+"/"+flag, "must be a boolean")
		}
	}
	c.length(path+"/text", obj["text"], most)
}

func (c *blockChecker) section(path string, b map[string]any) {
	c.fields(path, b, nil, "text", "fields", "accessory", "block_id", "expand")
	if b["text"] == nil && b["fields"] == nil {
		c.problem(path, "missing required field: text or fields")
	}
	c.text(path+"/text", b["text"], maxTextObject, "mrkdwn", "plain_text")
	for i, f := range c.items(path+"/fields", b["fields"], 1, maxFields) {
		c.text(fmt.Sprintf("%s/fields/%d", path, i), f, maxField, "mrkdwn", "plain_text")
	}
	if b["accessory"] != nil {
		c.element(path+"/accessory", b["accessory"])
	}
}

func (c *blockChecker) context(path string, b map[string]any) {
	c.fields(path, b, []string{"elements"}, "block_id")
	for i, e := range c.items(path+"/elements", b["elements"], 1, maxContext) {
		at := fmt.Sprintf("%s/elements/%d", path, i)
		if obj, ok := e.(map[string]any); ok && obj["type"] == "image" {
			c.image(at, obj)
			continue
		}
		if e == nil {
			c.problem(at, "must be an object")
		}
		c.text(at, e, maxTextObject, "mrkdwn", "plain_text")
	}
}

func (c *blockChecker) actions(path string, b map[string]any) {
	c.fields(path, b, []string{"elements"}, "block_id")
	seen := make(map[string]bool)
	for i, e := range c.items(path+"/elements", b["elements"], 1, maxActionElements) {
		at := fmt.Sprintf("%s/elements/%d", path, i)
		id := c.element(at, e)
		if id != "" && seen[id] {
			c.problem(at+"/action_id", "`action_id` already exists for another action")
		}
		seen[id] = true
	}
}

// element checks an interactive element and returns its action_id. Of the
// elements only button is checked in full.
func (c *blockChecker) element(path string, v any) string {
	e, ok := v.(map[string]any)
	if !ok {
		c.problem(path, "must be an object")
		return ""
	}
	c.identifier(path, e, "action_id")
	switch kind, _ := e["type"].(string); kind {
	case "button":
		c.button(path, e)
	case "image":
		c.image(path, e)
	case "":
		c.problem(path, "missing required field: type")
	case "checkboxes", "datepicker", "datetimepicker", "overflow", "radio_buttons", "timepicker", "workflow_button", "rich_text_input",
		"static_select", "external_select", "users_select", "conversations_select", "channels_select",
		"multi_static_select", "multi_external_select", "multi_users_select", "multi_conversations_select", "multi_channels_select":
	default:
		c.problem(path+"/type", "unsupported type: %s", kind)
	}
	id, _ := e["action_id"].(string)
	return id
}

func (c *blockChecker) button(path string, e map[string]any) {
	c.fields(path, e, []string{"text"}, "action_id", "url", "value", "style", "confirm", "accessibility_label")
	c.text(path+"/text", e["text"], maxButtonText, "plain_text")
	for name, most := range map[string]int{"url": maxURL, "value": maxButtonValue, "accessibility_label": maxButtonText} {
		if s, _ := e[name].(string); utf8.RuneCountInString(s) > most {
			c.problem(path+"/"+name, "must be less than %d characters", most+1)
		} else if _, isString := e[name].(string); e[name] != nil && !isString {
			c.problem(path+"/"+name, "must be a string")
		}
	}
	if style, ok := e["style"]; ok && style != "primary" && style != "danger" {
		c.problem(path+"/style", "must be a valid enum value")
	}
}

func (c *blockChecker) image(path string, b map[string]any, optional ...string) {
	c.fields(path, b, []string{"alt_text"}, append(optional, "image_url", "slack_file")...)
	if b["image_url"] == nil && b["slack_file"] == nil {
		c.problem(path, "missing required field: image_url or slack_file")
	}
	c.length(path+"/alt_text", b["alt_text"], maxAltText)
	if s, _ := b["image_url"].(string); utf8.RuneCountInString(s) > maxURL {
		c.problem(path+"/image_url", "must be less than %d characters", maxURL+1)
	}
	c.text(path+"/title", b["title"], maxAltText, "plain_text")
}

// countText adds the members named text anywhere below v to the shown text.
func (c *blockChecker) countText(v any) {
	switch v := v.(type) {
	case map[string]any:
		if s, ok := v["text"].(string); ok {
			c.total += utf8.RuneCountInString(s)
		}
		for _, e := range v {
			c.countText(e)
		}
	case []any:
		for _, e := range v {
			c.countText(e)
		}
	}
}
