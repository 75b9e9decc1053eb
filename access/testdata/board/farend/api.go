// Package farend provides the simulated notice board to all that tries plugins.
package farend

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// pinned is a board with its notes, a note with its replies, or a reply.
type pinned struct {
	id, key, text string
	created       time.Time
	edited        bool
	removed       bool
	below         []*pinned
}

// sent is the body of every call.
type sent struct{ Key, Text string }

// pin puts a text below, unless its key is there.
func (p *pinned) pin(t sent, now time.Time) *pinned {
	for _, old := range p.below {
		if t.Key != "" && old.key == t.Key && !old.removed {
			return old
		}
	}
	p.below = append(p.below, &pinned{id: fmt.Sprintf("%s-%d", p.id, len(p.below)), key: t.Key, text: t.Text, created: now})
	return p.below[len(p.below)-1]
}

func find(list []*pinned, id string) *pinned {
	for _, p := range list {
		if p.id == id && !p.removed {
			return p
		}
	}
	return nil
}

func (b *Boards) note(id string) *pinned {
	for _, board := range b.boards {
		if n := find(board.below, id); n != nil {
			return n
		}
	}
	return nil
}

// The methods, by which faults and counters name them.
const (
	whoAmI     = "GET /me"
	addNote    = "POST /boards/{id}/notes"
	changeNote = "PUT /notes/{id}"
	addReply   = "POST /notes/{id}/replies"
)

// method carries out a call; nil says that what the path names is not there.
type method func(b *Boards, id string, s sent) *pinned

func methods() map[string]method {
	return map[string]method{
		whoAmI: func(*Boards, string, sent) *pinned { return &pinned{id: "me"} },
		addNote: func(b *Boards, id string, s sent) *pinned {
			if board := find(b.boards, id); board != nil {
				return board.pin(s, b.Now())
			}
			return nil
		},
		changeNote: func(b *Boards, id string, s sent) *pinned {
			n := b.note(id)
			if n != nil {
				n.text, n.edited = s.Text, true
			}
			return n
		},
		addReply: func(b *Boards, id string, s sent) *pinned {
			if n := b.note(id); n != nil {
				return n.pin(s, b.Now())
			}
			return nil
		},
	}
}

// Open finds the method.
func (b *Boards) Open(c *apiserver.Call) (ok bool) {
	c.Method, c.Own, ok = apiserver.Match(methods(), c.R, c.R.URL.Path)
	c.Target, c.Content = c.R.PathValue("id"), string(c.Body)
	return ok
}

// Answer carries a call out.
func (b *Boards) Answer(c *apiserver.Call) apiserver.Answer {
	var s sent
	switch {
	case c.R.Header.Get("Authorization") != "Bearer "+b.token:
		return refusal(http.StatusUnauthorized, "bad token")
	case c.Fault.Effect == fault.Refuse:
		return refusal(http.StatusForbidden, c.Fault.Code)
	case json.Unmarshal(c.Body, &s) != nil:
		return refusal(http.StatusBadRequest, "no JSON")
	}
	p := c.Own.(method)(b, c.R.PathValue("id"), s)
	switch {
	case p == nil && c.Method == addNote:
		return refusal(http.StatusNotFound, "no such board")
	case p == nil:
		return refusal(http.StatusNotFound, "no such note")
	}
	b.Changed()
	return apiserver.Answer{Status: http.StatusOK, Body: map[string]string{"id": p.id}}
}

// TooFast tells how long to wait.
func (b *Boards) TooFast(c *apiserver.Call, wait time.Duration) apiserver.Answer {
	if wait > 0 {
		c.Out.Set("Retry-After", apiserver.Seconds(wait))
	}
	return refusal(http.StatusTooManyRequests, "too fast")
}

func refusal(status int, word string) apiserver.Answer {
	return apiserver.Answer{Status: status, Body: map[string]string{"error": word}, Code: word}
}
