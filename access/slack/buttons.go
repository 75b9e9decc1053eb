package slack

import (
	"encoding/json"
	"fmt"

	"github.com/slack-go/slack"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/request"
)

// The names of the buttons are those of Teleport's own plugin, so that the messages of
// either can be pressed while the other runs.
const (
	blockID   = "review_block"
	approveID = "approve_button"
	denyID    = "deny_button"
	// dialogID names the dialog that asks for a reason, reasonBlock and reasonID its
	// input.
	dialogID    = "teleport_review"
	reasonBlock = "reason"
	reasonID    = "reason_input"
)

// buttons are the two buttons below a request that people may decide.
func buttons(v request.View) slack.Block {
	button := func(id, text, label string, style slack.Style) *slack.ButtonBlockElement {
		b := slack.NewButtonBlockElement(id, v.ID, slack.NewTextBlockObject(slack.PlainTextType, text, false, false)).WithStyle(style)
		b.AccessibilityLabel = label
		return b
	}
	return slack.NewActionBlock(blockID,
		button(approveID, "Approve", "Approve the access request", slack.StylePrimary),
		button(denyID, "Deny", "Deny the access request", slack.StyleDanger))
}

// verdicts of the buttons.
var verdictOf = map[string]request.Status{approveID: request.Approved, denyID: request.Denied}

// pointer is what a dialog remembers of the press that opened it. It is as trustworthy as
// the button itself, and everything is looked at again.
type pointer struct {
	decision.Dialog
	Answer string `json:"answer,omitempty"` // response_url
}

// dialog asks for the reason of a verdict. It says nothing that strangers wrote.
func dialog(p pointer) (slack.ModalViewRequest, error) {
	memory, err := json.Marshal(p)
	if err != nil {
		return slack.ModalViewRequest{}, fmt.Errorf("writing the memory of a dialog: %w", err)
	}
	plain := func(s string) *slack.TextBlockObject {
		return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
	}
	title, submit := p.Words()
	input := slack.NewPlainTextInputBlockElement(nil, reasonID)
	input.Multiline, input.MaxLength, input.MinLength = true, decision.MaxReason, 1
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: dialogID, PrivateMetadata: string(memory),
		Title: plain(title), Submit: plain(submit), Close: plain("Cancel"),
		Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewInputBlock(reasonBlock, plain("Reason"), nil, input)}},
	}, nil
}
