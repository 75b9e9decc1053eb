package mattermost

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"teleport-plugins/lib/history"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// How much is read at a time. The next look-up goes on where one stopped.
const (
	// sinceMost is how many posts the server gives of those since a time.
	sinceMost = 1000
	pageSize  = 200
	mostPages = 20
)

// CanFind is true for every channel. Whether the bot may read it is only known once it
// tries.
func (s *service) CanFind(address string) bool { return isID(address) }

// Find looks for our own posts with the mark of the effect. An announcement without any
// mark counts if its fields name the request: those of Teleport's own plugin, and ours
// that it has changed.
func (s *service) Find(ctx context.Context, to integration.Place, e integration.Effect, v request.View) ([]plugindata.Message, error) {
	in := to.Address
	if e.Kind.Below() {
		in = to.Message.Channel
	}
	keys := []string{mark(e, v)}
	if e == announce {
		keys = append(keys, unmarked(v.ID))
	}
	ids, err := s.history.Find(ctx, in, v.Created, keys...)
	var found []plugindata.Message
	for _, id := range ids {
		found = append(found, plugindata.Message{Channel: in, ID: id})
	}
	return found, err
}

// unmarked is what an announcement without a mark is found by.
func unmarked(id string) string { return "id " + id }

// key is what a post of ours is found by; empty for none.
func (p post) key() string {
	var own struct {
		Mark string `json:"teleport_access_request"`
	}
	if json.Unmarshal(p.Props, &own) == nil && own.Mark != "" {
		return own.Mark
	}
	if id := announced(p.Message); id != "" && p.Root == "" {
		return unmarked(id)
	}
	return ""
}

// announced gives the id of the request that an announcement names: in its third field,
// and nowhere else. It is empty for any other text.
func announced(text string) string {
	lines := strings.Split(strings.TrimPrefix(strings.TrimSpace(text), title+"\n"), "\n")
	if len(lines) < 4 || !strings.HasPrefix(lines[0], userLabel) || !strings.HasPrefix(lines[1], rolesLabel) {
		return ""
	}
	id, _ := strings.CutPrefix(lines[2], idLabel)
	return id
}

// readHistory implements history.Read: at once where that is not too much, or else page
// by page.
func (s *service) readHistory(ctx context.Context, channel string, since time.Time, until history.Message, each func(history.Message)) (complete bool, err error) {
	self, err := s.me(ctx)
	if err != nil {
		return false, err
	}
	give := func(list []post) {
		for _, p := range list {
			if m := p.entry(self.ID); !m.At.Before(since) && (until.At.IsZero() || !m.At.After(until.At)) {
				each(m)
			}
		}
	}
	if until.At.IsZero() {
		list, err := s.list(ctx, channel, url.Values{"since": {strconv.FormatInt(since.UnixMilli(), 10)}})
		if err != nil {
			return false, err
		}
		if len(list) < sinceMost {
			give(list)
			return true, nil
		}
	}
	return s.readPages(ctx, channel, since, until.ID, give)
}

// readPages gives one page after the other, from before a post on.
func (s *service) readPages(ctx context.Context, channel string, since time.Time, before string, give func([]post)) (complete bool, err error) {
	for range mostPages {
		query := url.Values{"per_page": {strconv.Itoa(pageSize)}}
		if before != "" {
			query.Set("before", before)
		}
		list, err := s.list(ctx, channel, query)
		if err != nil {
			return false, err
		}
		if len(list) == 0 || time.UnixMilli(list[len(list)-1].Created).Before(since) {
			give(list)
			return true, nil
		}
		list = settled(list)
		give(list)
		before = list[len(list)-1].ID
	}
	return false, nil
}

// entry is a post as the history keeps it: only our own have keys, and not what they
// were before an edit.
func (p post) entry(self string) history.Message {
	m := history.Message{ID: p.ID, At: time.UnixMilli(p.Created)}
	if key := p.key(); key != "" && p.User == self && p.Deleted == 0 && p.Original == "" {
		m.Keys = []string{key}
	}
	return m
}

// settled is a page without the posts of its oldest time, with which the next page is to
// begin: before one of them the server leaves out others of the same time.
func settled(list []post) []post {
	last := list[len(list)-1]
	if i := slices.IndexFunc(list, func(p post) bool { return p.Created == last.Created }); i > 0 {
		return list[:i]
	}
	return list
}

// list reads posts of a channel, newest first, without the roots of threads that the
// server adds.
func (s *service) list(ctx context.Context, channel string, query url.Values) ([]post, error) {
	var got posts
	if err := s.do(ctx, call{route: listPosts, args: []string{channel}, query: query}, &got); err != nil {
		return nil, err
	}
	list := make([]post, 0, len(got.Order))
	for _, id := range got.Order {
		list = append(list, got.Posts[id])
	}
	slices.SortStableFunc(list, func(a, b post) int { return cmp.Compare(b.Created, a.Created) })
	return list, nil
}
