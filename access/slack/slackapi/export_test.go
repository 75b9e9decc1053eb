package slackapi

import "teleport-plugins/lib/sandbox/panel"

// Parse exposes how marked up text is taken apart.
func Parse(s string) []panel.Node { return mrkdwn().Parse(s) }

// MethodTable is what the server believes about each method.
type MethodTable map[string]struct {
	JSON             bool
	Scopes, Required []string
}

// Methods exposes the table to the test that compares it with Slack's reference.
func Methods() MethodTable {
	out := make(MethodTable)
	for name, m := range methods() {
		entry := out[name]
		entry.JSON, entry.Scopes, entry.Required = m.json, m.scopes, m.required
		out[name] = entry
	}
	return out
}

// DecodeBody exposes the decoding of a POST body.
func DecodeBody(contentType string, body []byte, jsonAllowed bool) (Args, error) {
	d, err := decodeBody(contentType, body, map[string][]string{}, jsonAllowed)
	return d.args, err
}

// CheckBlocks exposes the check of the argument blocks.
func CheckBlocks(raw string) error {
	_, err := checkBlocks(raw)
	return err
}

// ParseTS and FormatTS expose the two forms of a message's timestamp.
var (
	ParseTS  = parseTS
	FormatTS = formatTS
)
