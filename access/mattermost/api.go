package mattermost

import "encoding/json"

// The routes of the API that are called. A fault or a counter knows a call by its route.
const (
	whoAmI         = "GET /users/me"
	userByEmail    = "GET /users/email/{email}"
	userByName     = "GET /users/username/{username}"
	userByID       = "GET /users/{id}"
	myTeams        = "GET /users/me/teams"
	channelByID    = "GET /channels/{id}"
	channelByNames = "GET /teams/name/{team_name}/channels/name/{channel_name}"
	searchChannels = "POST /teams/{id}/channels/search"
	ourMembership  = "GET /channels/{id}/members/me"
	openDirect     = "POST /channels/direct"
	createPost     = "POST /posts"
	patchPost      = "PUT /posts/{id}/patch"
	getPost        = "GET /posts/{id}"
	listPosts      = "GET /channels/{id}/posts"
	openDialog     = "POST /actions/dialogs/open"
	serverConfig   = "GET /config/client"
)

// answer is what a successful call is answered with.
type answer interface {
	// whole reports whether the answer holds what Mattermost's own always hold.
	whole() bool
}

// object is what all things of the API have.
type object struct {
	ID string `json:"id"`
	// Deleted is when it was deleted, archived or deactivated, in Unix milliseconds.
	Deleted int64 `json:"delete_at"`
}

func (o *object) whole() bool { return o.ID != "" }

type user struct {
	object
	Name     string `json:"username"`
	Email    string `json:"email"`
	Verified bool   `json:"email_verified"`
	Bot      bool   `json:"is_bot"`
	Roles    string `json:"roles"`     // separated by spaces
	Remote   string `json:"remote_id"` // the other server, of somebody in a shared channel
}

type channel struct {
	object
	Type    string `json:"type"` // O for public, P for private, D and G for direct messages
	Name    string `json:"name"` // as it stands in addresses
	Display string `json:"display_name"`
}

type channels []channel

func (c *channels) whole() bool { return *c != nil }

type team struct {
	object
	Name    string `json:"name"`
	Display string `json:"display_name"`
}

type teams []team

func (t *teams) whole() bool { return *t != nil }

type member struct {
	User string `json:"user_id"`
}

func (m *member) whole() bool { return m.User != "" }

// post is a message as it stands in a channel.
type post struct {
	object
	Channel  string `json:"channel_id"`
	Root     string `json:"root_id"`
	User     string `json:"user_id"`
	Message  string `json:"message"`
	Created  int64  `json:"create_at"`   // in Unix milliseconds
	Original string `json:"original_id"` // of what a post was before an edit
	// Props are left as they are: anybody may post any.
	Props json.RawMessage `json:"props"`
}

// posts are some of a channel, and beside them the roots of their threads.
type posts struct {
	Order []string        `json:"order"`
	Posts map[string]post `json:"posts"`
}

func (p *posts) whole() bool { return p.Posts != nil }

// draft is a post that is to be made or, with message and props alone, to be changed.
type draft struct {
	Channel string `json:"channel_id,omitzero"`
	Root    string `json:"root_id,omitzero"`
	Message string `json:"message"`
	Props   props  `json:"props"`
	Pending string `json:"pending_post_id,omitzero"`
}

// props are what we put on a post beside its text. A change replaces all of them.
type props struct {
	Mark string `json:"teleport_access_request,omitzero"`
	// Bot has a post of a bot account shown as such. The server sets it on a new post,
	// and some lose it when the props are changed.
	Bot         string       `json:"from_bot,omitzero"`
	Attachments []attachment `json:"attachments,omitzero"`
}

// attachment holds buttons.
type attachment struct {
	Actions []action `json:"actions"`
}

type action struct {
	ID          string `json:"id"` // letters and digits: with others the server does not find it
	Name        string `json:"name"`
	Type        string `json:"type"`
	Style       string `json:"style"`
	Integration target `json:"integration"`
}

// target is where a press goes. Clients are not shown it.
type target struct {
	URL     string      `json:"url"`
	Context pressedPass `json:"context"`
}

// status is the answer to calls that have nothing else to say.
type status struct {
	Status string `json:"status"`
}

func (s *status) whole() bool { return s.Status == "OK" }

// settings is what is used of the server's settings.
type settings struct {
	// MostRunes is how long a post may be, in runes.
	MostRunes string `json:"MaxPostSize"`
}

func (s *settings) whole() bool { return s.MostRunes != "" }
