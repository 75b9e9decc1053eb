package discord

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/plugindata"
)

// The kinds of interaction that concern us, by Discord's numbers.
const (
	pressed   = 3
	submitted = 5
)

// interaction is what is read of an INTERACTION_CREATE. It is decoded here and not by
// the vendor's library, which gives up on the whole event when it does not know a
// component. Everything in it can be missing.
type interaction struct {
	ID            string `json:"id"`
	ApplicationID string `json:"application_id"`
	Token         string `json:"token"`
	Type          int    `json:"type"`
	GuildID       string `json:"guild_id"`
	ChannelID     string `json:"channel_id"`
	Message       *struct {
		ID        string `json:"id"`
		ChannelID string `json:"channel_id"`
	} `json:"message"`
	Member *struct {
		User *person `json:"user"`
	} `json:"member"`
	User *person `json:"user"`
	Data *struct {
		CustomID   string          `json:"custom_id"`
		Components json.RawMessage `json:"components"`
	} `json:"data"`
	// Owners say for which installations of the application the interaction is.
	Owners map[string]json.RawMessage `json:"authorizing_integration_owners"`
}

// person is who pressed.
type person struct {
	ID         string `json:"id"`
	Username   string `json:"username"`
	GlobalName string `json:"global_name"`
	Bot        bool   `json:"bot"`
	System     bool   `json:"system"`
}

// name is the name for logs and texts.
func (p person) name() string {
	if p.GlobalName != "" {
		return p.GlobalName
	}
	return p.Username
}

// outsider says why somebody decides nothing, as a decision.Person says it.
func (p person) outsider() string {
	if p.Bot || p.System {
		return "a bot"
	}
	return ""
}

// described is the person as the desk hears of it.
func (p person) described() decision.Person {
	return decision.Person{Name: p.name(), Outsider: p.outsider()}
}

// errForeign says that an interaction is none of ours.
var errForeign = errors.New("it is for another application")

// readInteraction decodes an interaction and makes sure that it has all that an answer
// and a decision take.
func readInteraction(raw []byte, application string) (i interaction, err error) {
	if err := json.Unmarshal(raw, &i); err != nil {
		return i, fmt.Errorf("decoding an interaction: %w", err)
	}
	switch {
	case application == "" || i.ApplicationID != application:
		return i, errForeign
	case !isID(i.ID) || i.Token == "":
		return i, errors.New("it has no id or no token")
	case !isID(i.who().ID):
		return i, errors.New("it names no person")
	case i.Data == nil || i.Data.CustomID == "":
		return i, errors.New("it names no button")
	case i.at() == plugindata.Message{}:
		return i, errors.New("it names no message")
	}
	return i, nil
}

// who is the person: in a server the member, in a direct message the user.
func (i interaction) who() person {
	switch {
	case i.Member != nil && i.Member.User != nil:
		return *i.Member.User
	case i.GuildID == "" && i.User != nil:
		return *i.User
	}
	return person{}
}

// at is the message that the button hangs on, by Discord's word; nothing if Discord
// contradicts itself.
func (i interaction) at() plugindata.Message {
	if i.Message == nil || !isID(i.Message.ID) || !isID(i.ChannelID) ||
		i.Message.ChannelID != "" && i.Message.ChannelID != i.ChannelID {
		return plugindata.Message{}
	}
	return plugindata.Message{Channel: i.ChannelID, ID: i.Message.ID}
}

// installed reports whether the application was added to the server, as the key "0"
// says, and not by a user to their own account alone.
func (i interaction) installed() bool {
	owner, ok := i.Owners["0"]
	return ok && string(owner) != "null"
}

// reason is what was written into the dialog.
func (i interaction) reason() string {
	var all any
	if json.Unmarshal(i.Data.Components, &all) != nil {
		return ""
	}
	return strings.TrimSpace(valueOf(all, 0))
}

// componentDepth bounds how deep components are looked through; Discord nests them
// three deep.
const componentDepth = 12

// valueOf finds the value of the dialog's input, however its components are nested.
func valueOf(component any, depth int) string {
	if depth > componentDepth {
		return ""
	}
	switch c := component.(type) {
	case []any:
		for _, inner := range c {
			if v := valueOf(inner, depth+1); v != "" {
				return v
			}
		}
	case map[string]any:
		if value, ok := c["value"].(string); ok && c["custom_id"] == reasonInput {
			return value
		}
		for _, key := range []string{"component", "components"} {
			if v := valueOf(c[key], depth+1); v != "" {
				return v
			}
		}
	}
	return ""
}
