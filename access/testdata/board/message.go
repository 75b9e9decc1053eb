package board

import (
	"fmt"
	"strings"
	"time"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

// announcement is the text that announces a request and its state. The board
// knows no markup, and so there is nothing to escape; what is too long is cut.
func announcement(v request.View) string {
	lines := []string{message.Title(v)}
	for _, f := range message.Fields(v) {
		lines = append(lines, line(f))
	}
	lines = append(lines, fmt.Sprintf("%s Status: %s %s", message.Emoji(v.Status), v.Status, message.Progress(v)))
	if v.ResolveReason != "" {
		lines = append(lines, "Because: "+oneLine(v.ResolveReason))
	}
	return strings.Join(lines, "\n")
}

func line(f message.Field) string {
	value := oneLine(f.Text)
	if f.Kind == message.Moment {
		value = f.Time.Format(time.RFC1123)
	}
	if f.Also != nil {
		value += ", " + line(*f.Also)
	}
	return f.Label + ": " + value
}

// below is what is said below the note.
func below(e integration.Effect, v request.View) string {
	switch e.Kind {
	case integration.Review:
		return review(v.Reviews[e.Index])
	case integration.Pending:
		return message.Pending(v, oneLine)
	}
	return message.Decided(v, oneLine)
}

func review(r request.Review) string {
	return fmt.Sprintf("%s %s: %s", oneLine(r.Author), r.State, oneLine(r.Reason))
}

// oneLine keeps a text on its line, where it cannot pass for another one.
func oneLine(s string) string {
	return message.Text(strings.Join(strings.Fields(s), " "), message.ReasonLimit, nil)
}
