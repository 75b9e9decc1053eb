package board

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"teleport-plugins/lib/conformance"
	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, Integration(), func(t *testing.T) conformance.FarEnd {
		f := &farEnd{
			Listener: apiserver.NewListener("the board", "", ""), Watchers: apiserver.NewWatchers("the board"),
			boards: []*pinned{{id: "left"}, {id: "right"}},
		}
		if err := f.Serve(f.handler()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	})
}

const secret = "board-token-8461"

// farEnd is the simulated service. That of a real one is a package of its own in
// lib/sandbox, so that the demo and the timelines have it too.
type farEnd struct {
	*apiserver.Listener
	*apiserver.Watchers
	faults fault.Set

	mu      sync.Mutex
	boards  []*pinned
	refuses bool
}

// pinned is a board with its notes, a note with its replies, or a reply.
type pinned struct {
	id, key, text string
	removed       bool
	below         []*pinned
}

// pin puts a text below, unless its key is there.
func (p *pinned) pin(t text) *pinned {
	for _, old := range p.below {
		if old.key == t.Key && !old.removed {
			return old
		}
	}
	p.below = append(p.below, &pinned{id: fmt.Sprintf("%s-%d", p.id, len(p.below)), key: t.Key, text: t.Text})
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

func (f *farEnd) note(id string) *pinned {
	for _, b := range f.boards {
		if n := find(b.below, id); n != nil {
			return n
		}
	}
	return nil
}

func (f *farEnd) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /me", f.method("who am I", func(*http.Request, text) *pinned { return &pinned{id: "me"} }))
	mux.Handle("POST /boards/{id}/notes", f.method("add note", func(r *http.Request, t text) *pinned {
		if b := find(f.boards, r.PathValue("id")); b != nil {
			return b.pin(t)
		}
		return nil
	}))
	mux.Handle("PUT /notes/{id}", f.method("change note", func(r *http.Request, t text) *pinned {
		n := f.note(r.PathValue("id"))
		if n != nil {
			n.text = t.Text
		}
		return n
	}))
	mux.Handle("POST /notes/{id}/replies", f.method("add reply", func(r *http.Request, t text) *pinned {
		if n := f.note(r.PathValue("id")); n != nil {
			return n.pin(t)
		}
		return nil
	}))
	return mux
}

// method answers one call: as the faults say, or with what do returns.
func (f *farEnd) method(name string, do func(*http.Request, text) *pinned) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer f.Wake()
		var t text
		if err := json.NewDecoder(r.Body).Decode(&t); err != nil {
			http.Error(w, "this is no JSON", http.StatusBadRequest)
			return
		}
		hit, faulty := f.faults.Take(name, r.PathValue("id"))
		if faulty && hit.Effect == fault.RateLimit {
			w.Header().Set("Retry-After", hit.RetryAfterSeconds())
			answer(w, http.StatusTooManyRequests, note{Error: "too fast"})
			return
		}
		if faulty && fault.Before(w, r, hit) {
			return
		}
		n, status := f.work(r, t, do)
		if faulty && hit.Effect == fault.DoneNotAnswered {
			fault.Drop(w)
			return
		}
		answer(w, status, n)
	}
}

func answer(w http.ResponseWriter, status int, n note) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(n)
}

func (f *farEnd) work(r *http.Request, t text, do func(*http.Request, text) *pinned) (n note, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuses || r.Header.Get("Authorization") != "Bearer "+secret {
		return note{Error: "bad token"}, http.StatusUnauthorized
	}
	if p := do(r, t); p != nil {
		return note{ID: p.id}, http.StatusOK
	}
	if strings.HasPrefix(r.URL.Path, "/boards/") {
		return note{Error: "no such board"}, http.StatusNotFound
	}
	return note{Error: "no such note"}, http.StatusNotFound
}

func (f *farEnd) Config() string {
	return fmt.Sprintf("[board]\nurl = %q\ntoken = %q\n\n[role_to_recipients]\n\"*\" = [\"left\", \"right\"]\n%q = [\"left\", \"none\"]\n",
		f.URL(), secret, conformance.BrokenRole)
}

func (f *farEnd) Recipients() [2]string { return [2]string{"left", "right"} }

func (f *farEnd) Posts(request string) (posts []conformance.Post) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.boards {
		for _, n := range b.below {
			if n.removed || !strings.Contains(n.text, request) {
				continue
			}
			p := conformance.Post{Place: b.id, ID: n.id, Text: n.text}
			for _, r := range n.below {
				p.Replies = append(p.Replies, r.text)
			}
			posts = append(posts, p)
		}
	}
	return posts
}

func (f *farEnd) Remove(p conformance.Post) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.note(p.ID)
	if n != nil {
		n.removed = true
	}
	return n != nil
}

func (f *farEnd) Methods() conformance.Methods {
	return conformance.Methods{Post: "add note", Edit: "change note"}
}

func (f *farEnd) Faults() *fault.Set { return &f.faults }

func (f *farEnd) RejectCredentials(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuses = on
}

func (f *farEnd) Secret() string { return secret }
