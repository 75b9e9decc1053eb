package contract_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/access/discord/discordapi/contract"
)

func call(method, path, body string) discordapi.Request {
	r := discordapi.Request{Method: method, Path: path, Header: http.Header{}}
	if body != "" {
		r.JSON = json.RawMessage(body)
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

func TestCallsThatAreWrongAreFound(t *testing.T) {
	c := contract.ForTest(t)
	const messages = "/channels/1100000000000000001/messages"
	embed := func(text string) discordapi.Request {
		return call(discordapi.CreateMessage, messages, `{"embeds":[`+text+`]}`)
	}
	button := func(text string) discordapi.Request {
		return call(discordapi.CreateMessage, messages, `{"components":[{"type":1,"components":[{"type":2,"style":1,`+text+`}]}]}`)
	}
	for name, r := range map[string]discordapi.Request{
		"unknown path":             call("POST", "/channels/1/posts", `{}`),
		"unknown member":           call(discordapi.CreateMessage, messages, `{"content":"x","channel":"1"}`),
		"unknown member of embed":  embed(`{"title":"x","colour":1}`),
		"unknown member of field":  embed(`{"fields":[{"name":"x","value":"x","text":"x"}]}`),
		"unknown member of footer": embed(`{"footer":{"text":"x","url":"https://example.com"}}`),
		"unknown member of row":    call(discordapi.CreateMessage, messages, `{"components":[{"type":1,"label":"x","components":[{"type":2,"style":1,"custom_id":"x"}]}]}`),
		"unknown member of button": button(`"custom_id":"x","text":"x"`),
		"unknown member of emoji":  button(`"custom_id":"x","emoji":{"name":"x","size":1}`),
		"unknown style of button":  call(discordapi.CreateMessage, messages, `{"components":[{"type":1,"components":[{"type":2,"style":9,"custom_id":"x"}]}]}`),
		"long name of button":      button(`"custom_id":"` + strings.Repeat("x", 101) + `"`),
		"null for a name of field": embed(`{"fields":[{"name":null,"value":"x"}]}`),
		"no URL":                   embed(`{"title":"x","url":"somewhere"}`),
		"wrong type":               call(discordapi.CreateMessage, messages, `{"content":5}`),
		"list":                     call(discordapi.CreateMessage, messages, `[]`),
		"no JSON":                  call(discordapi.CreateMessage, messages, `{"content":`),
		"no body":                  call(discordapi.CreateMessage, messages, ``),
		"long nonce":               call(discordapi.CreateMessage, messages, `{"content":"x","nonce":"`+strings.Repeat("n", 26)+`"}`),
		"bad time":                 embed(`{"title":"x","timestamp":"noon"}`),
		"bad recipient":            call(discordapi.OpenDM, "/users/@me/channels", `{"recipient_id":"alice"}`),
		"bad channel":              call(discordapi.CreateMessage, "/channels/security/messages", `{"content":"x"}`),
		"nameless thread":          call(discordapi.StartThread, messages+"/1/threads", `{"auto_archive_duration":60}`),
		"limit of messages":        call(discordapi.ListMessages, messages+"?limit=101", ""),
		"second limit of messages": call(discordapi.ListMessages, messages+"?limit=1&limit=101", ""),
		"unknown query":            call(discordapi.ListMessages, messages+"?limits=1", ""),
		"body that none reads":     call(discordapi.ListMessages, messages, "{}"),
	} {
		if err := c.CheckRequest(r); err == nil {
			t.Errorf("%s: nothing was found", name)
		}
	}
	for name, r := range map[string]discordapi.Request{
		"text":     call(discordapi.CreateMessage, messages, `{"content":"x","nonce":"n","enforce_nonce":true}`),
		"embed":    embed(`{"title":"x","url":"https://example.com","fields":[{"name":"x","value":"x","inline":true}],"footer":{"text":"x"}}`),
		"button":   button(`"custom_id":"x","emoji":{"name":"x"}`),
		"messages": call(discordapi.ListMessages, messages+"?limit=100&after=1", ""),
	} {
		if err := c.CheckRequest(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
