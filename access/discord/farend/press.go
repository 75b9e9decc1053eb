package farend

import (
	"context"
	"fmt"
	"slices"
	"time"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/panel"
)

var _ farend.PressFaults = (*Guild)(nil)

// Review is the section [review].
func (g *Guild) Review() map[string]any {
	known := make(map[string]string)
	for user, id := range g.pressers() {
		if user != farend.Unknown {
			known[id] = user
		}
	}
	return map[string]any{"enabled": true, "users": known}
}

// Press has a person press a button of the newest announcement of a request that they
// can see.
func (g *Guild) Press(ctx context.Context, person, request, verdict, reason string) (saw []string, err error) {
	heard, err := g.Try(ctx, farend.Press{Person: person, Request: request, Verdict: verdict, Reason: reason})
	if err == nil && !heard.Acked {
		return []string{discordapi.Failed}, fmt.Errorf("the press was not answered: %s", discordapi.Failed)
	}
	return heard.Saw, err
}

// Try has a person press a button of the newest announcement that they can see.
func (g *Guild) Try(ctx context.Context, p farend.Press) (heard farend.Heard, err error) {
	press, err := g.pressed(p)
	if err != nil {
		return heard, err
	}
	heard.Again = func(context.Context) error { g.DeliverAgain(press); return nil }
	i, err := g.settled(ctx, press)
	if err == nil && i.Modal != nil {
		var sent string
		if sent, err = g.Submit(i.User, press, p.Reason); err != nil {
			return heard, err
		}
		i, err = g.settled(ctx, sent)
	}
	if heard.Acked = i.Answer != 0; heard.Acked {
		heard.Saw = g.SawOf(i.ID)
	}
	return heard, err
}

// pressed sends the press of a button, and returns the id of the interaction. On the
// announcement of another request the button is changed to name the one that is meant.
func (g *Guild) pressed(p farend.Press, change ...discordapi.Change) (id string, err error) {
	user := g.pressers()[p.Person]
	if user == "" {
		return "", fmt.Errorf("pressing a button: %w: nobody on Discord is known for %q", farend.ErrNoButton, p.Person)
	}
	on := p.Request
	if p.On != "" {
		on = p.On
		change = append(change, func(e map[string]any) { data(e)["custom_id"] = p.Verdict + ":" + p.Request })
	}
	custom := p.Verdict + ":" + on
	place, message := g.withButton(user, custom)
	if message == "" {
		return "", fmt.Errorf("pressing a button: %w: %s does not see one to %s the request %s", farend.ErrNoButton, p.Person, p.Verdict, on)
	}
	id, err = g.Server.Press(user, place, message, custom, change...)
	if err != nil {
		return "", fmt.Errorf("%w: %w", farend.ErrNoButton, err)
	}
	return id, nil
}

// withButton finds the newest message that has a button with the id and that a user can
// see.
func (g *Guild) withButton(user, custom string) (place, message string) {
	newest := time.Time{}
	for _, c := range g.Snapshot(0).Channels {
		if c.Type == discordapi.DMChannel && c.User != user || c.IsThread() {
			continue
		}
		for _, m := range c.Messages {
			has := slices.ContainsFunc(m.Rendered.Buttons, func(n panel.Node) bool { return n.ID == custom })
			if has && !m.Deleted && !m.Created.Before(newest) {
				place, message, newest = c.ID, m.ID, m.Created
			}
		}
	}
	return place, message
}

// settled waits until an interaction is answered or has failed. The time within which
// it must be acknowledged passes without any change that could be waited for.
func (g *Guild) settled(ctx context.Context, id string) (i discordapi.Interaction, err error) {
	done := func() bool {
		i, _ = g.Interaction(id)
		return i.Done
	}
	soon, cancel := context.WithTimeout(ctx, discordapi.AcknowledgeWithin+50*time.Millisecond)
	defer cancel()
	err = g.Wait(soon, done)
	if err != nil && ctx.Err() == nil && !done() {
		err = g.Wait(ctx, done)
	}
	if done() {
		return i, nil
	}
	return i, fmt.Errorf("waiting for the answer to a press: %w", err)
}
