package plugindata

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

// Messages is the codec of the records that Teleport's chat plugins write:
// plain texts, lists joined by commas, and a list of "channel/message" items.
type Messages struct{}

// Decode reads the known part of a record. A record of the oldest kind names
// one message by the keys channel_id and timestamp.
func (Messages) Decode(data map[string]string) (Known, error) {
	var faults []error
	k := Known{
		User:          data["user"],
		Roles:         Split(data["roles"]),
		Reason:        data["request_reason"],
		Resolution:    request.Status(data["resolution"]),
		ResolveReason: data["resolve_reason"],
	}
	note := func(key string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("key %q: %w", key, err))
		}
	}
	var err error
	k.ReviewsCount, err = parseCount(data["reviews_count"])
	note("reviews_count", err)
	note("resources", decodeJSON(data["resources"], &k.Resources))
	note("logins_by_role", decodeJSON(data["logins_by_role"], &k.Logins))
	note("system_annotations", decodeJSON(data["system_annotations"], &k.Annotations))
	note("suggested_reviewers", decodeJSON(data["suggested_reviewers"], &k.SuggestedReviewers))
	k.Messages = decodeMessages(data)
	return k, errors.Join(faults...)
}

// maxCount bounds a stored number of reviews. No request has as many; a larger
// number is garbled, and room for as many reviews would be made.
const maxCount = 10_000

// parseCount reads a number as Count writes it.
func parseCount(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxCount {
		return 0, fmt.Errorf("%q is not a number of reviews", message.Cut(text, 40))
	}
	return n, nil
}

// decodeJSON reads a value in JSON, all of it or nothing.
func decodeJSON[T any](text string, into *T) error {
	if text == "" {
		return nil
	}
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return err
	}
	*into = v
	return nil
}

func decodeMessages(data map[string]string) []Message {
	var list []Message
	seen := make(map[Message]bool)
	add := func(m Message) {
		if !seen[m] {
			seen[m] = true
			list = append(list, m)
		}
	}
	if data["channel_id"] != "" && data["timestamp"] != "" {
		add(Message{Channel: data["channel_id"], ID: data["timestamp"]})
	}
	for _, item := range Split(data["messages"]) {
		if channel, id, ok := strings.Cut(item, "/"); ok && channel != "" && id != "" && !strings.Contains(id, "/") {
			add(Message{Channel: channel, ID: id})
		}
	}
	return list
}

// Encode writes the known part. Role names that hold a comma are written with
// a space in its place, since the list knows no escape; they are only shown.
func (Messages) Encode(k Known) map[string]string {
	out := map[string]string{
		"user":           k.User,
		"roles":          Join(k.Roles),
		"resources":      jsonText(k.Resources, len(k.Resources)),
		"request_reason": k.Reason,
		"reviews_count":  Count(k.ReviewsCount),
		"resolution":     string(k.Resolution),
		"resolve_reason": k.ResolveReason,
	}
	items := make([]string, 0, len(k.Messages))
	for _, m := range k.Messages {
		items = append(items, m.Channel+"/"+m.ID)
	}
	out["messages"] = strings.Join(items, ",")
	optional := map[string]string{
		"logins_by_role":      jsonText(k.Logins, len(k.Logins)),
		"system_annotations":  jsonText(k.Annotations, len(k.Annotations)),
		"suggested_reviewers": jsonText(k.SuggestedReviewers, len(k.SuggestedReviewers)),
	}
	for key, text := range optional {
		if text != "" {
			out[key] = text
		}
	}
	return out
}

// jsonText encodes maps and lists of strings, which cannot fail.
func jsonText(v any, n int) string {
	if n == 0 {
		return ""
	}
	text, _ := json.Marshal(v)
	return string(text)
}

// Split reads a list joined by commas; an empty text is an empty list.
func Split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// Join writes a list joined by commas.
func Join(items []string) string {
	clean := make([]string, len(items))
	for i, item := range items {
		clean[i] = strings.ReplaceAll(item, ",", " ")
	}
	return strings.Join(clean, ",")
}

// Count writes a number as Teleport's own plugins do: nothing for zero.
func Count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
