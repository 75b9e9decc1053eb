package farend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/panel"
)

var _ farend.Presser = (*Guild)(nil)

// Review is the section [review].
func (g *Guild) Review() map[string]any {
	known := make(map[string]string)
	for user, id := range users() {
		known[id] = user
	}
	return map[string]any{"enabled": true, "users": known}
}

// Press has a person press a button of the newest announcement of a request that they
// can see.
func (g *Guild) Press(ctx context.Context, person, request, verdict, reason string) (saw []string, err error) {
	user := users()[person]
	if user == "" {
		return nil, fmt.Errorf("pressing a button: nobody on Discord is known for %q", person)
	}
	custom := verdict + ":" + request
	place, message := g.withButton(user, custom)
	if message == "" {
		return nil, fmt.Errorf("pressing a button: %s sees no button to %s the request %s", person, verdict, request)
	}
	press, err := g.Server.Press(user, place, message, custom)
	if err != nil {
		return nil, err
	}
	i, err := g.settled(ctx, press)
	if err != nil || i.Modal == nil {
		return g.SawOf(press), err
	}
	if press, err = g.Submit(user, press, reason); err != nil {
		return nil, err
	}
	_, err = g.settled(ctx, press)
	return g.SawOf(press), err
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
	return i, errors.Join(errors.New("the press was not answered: "+strings.Join(g.SawOf(id), ", ")), err)
}
