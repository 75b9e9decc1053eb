package panel

import (
	"regexp"
	"strings"
	"time"
)

// Panel is a service as people see it.
type Panel struct {
	// People are the names of people by their IDs.
	People   map[string]string `json:"people,omitempty"`
	Channels []Channel         `json:"channels"`
	Switches []Switch          `json:"switches,omitempty"`
}

// Kinds of channels.
const (
	Public  = "public"
	Private = "private"
	Direct  = "dm"
	Group   = "group_dm"
	Place   = "place" // anything that is no conversation
)

// Channel is a place with its messages.
type Channel struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Kind string `json:"kind"`
	// User is who is at the other end of a direct message.
	User string `json:"user,omitempty"`
	// Messages are sorted by time, the oldest first.
	Messages []Message `json:"messages"`
}

// Message is a message, or a reply to one.
type Message struct {
	ID string `json:"id"`
	// Thread is the ID of the message that this one replies to.
	Thread  string    `json:"thread,omitempty"`
	Author  string    `json:"author"`
	Created time.Time `json:"created"`
	// Text is what a reader sees, as plain text; Body is the same with its form.
	Text string `json:"text"`
	Body []Node `json:"body"`
	// Mentions are those who were pinged.
	Mentions []string `json:"mentions,omitempty"`
	// Status is a badge.
	Status  string `json:"status,omitempty"`
	Edited  bool   `json:"edited"`
	Deleted bool   `json:"deleted,omitempty"`

	// Request is the ID of the request that the message announces, and State the
	// state in which it shows it. Review says that it tells a review.
	Request string `json:"request,omitempty"`
	State   string `json:"-"`
	Review  bool   `json:"-"`
}

// Repeated follows a State that a message tells more than once.
const Repeated = ", told more than once"

// Switch is something that people can switch on and off.
type Switch struct {
	ID    string `json:"id"`
	Group string `json:"group"`
	Title string `json:"title"`
	// Label says in words what is so when it is on.
	Label string `json:"label"`
	On    bool   `json:"on"`
}

// What an announcement in a chat says of its request.
var (
	idLine     = regexp.MustCompile(`\*ID\*: ([0-9a-zA-Z-]+)`)
	statusLine = regexp.MustCompile(`\*Status\*: [^A-Z\n]*([A-Z]+)`)
)

// Read notes what a message in the words of Teleport's own plugins for chats
// tells. Metadata is not relied on, since messages of such a plugin have none.
func (m *Message) Read(text string) {
	if m.Thread != "" {
		m.Review = strings.Contains(text, "reviewed the request")
		return
	}
	request, state := idLine.FindStringSubmatch(text), statusLine.FindStringSubmatch(text)
	if request != nil && state != nil {
		m.Request, m.State = request[1], state[1]
	}
}

// Sight is an announcement as people see it.
type Sight struct {
	Message
	// Place is the ID of the place that it stands at.
	Place string
	// Replies are what stands below it, oldest first.
	Replies []Message
}

// Sights are all announcements that were ever made, removed ones too.
func (p Panel) Sights() (sights []Sight) {
	for _, ch := range p.Channels {
		below := make(map[string][]Message)
		for _, m := range ch.Messages {
			if m.Thread != "" && !m.Deleted {
				below[m.Thread] = append(below[m.Thread], m)
			}
		}
		for _, m := range ch.Messages {
			if m.Request != "" {
				sights = append(sights, Sight{m, ch.ID, below[m.ID]})
			}
		}
	}
	return sights
}
