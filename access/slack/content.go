package slack

import (
	"unicode/utf8"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/request"
)

// content is what a message says: blocks for the eye, and text for notifications
// and screen readers. Blocks and mark may be missing.
type content struct {
	text   string
	blocks []slack.Block
	mark   slack.SlackMetadata
	// broadcast says that a reply is shown in the channel too.
	broadcast bool
}

// markdown is a text with Slack's markup. It is sent as verbatim, so that an
// address in a user's text does not become a link.
func markdown(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
}

// sections makes paragraphs of lines, as few as the limit of a text allows. No line
// is longer than that.
func sections(lines ...string) (blocks []slack.Block) {
	var last *slack.TextBlockObject
	for _, line := range lines {
		if last != nil && utf8.RuneCountInString(last.Text)+utf8.RuneCountInString(line) < textLimit {
			last.Text += "\n" + line
			continue
		}
		last = markdown(line)
		blocks = append(blocks, slack.NewSectionBlock(last, nil, nil))
	}
	return blocks
}

// options are the content as slack-go sends it.
func (c content) options() []slack.MsgOption {
	opts := []slack.MsgOption{slack.MsgOptionText(c.text, false)}
	if c.blocks != nil {
		opts = append(opts, slack.MsgOptionBlocks(c.blocks...))
	}
	if c.mark.EventType != "" {
		opts = append(opts, slack.MsgOptionMetadata(c.mark))
	}
	return opts
}

// less is the content without what Slack refused of it; it is false if there is
// nothing that could be left out.
func (c content) less(code string) (content, bool) {
	blocks, mark := aboutForm(code)
	blocks, mark = blocks && c.blocks != nil, mark && c.mark.EventType != ""
	if blocks {
		c.blocks = nil
	}
	if mark {
		c.mark = slack.SlackMetadata{}
	}
	return c, blocks || mark
}

// announce is the first announcement of a request. Any other says the same.
var announce = integration.Effect{Kind: integration.Announce}

// content is what tells an effect.
func (s *service) content(e integration.Effect, v request.View) content {
	if e.Kind == integration.Announce {
		e = announce
	}
	return s.drafts.Of(v, e, func() content { return told(e, v) })
}

// told is what tells an effect.
func told(e integration.Effect, v request.View) content {
	switch e.Kind {
	case integration.Review:
		return reviewReply(v, e.Index)
	case integration.End:
		return stateReply(v)
	case integration.Notice:
		return notice(v)
	case integration.Pending:
		return pendingReply(v)
	case integration.Ending:
		return ending(v)
	}
	return announcement(v)
}
