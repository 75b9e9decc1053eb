package discordapi

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// Documented limits, in characters. Discord does not say whether it counts
// characters or units of UTF-16; the stricter reading is units, of which an
// emoji takes two.
const (
	maxContent     = 2000
	maxEmbeds      = 10
	maxEmbedTotal  = 6000
	maxTitle       = 256
	maxDescription = 4096
	maxFooter      = 2048
	maxAuthor      = 256
	maxFields      = 25
	maxFieldName   = 256
	maxFieldValue  = 1024
	maxNonce       = 25
	maxRows        = 5
	maxButtons     = 5
	maxLabel       = 80
	maxCustomID    = 100
	maxURL         = 2048
	maxButtonURL   = 512
	maxModalTitle  = 45
	maxModalParts  = 5
	maxInput       = 4000
)

// units is the length of a text in units of UTF-16.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// embed is an embed as it is checked and shown.
type embed struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	URL         string `json:"url"`
	Timestamp   string `json:"timestamp"`
	Color       *int   `json:"color"`
	Footer      *struct {
		Text string `json:"text"`
	} `json:"footer"`
	Author *struct {
		Name string `json:"name"`
		URL  string `json:"url"`
	} `json:"author"`
	Fields []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"fields"`
}

// component is a row of buttons or a button.
type component struct {
	Type       int             `json:"type"`
	Components []component     `json:"components"`
	Style      int             `json:"style"`
	Label      string          `json:"label"`
	CustomID   string          `json:"custom_id"`
	Disabled   bool            `json:"disabled"`
	URL        string          `json:"url"`
	Emoji      json.RawMessage `json:"emoji"`
}

// check finds every fault of the payload.
func (p payload) check() error {
	var f form
	if p.Content != nil {
		f.most("content", *p.Content, maxContent)
	}
	if nonce := p.nonce(); units(nonce) > maxNonce {
		f.add("nonce", "NONCE_TYPE_TOO_LONG", "Nonce must be 25 or fewer in length.")
	}
	p.AllowedMentions.check(&f)
	checkEmbeds(&f, p.Embeds)
	checkComponents(&f, p.Components)
	return f.err()
}

// most records a text that is too long.
func (f *form) most(path, text string, limit int) {
	if units(text) > limit {
		f.add(path, "BASE_TYPE_MAX_LENGTH", fmt.Sprintf("Must be %d or fewer in length.", limit))
	}
}

// need records a text that is missing.
func (f *form) need(path, text string) {
	if strings.TrimSpace(text) == "" {
		f.add(path, "BASE_TYPE_REQUIRED", "This field is required")
	}
}

// web records what is not a web address.
func (f *form) web(path, text string, limit int) {
	if text == "" {
		return
	}
	f.most(path, text, limit)
	if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		f.add(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.")
	}
}

// check follows the rules of the documented object: known kinds, and no kind
// beside the list of those it would include.
func (a *allowedMentions) check(f *form) {
	if a == nil {
		return
	}
	for i, kind := range a.Parse {
		if kind != "users" && kind != "roles" && kind != "everyone" {
			f.add("allowed_mentions.parse."+strconv.Itoa(i), "BASE_TYPE_CHOICES", "Value must be one of {'users', 'roles', 'everyone'}.")
		}
		if kind == "users" && len(a.Users) > 0 || kind == "roles" && len(a.Roles) > 0 {
			f.add("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", "parse:["+kind+"] and "+kind+" are mutually exclusive.")
		}
	}
}

func checkEmbeds(f *form, raw json.RawMessage) {
	if len(raw) == 0 {
		return
	}
	var embeds []embed
	if err := json.Unmarshal(raw, &embeds); err != nil {
		f.add("embeds", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
		return
	}
	if len(embeds) > maxEmbeds {
		f.add("embeds", "BASE_TYPE_MAX_LENGTH", fmt.Sprintf("Must be %d or fewer in length.", maxEmbeds))
	}
	total := 0
	for i, e := range embeds {
		total += e.check(f, "embeds."+strconv.Itoa(i))
	}
	if total > maxEmbedTotal {
		f.add("embeds", "MAX_EMBED_SIZE_EXCEEDED", fmt.Sprintf("Embed size exceeds maximum size of %d", maxEmbedTotal))
	}
}

// check records the faults of one embed and returns its size.
func (e embed) check(f *form, at string) int {
	f.most(at+".title", e.Title, maxTitle)
	f.most(at+".description", e.Description, maxDescription)
	f.web(at+".url", e.URL, maxURL)
	size := units(e.Title) + units(e.Description)
	if e.Color != nil && (*e.Color < 0 || *e.Color > 0xFFFFFF) {
		f.add(at+".color", "NUMBER_TYPE_MAX", "int value should be less than or equal to 16777215.")
	}
	if _, err := time.Parse(time.RFC3339, e.Timestamp); e.Timestamp != "" && err != nil {
		f.add(at+".timestamp", "DATE_TIME_TYPE_PARSE", "Could not parse "+e.Timestamp+". Should be ISO8601.")
	}
	if e.Footer != nil {
		f.need(at+".footer.text", e.Footer.Text)
		f.most(at+".footer.text", e.Footer.Text, maxFooter)
		size += units(e.Footer.Text)
	}
	if e.Author != nil {
		f.need(at+".author.name", e.Author.Name)
		f.most(at+".author.name", e.Author.Name, maxAuthor)
		f.web(at+".author.url", e.Author.URL, maxURL)
		size += units(e.Author.Name)
	}
	if len(e.Fields) > maxFields {
		f.add(at+".fields", "BASE_TYPE_MAX_LENGTH", fmt.Sprintf("Must be %d or fewer in length.", maxFields))
	}
	for i, field := range e.Fields {
		path := at + ".fields." + strconv.Itoa(i)
		f.need(path+".name", field.Name)
		f.need(path+".value", field.Value)
		f.most(path+".name", field.Name, maxFieldName)
		f.most(path+".value", field.Value, maxFieldValue)
		size += units(field.Name) + units(field.Value)
	}
	if size == 0 {
		f.add(at, "BASE_TYPE_REQUIRED", "The embed is empty")
	}
	return size
}

func checkComponents(f *form, raw json.RawMessage) {
	if len(raw) == 0 {
		return
	}
	var rows []component
	if err := json.Unmarshal(raw, &rows); err != nil {
		f.add("components", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
		return
	}
	if len(rows) > maxRows {
		f.add("components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
	}
	ids := make(map[string]bool)
	for i, row := range rows {
		at := "components." + strconv.Itoa(i)
		if row.Type != 1 {
			f.add(at+".type", "UNION_TYPE_CHOICES", "Value of field \"type\" must be one of (1,).")
			continue
		}
		if n := len(row.Components); n < 1 || n > maxButtons {
			f.add(at+".components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.")
		}
		for j, b := range row.Components {
			b.check(f, at+".components."+strconv.Itoa(j), ids)
		}
	}
}

// check records the faults of a button; the sandbox knows no other component.
func (b component) check(f *form, at string, ids map[string]bool) {
	if b.Type != 2 {
		f.add(at+".type", "UNION_TYPE_CHOICES", "Value of field \"type\" must be one of (2,).")
		return
	}
	if b.Label == "" && len(b.Emoji) == 0 {
		f.add(at+".label", "BUTTON_COMPONENT_LABEL_OR_EMOJI_REQUIRED", "A button must have a label or an emoji")
	}
	f.most(at+".label", b.Label, maxLabel)
	if b.Style == 5 {
		f.need(at+".url", b.URL)
		f.web(at+".url", b.URL, maxButtonURL)
		if b.CustomID != "" {
			f.add(at, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", "A custom id and url cannot both be specified")
		}
		return
	}
	if b.Style < 1 || b.Style > 4 {
		f.add(at+".style", "BASE_TYPE_CHOICES", "Value must be one of {1, 2, 3, 4, 5}.")
	}
	f.need(at+".custom_id", b.CustomID)
	f.most(at+".custom_id", b.CustomID, maxCustomID)
	if ids[b.CustomID] {
		f.add(at+".custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
	}
	ids[b.CustomID] = true
}

// Check says what Discord would refuse about the body of a message that is
// posted or edited, as the server would answer it; nil when there is nothing.
func Check(body []byte) error {
	_, err := decodePayload(&call{Body: body})
	return err
}
