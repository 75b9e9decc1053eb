package email

import (
	"maps"
	"strings"

	"teleport-plugins/lib/plugindata"
)

// codec reads and writes the records of Teleport's own plugin, which keeps mails as
// "address/timestamp/message-id". It never reads the timestamp. A record of the oldest
// kind has one mail, under the key email, whose id is not known.
type codec struct{ plugindata.Messages }

const threads = "email_threads"

// Decode reads a record. Mailgun's ids are in angle brackets there.
func (c codec) Decode(data map[string]string) (plugindata.Known, error) {
	data = maps.Clone(data)
	for _, key := range []string{"messages", "channel_id"} { // of other services
		delete(data, key)
	}
	k, err := c.Messages.Decode(data)
	add := func(address, id string) {
		if id = strings.Trim(id, "<>"); id == "" {
			id = noID
		}
		if address != "" {
			k.Messages = append(k.Messages, plugindata.Message{Channel: address, ID: id})
		}
	}
	if data[threads] == "" {
		add(data["email"], "")
	}
	seen := make(map[string]bool)
	for _, item := range plugindata.Split(data[threads]) {
		if parts := strings.Split(item, "/"); len(parts) == 3 && !seen[item] {
			seen[item] = true
			add(parts[0], parts[2])
		}
	}
	return k, err
}

// Encode writes a record. An address or id that the list cannot hold is left out of it:
// our own part of the record has it.
func (c codec) Encode(k plugindata.Known) map[string]string {
	out := c.Messages.Encode(k)
	delete(out, "messages")
	var items []string
	for _, m := range k.Messages {
		if !strings.ContainsAny(m.Channel+m.ID, "/,") {
			items = append(items, m.Channel+"/0/"+strings.TrimPrefix(m.ID, noID))
		}
	}
	out[threads] = strings.Join(items, ",")
	return out
}
