package farend

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/panel"
)

// account is a user or a bot.
type account struct {
	id, name, email, roles string
	bot                    bool
	deleted                int64
}

// space is a channel or a direct message.
type space struct {
	id, team, name, display string
	kind                    string // O, P or D, as the API has it
	archived                bool
	members                 map[string]bool // by the ids of users
	posts                   []*entry        // oldest first
	history                 []*entry        // what posts were before their edits
}

// entry is a post.
type entry struct {
	in                                *space // where it stands
	id, root, user, message, original string
	props                             map[string]any
	created, updated, deleted         int64 // in Unix milliseconds
	edits                             int
	seen                              *panel.Rendered // what a reader sees, once it was asked for
}

// world is what a server knows. The lock of the API's server guards it.
type world struct {
	bot      *account
	team     string // the id of the only team, which is called teamName
	accounts []*account
	spaces   []*space
	posts    map[string]*entry      // those of all spaces, by their ids
	pending  map[string]pendingPost // by pending_post_id
	triggers map[string]trigger
	// most is how long a post may be, in runes, and hidden says that the server shows no
	// e-mail addresses.
	most   int
	hidden bool
	// limited is how long a post may be edited, if that is limited.
	limited time.Duration
	// rigid says that the bot has no permission to edit.
	rigid bool
	next  int
}

// pendingPost is a post that is known again for a while.
type pendingPost struct {
	post *entry
	at   time.Time
}

// The team, and how people see it.
const teamName, teamDisplay = "main", "Main Team"

// deduplicated is how long a repeated call is known.
const deduplicated = 30 * time.Second

// usualMost is how long a post may be, in runes, on a server with a new database.
const usualMost = 16383

func newWorld(o farend.Options) *world {
	w := &world{posts: make(map[string]*entry), pending: make(map[string]pendingPost), triggers: make(map[string]trigger), most: usualMost}
	w.bot = w.account("teleport", "teleport@localhost")
	w.bot.bot = true
	people := []string{cluster.Alice, cluster.Bob, cluster.Carol, cluster.Dave}
	if o.Outsiders {
		people = append(people, farend.Guest, farend.Unknown, farend.Former)
	}
	for _, email := range people {
		name, _, _ := strings.Cut(email, "@")
		a := w.account(name, email)
		if email == farend.Guest {
			a.roles = "system_guest"
		}
	}
	w.team = w.id()
	w.space("access-requests", "Access Requests", "O")
	w.space("security", "Security", "O")
	w.space("db-team", "Database Team", "P")
	for i := range o.Places {
		w.space(fmt.Sprintf("team-%03d", i), fmt.Sprintf("Team %d", i), "O")
	}
	delete(w.space("town-square", "Town Square", "O").members, w.bot.id)
	return w
}

// id makes an id that nothing else has.
func (w *world) id() string {
	w.next++
	return fmt.Sprintf("%026d", w.next)
}

func (w *world) account(name, email string) *account {
	a := &account{id: w.id(), name: name, email: email, roles: "system_user"}
	w.accounts = append(w.accounts, a)
	return a
}

// space makes a channel with everybody in it.
func (w *world) space(name, display, kind string) *space {
	s := &space{id: w.id(), team: w.team, name: name, display: display, kind: kind, members: make(map[string]bool)}
	for _, a := range w.accounts {
		s.members[a.id] = true
	}
	w.spaces = append(w.spaces, s)
	return s
}

// direct is the conversation of two accounts, which is made if there is none.
func (w *world) direct(a, b string) *space {
	ids := []string{a, b}
	slices.Sort(ids)
	name := strings.Join(ids, "__")
	if i := slices.IndexFunc(w.spaces, func(s *space) bool { return s.name == name }); i >= 0 {
		return w.spaces[i]
	}
	s := &space{id: w.id(), name: name, kind: "D", members: map[string]bool{a: true, b: true}}
	w.spaces = append(w.spaces, s)
	return s
}

func find[T any](list []*T, fits func(*T) bool) *T {
	if i := slices.IndexFunc(list, fits); i >= 0 {
		return list[i]
	}
	return nil
}

func (w *world) accountBy(id string) *account {
	return find(w.accounts, func(a *account) bool { return a.id == id })
}

func (w *world) spaceBy(id string) *space {
	return find(w.spaces, func(s *space) bool { return s.id == id })
}

// post finds a post that was not deleted, and where it is.
func (w *world) post(id string) (*space, *entry) {
	if e := w.posts[id]; e != nil && e.deleted == 0 {
		return e.in, e
	}
	return nil, nil
}

// put puts a post into a channel.
func (w *world) put(s *space, e *entry, now time.Time) *entry {
	e.in, e.id, e.created = s, w.id(), now.UnixMilli()
	if len(s.posts) > 0 { // the order of time is that of the posts
		e.created = max(e.created, s.posts[len(s.posts)-1].created)
	}
	e.updated = e.created
	s.posts, w.posts[e.id] = append(s.posts, e), e
	return e
}

// edit changes a post, and keeps what it was.
func (w *world) edit(s *space, e *entry, message string, props map[string]any, now time.Time) {
	was := *e
	was.id, was.original, was.deleted, was.updated = w.id(), e.id, now.UnixMilli(), now.UnixMilli()
	s.history = append(s.history, &was)
	e.message, e.updated, e.edits, e.seen = message, now.UnixMilli(), e.edits+1, nil
	if props != nil {
		e.props = props
	}
}

// problem is why the server does not do something.
type problem struct {
	status int
	id     string
}

var (
	noRight      = &problem{403, "api.context.permissions.app_error"}
	noChannel    = &problem{404, "app.channel.get_by_name.missing.app_error"}
	noChannelID  = &problem{404, "app.channel.get.existing.app_error"}
	noTeam       = &problem{404, "app.team.get_by_name.missing.app_error"}
	noUser       = &problem{404, "app.user.missing_account.const"}
	noUserName   = &problem{404, "app.user.get_by_username.app_error"}
	noPost       = &problem{404, "app.post.get.app_error"}
	badParam     = &problem{400, "api.context.invalid_url_param.app_error"}
	badBody      = &problem{400, "api.context.invalid_body_param.app_error"}
	noRoot       = &problem{400, "api.post.create_post.root_id.app_error"}
	archivedPost = &problem{400, "api.post.create_post.can_not_post_to_deleted.error"}
	archivedEdit = &problem{400, "api.post.patch_post.can_not_update_post_in_deleted.error"}
	tooLong      = &problem{400, "model.post.is_valid.msg.app_error"}
	tooLate      = &problem{400, "api.post.update_post.permissions_time_limit.app_error"}
	noSession    = &problem{401, "api.context.session_expired.app_error"}
	noRoute      = &problem{404, "api.context.404.app_error"}
	hiddenEmail  = &problem{403, "api.user.get_user_by_email.permissions.app_error"}
	noTrigger    = &problem{400, "interactive_message.decode_trigger_id.expired"}
)

// problems are those that faults can name.
func problems() map[string]*problem {
	return map[string]*problem{noRight.id: noRight, archivedPost.id: archivedPost, noChannelID.id: noChannelID}
}

// isID reports whether a text can be an id.
func isID(s string) bool {
	return len(s) == 26 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// checked looks whether the text of a post can be taken.
func (w *world) checked(message string) *problem {
	if utf8.RuneCountInString(message) > w.most {
		return tooLong
	}
	return nil
}

// newest are the last posts of a channel, at most limit of them; zero or less is all.
func (s *space) newest(limit int) []*entry {
	from := 0
	if limit > 0 {
		from = max(len(s.posts)-limit, 0)
	}
	return s.posts[from:]
}

// wire writes a post out. Where a button leads is for the server alone.
func (e *entry) wire(channel string) map[string]any {
	props := make(map[string]any, len(e.props))
	for key, value := range e.props {
		props[key] = value
	}
	if list, ok := e.props["attachments"].([]any); ok {
		props["attachments"] = stripped(list)
	}
	message := e.message
	if e.deleted != 0 && e.original == "" {
		message, props = "", map[string]any{}
	}
	return map[string]any{
		"id": e.id, "create_at": e.created, "update_at": e.updated, "edit_at": cmp.Or(min(int64(e.edits), 1)*e.updated, 0),
		"delete_at": e.deleted, "user_id": e.user, "channel_id": channel, "root_id": e.root, "original_id": e.original,
		"message": message, "type": "", "props": props, "hashtags": "", "pending_post_id": "",
	}
}

// stripped are attachments without the integrations of their buttons.
func stripped(attachments []any) (out []any) {
	for _, a := range attachments {
		copied := make(map[string]any)
		for key, value := range a.(map[string]any) {
			copied[key] = value
		}
		var actions []any
		list, _ := copied["actions"].([]any)
		for _, one := range list {
			shown := make(map[string]any)
			for key, value := range one.(map[string]any) {
				if key != "integration" {
					shown[key] = value
				}
			}
			actions = append(actions, shown)
		}
		copied["actions"] = actions
		out = append(out, copied)
	}
	return out
}
