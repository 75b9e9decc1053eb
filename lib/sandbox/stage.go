package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/journal"
	"teleport-plugins/lib/sandbox/scene"
)

// stepTime is how long a step waits for what it waits for. Half a minute is the lease of a
// replica that dies, and on a busy machine everything takes longer.
const stepTime = 3 * time.Minute

// everywhere is the service of the scenes that concern all.
const everywhere = ""

// Scene is a scene that can be played.
type Scene struct {
	// Service is empty where the scene concerns all.
	Service string `json:"service"`
	scene.Scene
}

// Play is a scene that is being played, or was played last.
type Play struct {
	Service string `json:"service"`
	Scene   string `json:"scene"`
	// Number grows with each play.
	Number int `json:"number"`
	// Step is the index of the step that is on; the number of steps when all are over.
	Step int `json:"step"`
	// Over says that nothing happens any more, Error why it ended early.
	Over  bool   `json:"over"`
	Error string `json:"error,omitempty"`
}

// stage is where scenes are played, one at a time.
type stage struct {
	mu     sync.Mutex
	play   Play
	stop   context.CancelFunc
	ended  chan struct{} // closed once the newest play, and with it all before, has ended
	closed bool
}

// now is the play that is on, or was last.
func (g *stage) now() Play {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.play
}

// begin begins a play, unless one is on.
func (g *stage) begin(of Scene, run func(context.Context)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return refusal(http.StatusConflict, "the sandbox is closed")
	case g.play.Number > 0 && !g.play.Over:
		return refusal(http.StatusConflict, "a scene is being played; wait for its end, or stop it")
	}
	g.play = Play{Service: of.Service, Scene: of.Name, Number: g.play.Number + 1}
	ctx, stop := context.WithCancel(context.Background())
	before, ended := g.ended, make(chan struct{})
	g.stop, g.ended = stop, ended
	go func() {
		defer close(ended)
		defer stop()
		if before != nil {
			<-before // it is over, and about to end
		}
		run(ctx)
	}()
	return nil
}

func (g *stage) set(change func(*Play)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.play)
}

// end stops the play that is on, and waits until what it has set is undone.
func (g *stage) end() {
	g.mu.Lock()
	stop, ended := g.stop, g.ended
	g.mu.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
}

func (g *stage) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.end()
}

// Scenes are all scenes, those that concern every service first.
func (s *Sandbox) Scenes() (list []Scene) {
	for _, one := range scene.Everywhere() {
		list = append(list, Scene{everywhere, one})
	}
	for _, v := range s.services {
		_, presses := v.FarEnd.(farend.Presser)
		for _, one := range append(scene.Of(v.Title, presses), v.Scenes...) {
			if !one.Plugin || len(s.plugins.of(v.Name)) > 0 {
				list = append(list, Scene{v.Name, one})
			}
		}
	}
	return list
}

// PlayScene begins a scene, of a service or of all.
func (s *Sandbox) PlayScene(service, name string) error {
	for _, one := range s.Scenes() {
		if one.Service == service && one.Name == name {
			return s.stage.begin(one, func(ctx context.Context) { s.run(ctx, one) })
		}
	}
	return notFound("there is no scene %q of %q", name, service)
}

// StopScene ends the scene that is played, if one is.
func (s *Sandbox) StopScene() { s.stage.end() }

// run plays a scene to its end, and undoes what it has set.
func (s *Sandbox) run(ctx context.Context, of Scene) {
	a := &actor{Sandbox: s, of: of, replicas: len(s.plugins.of(of.Service))}
	s.narrate("Scene: "+of.Title, journal.Plain)
	err := a.steps(ctx)
	if undone := a.heal(); err == nil {
		err = undone
	}
	if again := a.scaleBack(); err == nil {
		err = again
	}
	said := ""
	switch {
	case errors.Is(err, context.Canceled):
		said = "The scene was stopped."
		s.narrate(said, journal.Plain)
	case err != nil:
		said = err.Error()
		s.narrate(said, journal.Bad)
	}
	s.stage.set(func(p *Play) { p.Over, p.Error = true, said })
	s.changes.tell()
}

func (s *Sandbox) narrate(text, tone string) {
	s.story.Add(journal.Entry{Part: journal.Sandbox, Text: text, Tone: tone})
}

func (a *actor) steps(ctx context.Context) error {
	for i, step := range a.of.Steps {
		a.stage.set(func(p *Play) { p.Step = i })
		a.narrate(step.Says, journal.Plain)
		a.changes.tell()
		if err := a.step(ctx, step); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("the scene ends at %q: %w", step.Says, err)
		}
	}
	a.stage.set(func(p *Play) { p.Step = len(a.of.Steps) })
	return nil
}

func (s *Sandbox) getScenes(*http.Request) (int, any, error) { return http.StatusOK, s.Scenes(), nil }

func (s *Sandbox) postScene(r *http.Request) (int, any, error) {
	var c struct {
		Service string `json:"service"`
		Scene   string `json:"scene"`
	}
	if err := decode(r, &c); err != nil {
		return 0, nil, err
	}
	return http.StatusAccepted, nil, s.PlayScene(c.Service, c.Scene)
}

func (s *Sandbox) deleteScene(*http.Request) (int, any, error) {
	s.StopScene()
	return http.StatusNoContent, nil, nil
}
