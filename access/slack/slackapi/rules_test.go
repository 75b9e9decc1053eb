package slackapi_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/access/slack/slackapi"
)

func mrkdwn(n int) string {
	return fmt.Sprintf(`{"type":"mrkdwn","text":%q}`, strings.Repeat("x", n))
}

func plain(n int) string {
	return fmt.Sprintf(`{"type":"plain_text","text":%q}`, strings.Repeat("x", n))
}

func list(n int, item string) string {
	return "[" + strings.Join(slices.Repeat([]string{item}, n), ",") + "]"
}

func sectionOf(text string) string { return `{"type":"section","text":` + text + `}` }

func buttonOf(rest string) string {
	return `[{"type":"actions","elements":[{"type":"button","text":` + plain(1) + rest + `}]}]`
}

func str(n int) string { return `"` + strings.Repeat("x", n) + `"` }

func TestBlocksWithinTheLimitsAreTaken(t *testing.T) {
	for name, blocks := range map[string]string{
		"none":                  `[]`,
		"fifty":                 list(50, `{"type":"divider"}`),
		"longest section":       "[" + sectionOf(mrkdwn(3000)) + "]",
		"a euro sign counts 1":  "[" + sectionOf(`{"type":"mrkdwn","text":"`+strings.Repeat("€", 3000)+`"}`) + "]",
		"ten longest fields":    `[{"type":"section","fields":` + list(6, mrkdwn(2000)) + `}]`,
		"longest header":        `[{"type":"header","text":` + plain(150) + `}]`,
		"ten in a context":      `[{"type":"context","elements":` + list(10, mrkdwn(1000)) + `}]`,
		"25 elements":           `[{"type":"actions","elements":` + list(25, `{"type":"button","text":`+plain(75)+`}`) + `}]`,
		"a full button":         buttonOf(`,"value":` + str(2000) + `,"url":` + str(3000) + `,"action_id":` + str(255) + `,"style":"primary","accessibility_label":` + str(75)),
		"an image":              `[{"type":"image","image_url":"https://example.com/a.png","alt_text":"a","title":` + plain(3) + `}]`,
		"a section with button": `[{"type":"section","text":` + mrkdwn(1) + `,"accessory":{"type":"button","text":` + plain(1) + `}}]`,
		"rich text":             `[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"a"}]}]}]`,
		"markdown":              `[{"type":"markdown","text":"**a**"}]`,
		"all text just in":      list(4, sectionOf(mrkdwn(3000))),
		"verbatim and emoji":    `[{"type":"section","text":{"type":"mrkdwn","text":"a","verbatim":true},"fields":[{"type":"plain_text","text":"a","emoji":true}]}]`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := slackapi.CheckBlocks(blocks); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBlocksOutsideTheLimitsAreRefusedWithThePlace(t *testing.T) {
	for name, tc := range map[string]struct{ blocks, want string }{
		"not JSON":              {`[`, "invalid_blocks_format"},
		"no list":               {`{}`, "invalid_blocks_format"},
		"all text together":     {list(5, sectionOf(mrkdwn(3000))), "msg_blocks_too_long"},
		"51 blocks":             {list(51, `{"type":"divider"}`), "invalid_blocks: no more than 50 items allowed [json-pointer:/blocks]"},
		"a section too long":    {"[" + sectionOf(mrkdwn(3001)) + "]", "invalid_blocks: must be less than 3001 characters [json-pointer:/blocks/0/text/text]"},
		"an empty section text": {"[" + sectionOf(mrkdwn(0)) + "]", "invalid_blocks: must be more than 0 characters [json-pointer:/blocks/0/text/text]"},
		"a section of nothing":  {`[{"type":"section"}]`, "invalid_blocks: missing required field: text or fields [json-pointer:/blocks/0]"},
		"11 fields":             {`[{"type":"section","fields":` + list(11, mrkdwn(1)) + `}]`, "invalid_blocks: no more than 10 items allowed [json-pointer:/blocks/0/fields]"},
		"no field":              {`[{"type":"section","fields":[]}]`, "invalid_blocks: no less than 1 items allowed [json-pointer:/blocks/0/fields]"},
		"a field too long":      {`[{"type":"section","fields":[` + mrkdwn(1) + "," + mrkdwn(2001) + `]}]`, "invalid_blocks: must be less than 2001 characters [json-pointer:/blocks/0/fields/1/text]"},
		"a header too long":     {`[{"type":"header","text":` + plain(151) + `}]`, "invalid_blocks: must be less than 151 characters [json-pointer:/blocks/0/text/text]"},
		"a header in mrkdwn":    {`[{"type":"header","text":` + mrkdwn(1) + `}]`, "invalid_blocks: must be a valid enum value [json-pointer:/blocks/0/text/type]"},
		"11 in a context":       {`[{"type":"context","elements":` + list(11, mrkdwn(1)) + `}]`, "invalid_blocks: no more than 10 items allowed [json-pointer:/blocks/0/elements]"},
		"nothing in a context":  {`[{"type":"context","elements":[]}]`, "invalid_blocks: no less than 1 items allowed [json-pointer:/blocks/0/elements]"},
		"26 elements":           {`[{"type":"actions","elements":` + list(26, `{"type":"button","text":`+plain(1)+`}`) + `}]`, "invalid_blocks: no more than 25 items allowed [json-pointer:/blocks/0/elements]"},
		"a button text":         {`[{"type":"actions","elements":[{"type":"button","text":` + plain(76) + `}]}]`, "invalid_blocks: must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]"},
		"a button value":        {buttonOf(`,"value":` + str(2001)), "invalid_blocks: must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]"},
		"a button address":      {buttonOf(`,"url":` + str(3001)), "invalid_blocks: must be less than 3001 characters [json-pointer:/blocks/0/elements/0/url]"},
		"a value of no text":    {buttonOf(`,"value":1`), "invalid_blocks: must be a string [json-pointer:/blocks/0/elements/0/value]"},
		"an action id":          {buttonOf(`,"action_id":` + str(256)), "invalid_blocks: must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]"},
		"a style":               {buttonOf(`,"style":"loud"`), "invalid_blocks: must be a valid enum value [json-pointer:/blocks/0/elements/0/style]"},
		"a stray member":        {`[{"type":"divider","text":"x"}]`, "invalid_blocks: invalid additional property: text [json-pointer:/blocks/0]"},
		"an unknown block":      {`[{"type":"sektion"}]`, "invalid_blocks: unsupported type: sektion [json-pointer:/blocks/0/type]"},
		"a block of no type":    {`[{}]`, "invalid_blocks: missing required field: type [json-pointer:/blocks/0]"},
		"a block of no kind":    {`[1]`, "invalid_blocks: must be an object [json-pointer:/blocks/0]"},
		"a block id":            {`[{"type":"divider","block_id":` + str(256) + `}]`, "invalid_blocks: must be less than 256 characters [json-pointer:/blocks/0/block_id]"},
		"a block id twice":      {list(2, `{"type":"divider","block_id":"a"}`), "invalid_blocks: `block_id` already exists for another block [json-pointer:/blocks/1/block_id]"},
		"an action id twice":    {`[{"type":"actions","elements":` + list(2, `{"type":"button","action_id":"a","text":`+plain(1)+`}`) + `}]`, "invalid_blocks: `action_id` already exists for another action [json-pointer:/blocks/0/elements/1/action_id]"},
		"emoji in mrkdwn":       {`[{"type":"section","text":{"type":"mrkdwn","text":"a","emoji":true}}]`, "invalid_blocks: invalid additional property: emoji [json-pointer:/blocks/0/text]"},
		"verbatim of no kind":   {`[{"type":"section","text":{"type":"mrkdwn","text":"a","verbatim":"yes"}}]`, "invalid_blocks: must be a boolean [json-pointer:/blocks/0/text/verbatim]"},
		"an image without alt":  {`[{"type":"image","image_url":"https://example.com"}]`, "invalid_blocks: missing required field: alt_text [json-pointer:/blocks/0]"},
		"a text of no kind":     {`[{"type":"section","text":"bare"}]`, "invalid_blocks: must be an object [json-pointer:/blocks/0/text]"},
		"a null in a context":   {`[{"type":"context","elements":[null]}]`, "invalid_blocks: must be an object [json-pointer:/blocks/0/elements/0]"},
		"an image of no source": {`[{"type":"context","elements":[{"type":"image","alt_text":"a"}]}]`, "invalid_blocks: missing required field: image_url or slack_file [json-pointer:/blocks/0/elements/0]"},
		"elements of no kind":   {`[{"type":"actions","elements":[1,{}]}]`, "invalid_blocks: must be an object [json-pointer:/blocks/0/elements/0]; missing required field: type [json-pointer:/blocks/0/elements/1]"},
		"an unknown element":    {`[{"type":"actions","elements":[{"type":"lever"}]}]`, "invalid_blocks: unsupported type: lever [json-pointer:/blocks/0/elements/0/type]"},
	} {
		t.Run(name, func(t *testing.T) {
			err := slackapi.CheckBlocks(tc.blocks)
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestInvalidBlocksAreToldAsSlackTellsThem(t *testing.T) {
	s := slackapi.New(slackapi.Options{})
	args := url.Values{"channel": {requests}, "blocks": {`[{"type":"section","text":` + mrkdwn(3001) + `}]`}}
	a, _ := send(t, s, "POST", "chat.postMessage", form, args.Encode(), bearer...)
	const message = "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
	if a.OK || a.Error != "invalid_blocks" || !slices.Equal(a.Errors, []string{message}) || !slices.Equal(a.Meta.Messages, []string{"[ERROR] " + message}) {
		t.Errorf("got %+v", a)
	}
}

func TestWhatAMessageMayHold(t *testing.T) {
	divider := `[{"type":"divider"}]`
	meta := func(payload string) string { return `{"event_type":"e","event_payload":` + payload + `}` }
	for name, tc := range map[string]struct {
		args url.Values
		want string
	}{
		"text":                         {url.Values{"text": {"x"}}, ""},
		"blocks only":                  {url.Values{"blocks": {divider}}, ""},
		"attachments only":             {url.Values{"attachments": {`[{"text":"x"}]`}}, ""},
		"markdown":                     {url.Values{"markdown_text": {"**x**"}}, ""},
		"nothing":                      {url.Values{}, "no_text"},
		"an empty text":                {url.Values{"text": {""}, "blocks": {"[]"}, "attachments": {"[]"}}, "no_text"},
		"markdown beside text":         {url.Values{"markdown_text": {"x"}, "text": {"x"}}, "markdown_text_conflict"},
		"markdown beside blocks":       {url.Values{"markdown_text": {"x"}, "blocks": {divider}}, "markdown_text_conflict"},
		"too much markdown":            {url.Values{"markdown_text": {strings.Repeat("x", 12001)}}, "msg_too_long"},
		"attachments of no kind":       {url.Values{"attachments": {"{}"}}, "invalid_attachments"},
		"101 attachments":              {url.Values{"attachments": {list(101, "{}")}}, "too_many_attachments"},
		"metadata":                     {url.Values{"text": {"x"}, "metadata": {meta(`{"a":"b","n":1,"l":["x"],"o":{"k":true}}`)}}, ""},
		"metadata that is not JSON":    {url.Values{"text": {"x"}, "metadata": {"e"}}, "invalid_metadata_format"},
		"metadata without a name":      {url.Values{"text": {"x"}, "metadata": {`{"event_payload":{}}`}}, "invalid_metadata_format"},
		"metadata without a payload":   {url.Values{"text": {"x"}, "metadata": {`{"event_type":"e"}`}}, "invalid_metadata_format"},
		"metadata with a null payload": {url.Values{"text": {"x"}, "metadata": {meta("null")}}, "invalid_metadata_format"},
		"metadata nested too deeply":   {url.Values{"text": {"x"}, "metadata": {meta(`{"a":{"b":{}}}`)}}, "invalid_metadata_schema"},
		"metadata too large":           {url.Values{"text": {"x"}, "metadata": {meta(`{"a":` + str(8000) + `}`)}}, "metadata_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			s := slackapi.New(slackapi.Options{})
			tc.args.Set("channel", requests)
			if a, _ := send(t, s, "POST", "chat.postMessage", form, tc.args.Encode(), bearer...); a.Error != tc.want {
				t.Errorf("got %+v, want error %q", a, tc.want)
			}
		})
	}
}

func TestALongTextIsCutOnPostAndRefusedOnUpdate(t *testing.T) {
	s := slackapi.New(slackapi.Options{})
	send(t, s, "POST", "chat.postMessage", form, url.Values{"channel": {requests}, "text": {strings.Repeat("€", 40_001)}}.Encode(), bearer...)
	m := s.Messages(requests)[0]
	if m.Text != strings.Repeat("€", 40_000) {
		t.Errorf("kept %d bytes", len(m.Text))
	}
	for n, want := range map[int]string{4000: "", 4001: "msg_too_long"} {
		args := url.Values{"channel": {requests}, "ts": {m.TS}, "text": {strings.Repeat("€", n)}}
		if a, _ := send(t, s, "POST", "chat.update", form, args.Encode(), bearer...); a.Error != want {
			t.Errorf("an update with %d: %+v, want error %q", n, a, want)
		}
	}
}

func TestWhereABotMayPost(t *testing.T) {
	for name, tc := range map[string]struct {
		channel string
		scopes  []string
		want    string
	}{
		"a channel it is in":                {"security", nil, ""},
		"a private channel it is in":        {"#db-team", nil, ""},
		"a public channel it is not in":     {"general", nil, "not_in_channel"},
		"the same with chat:write.public":   {"general", []string{"chat:write", "chat:write.public"}, ""},
		"a private channel it is not in":    {"secret", []string{"chat:write", "chat:write.public"}, "channel_not_found"},
		"an archived channel":               {"old", nil, "is_archived"},
		"a channel that is not there":       {"C0NOWHERE", nil, "channel_not_found"},
		"a user":                            {alice, nil, ""},
		"a user who is not there":           {"U0NOBODY", nil, "channel_not_found"},
		"a deactivated user":                {"U0GONE", nil, "channel_not_found"},
		"itself":                            {"U0SANDBOXBOT", nil, "cannot_dm_bot"},
		"a user by handle":                  {"@alice", nil, "channel_not_found"},
		"a channel by name in another case": {"Security", nil, "channel_not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			s := slackapi.New(slackapi.Options{Scopes: tc.scopes})
			s.AddChannel(slackapi.Channel{Name: "secret", Kind: slackapi.Private, WithoutBot: true})
			s.AddChannel(slackapi.Channel{Name: "old", Archived: true})
			s.AddUser(slackapi.User{ID: "U0GONE", Name: "gone", Deleted: true})
			args := url.Values{"channel": {tc.channel}, "text": {"x"}}
			if a, _ := send(t, s, "POST", "chat.postMessage", form, args.Encode(), bearer...); a.Error != tc.want {
				t.Errorf("got %+v, want error %q", a, tc.want)
			}
		})
	}
}

func TestSwitchesForEditsAndDirectMessages(t *testing.T) {
	s := slackapi.New(slackapi.Options{})
	call := func(method string, args url.Values) string {
		a, _ := send(t, s, "POST", method, form, args.Encode(), bearer...)
		return a.Error
	}
	post := url.Values{"channel": {alice}, "text": {"x"}}
	s.DisableMessagesTab(true)
	if got := call("chat.postMessage", post); got != "messages_tab_disabled" {
		t.Errorf("without the tab: %q", got)
	}
	s.DisableMessagesTab(false)
	if got := call("chat.postMessage", post); got != "" {
		t.Errorf("with the tab: %q", got)
	}
	dm, _ := s.Channel(alice)
	edit := url.Values{"channel": {dm.ID}, "ts": {s.Messages(alice)[0].TS}, "text": {"y"}}
	s.CloseEditWindow(true)
	if got := call("chat.update", edit); got != "edit_window_closed" {
		t.Errorf("with the window closed: %q", got)
	}
	s.CloseEditWindow(false)
	if got := call("chat.update", edit); got != "" {
		t.Errorf("with the window open: %q", got)
	}
}

func TestUpdatesThatSlackRefuses(t *testing.T) {
	s := slackapi.New(slackapi.Options{})
	rich := `[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"a"}]}]}]`
	send(t, s, "POST", "chat.postMessage", form, url.Values{"channel": {requests}, "blocks": {rich}}.Encode(), bearer...)
	ts := s.Messages(requests)[0].TS
	for name, tc := range map[string]struct {
		args url.Values
		want string
	}{
		"nothing new":                 {url.Values{}, "no_text"},
		"other blocks than rich text": {url.Values{"blocks": {`[{"type":"divider"}]`}}, "block_mismatch"},
		"rich text again":             {url.Values{"blocks": {rich}}, ""},
		"taking the last content off": {url.Values{"blocks": {"[]"}}, "no_text"},
		"metadata alone":              {url.Values{"metadata": {`{"event_type":"e","event_payload":{}}`}}, ""},
		"metadata taken off":          {url.Values{"metadata": {"{}"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tc.args.Set("channel", requests)
			tc.args.Set("ts", ts)
			if a, _ := send(t, s, "POST", "chat.update", form, tc.args.Encode(), bearer...); a.Error != tc.want {
				t.Errorf("got %+v, want error %q", a, tc.want)
			}
		})
	}
	c, _ := s.Channel(requests)
	c.Archived = true
	s.AddChannel(c)
	if a, _ := send(t, s, "POST", "chat.update", form, url.Values{"channel": {requests}, "ts": {ts}, "text": {"x"}}.Encode(), bearer...); a.Error != "is_inactive" {
		t.Errorf("in an archived channel: %+v", a)
	}
}

func TestPagesThatCannotBeRead(t *testing.T) {
	s := slackapi.New(slackapi.Options{})
	for name, tc := range map[string]struct{ method, query, want string }{
		"a limit of no number":     {"conversations.history", "limit=many", "invalid_limit"},
		"a limit below nothing":    {"conversations.history", "limit=-1", "invalid_limit"},
		"a limit too high":         {"conversations.history", "limit=1000", "invalid_limit"},
		"a higher one for replies": {"conversations.replies", "ts=1.000001&limit=1000", "thread_not_found"},
		"too high for replies":     {"conversations.replies", "ts=1.000001&limit=1001", "invalid_limit"},
		"a cursor of no kind":      {"conversations.history", "cursor=abc", "invalid_cursor"},
		"another list's cursor":    {"conversations.history", "cursor=b2Zmc2V0OjE%3D", "invalid_cursor"},
		"a cursor beyond the end":  {"conversations.members", "cursor=b2Zmc2V0Ojk5OQ%3D%3D", "invalid_cursor"},
		"oldest of no form":        {"conversations.history", "oldest=yesterday", "invalid_ts_oldest"},
		"latest of no form":        {"conversations.history", "latest=1.0000001", "invalid_ts_latest"},
		"oldest in whole seconds":  {"conversations.history", "oldest=1700000000", ""},
		"types of no kind":         {"conversations.list", "types=public", "invalid_types"},
		"not in the channel":       {"conversations.history", "channel=" + general, "not_in_channel"},
		"nor for its threads":      {"conversations.replies", "ts=1.000001&channel=" + general, "not_in_channel"},
		"a name is no ID here":     {"conversations.info", "channel=security", "channel_not_found"},
	} {
		t.Run(name, func(t *testing.T) {
			query := tc.query
			if !strings.Contains(query, "channel=") {
				query += "&channel=" + requests
			}
			if a, _ := send(t, s, "GET", tc.method+"?"+query, "", "", bearer...); a.Error != tc.want {
				t.Errorf("got %+v, want error %q", a, tc.want)
			}
		})
	}
}

func FuzzCheckBlocks(f *testing.F) {
	f.Add(`[{"type":"section","text":{"type":"mrkdwn","text":"a"}}]`)
	f.Add(`[{"type":"actions","elements":[{"type":"button"}]},null,1]`)
	f.Add(`[{"type":"section","text":1,"fields":{},"accessory":[]}]`)
	f.Fuzz(func(t *testing.T, raw string) { _ = slackapi.CheckBlocks(raw) })
}

func FuzzTimestamps(f *testing.F) {
	f.Add("1700000000.000001")
	f.Add("1700000000")
	f.Add(".5")
	f.Fuzz(func(t *testing.T, s string) {
		micros, ok := slackapi.ParseTS(s)
		if !ok {
			return
		}
		if again, ok := slackapi.ParseTS(slackapi.FormatTS(micros)); !ok || again != micros {
			t.Errorf("%q is %d, written as %q and read as %d, %v", s, micros, slackapi.FormatTS(micros), again, ok)
		}
	})
}
