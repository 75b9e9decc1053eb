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
	messages := "/channels/1100000000000000001/messages"
	for name, r := range map[string]discordapi.Request{
		"unknown path":      call("POST", "/channels/1/posts", `{}`),
		"unknown member":    call(discordapi.CreateMessage, messages, `{"content":"x","channel":"1"}`),
		"wrong type":        call(discordapi.CreateMessage, messages, `{"content":5}`),
		"long nonce":        call(discordapi.CreateMessage, messages, `{"content":"x","nonce":"`+strings.Repeat("n", 26)+`"}`),
		"bad time":          call(discordapi.CreateMessage, messages, `{"embeds":[{"title":"x","timestamp":"noon"}]}`),
		"bad recipient":     call(discordapi.OpenDM, "/users/@me/channels", `{"recipient_id":"alice"}`),
		"nameless thread":   call(discordapi.StartThread, messages+"/1/threads", `{"auto_archive_duration":60}`),
		"limit of messages": call(discordapi.ListMessages, messages+"?limit=101", ""),
	} {
		if err := c.CheckRequest(r); err == nil {
			t.Errorf("%s: nothing was found", name)
		}
	}
	if err := c.CheckRequest(call(discordapi.CreateMessage, messages, `{"content":"x","nonce":"n","enforce_nonce":true}`)); err != nil {
		t.Error(err)
	}
}
