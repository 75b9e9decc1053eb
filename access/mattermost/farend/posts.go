package farend

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
)

// mostProps is how large the props of a post may be, in JSON.
const mostProps = 800_000

// sentPost is the body of the calls that make or change a post.
type sentPost struct {
	Channel string         `json:"channel_id"`
	Root    string         `json:"root_id"`
	Message *string        `json:"message"`
	Props   map[string]any `json:"props"`
	Pending string         `json:"pending_post_id"`
}

func sent(c *apiserver.Call) (s sentPost, p *problem) {
	if json.Unmarshal(c.Body, &s) != nil || s.Message == nil {
		return s, badBody
	}
	if props, _ := json.Marshal(s.Props); len(props) > mostProps {
		return s, &problem{400, "model.post.is_valid.props.app_error"}
	}
	return s, nil
}

// createPost knows a call again that comes twice in half a minute, whatever it says the
// second time.
func (m *Mattermost) createPost(c *apiserver.Call, _ any) (any, *problem) {
	s, p := sent(c)
	if p != nil {
		return nil, p
	}
	if before, known := m.w.pending[s.Pending]; s.Pending != "" && known && m.Now().Sub(before.at) < deduplicated {
		where, _ := m.w.post(before.post.id)
		if where == nil {
			return nil, noPost
		}
		return before.post.wire(where.id), nil
	}
	in := m.w.spaceBy(s.Channel)
	if p := m.w.takes(in, s); p != nil {
		return nil, p
	}
	if s.Props == nil {
		s.Props = make(map[string]any)
	}
	s.Props["from_bot"] = "true"
	e := m.w.put(in, &entry{root: s.Root, user: m.w.bot.id, message: *s.Message, props: s.Props}, m.Now())
	if s.Pending != "" {
		m.w.pending[s.Pending] = pendingPost{e, m.Now()}
	}
	return e.wire(in.id), nil
}

// takes looks whether the bot may post in a channel, and what it says there.
func (w *world) takes(in *space, s sentPost) *problem {
	everywhere := strings.Contains(w.bot.roles, "system_post_all")
	switch {
	case in == nil, !in.members[w.bot.id] && !everywhere:
		return noRight
	case in.archived:
		return archivedPost
	}
	if s.Root != "" {
		where, root := w.post(s.Root)
		if where != in || root.root != "" {
			return noRoot
		}
	}
	return w.checked(*s.Message)
}

// patchPost says the same of a post that is not there, of another account's, and of one
// in a channel that the bot is not in.
func (m *Mattermost) patchPost(c *apiserver.Call, _ any) (any, *problem) {
	in, e := m.w.post(c.R.PathValue("id"))
	switch {
	case in == nil, !in.members[m.w.bot.id], e.user != m.w.bot.id, m.w.rigid:
		return nil, noRight
	case in.archived:
		return nil, archivedEdit
	case m.w.limited > 0 && m.Now().Sub(time.UnixMilli(e.created)) > m.w.limited:
		return nil, tooLate
	}
	s, p := sent(c)
	if p == nil {
		p = m.w.checked(*s.Message)
	}
	if p != nil {
		return nil, p
	}
	m.w.edit(in, e, *s.Message, s.Props, m.Now())
	return e.wire(in.id), nil
}

func (m *Mattermost) getPost(c *apiserver.Call, _ any) (any, *problem) {
	in, e := m.w.post(c.R.PathValue("id"))
	switch {
	case in == nil:
		return nil, noPost
	case !in.members[m.w.bot.id]:
		return nil, noRight
	}
	return e.wire(in.id), nil
}

// How many posts the server gives at once.
const (
	mostSince = 1000
	mostPage  = 200
)

// listPosts gives posts since a time, deleted ones and earlier forms among them, or a
// page of those that are there, newest first. The roots of threads come with either.
func (m *Mattermost) listPosts(c *apiserver.Call, _ any) (any, *problem) {
	in, query := m.w.spaceBy(c.R.PathValue("id")), c.R.URL.Query()
	if in == nil || !in.members[m.w.bot.id] {
		return nil, noRight
	}
	var list []*entry
	if since := query.Get("since"); since != "" {
		from, err := strconv.ParseInt(since, 10, 64)
		if err != nil {
			return nil, badParam
		}
		list = in.since(from)
	} else {
		list = in.page(m.w.created(query.Get("before")), query.Get("per_page"))
	}
	order, all := []string{}, make(map[string]any)
	for _, e := range list {
		order, all[e.id] = append(order, e.id), e.wire(in.id)
	}
	for _, e := range list {
		if _, root := m.w.post(e.root); root != nil {
			all[root.id] = root.wire(in.id)
		}
	}
	return map[string]any{"order": order, "posts": all, "next_post_id": "", "prev_post_id": ""}, nil
}

// created is when a post was made, or the end of time for one that is not named.
func (w *world) created(id string) int64 {
	if e := w.posts[id]; e != nil {
		return e.created
	}
	return 1 << 62
}

// since are the newest posts that were made, changed or deleted after a time, with what
// they were before.
func (s *space) since(from int64) []*entry {
	list := slices.DeleteFunc(slices.Concat(s.posts, s.history), func(e *entry) bool { return e.updated <= from })
	slices.SortStableFunc(list, func(a, b *entry) int { return cmp.Compare(b.created, a.created) })
	return list[:min(len(list), mostSince)]
}

// page are the newest posts before a time.
func (s *space) page(until int64, size string) (list []*entry) {
	most, err := strconv.Atoi(size)
	if err != nil || most > mostPage {
		most = mostPage
	}
	for _, e := range slices.Backward(s.posts) {
		if e.deleted == 0 && e.created < until && len(list) < most {
			list = append(list, e)
		}
	}
	return list
}
