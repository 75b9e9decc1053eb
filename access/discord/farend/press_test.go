package farend_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/access/discord"
	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/access/discord/farend"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/sandbox/cluster"
	sandbox "teleport-plugins/lib/sandbox/farend"
)

// desk says who pressed, and why.
type desk struct{}

func (desk) Press(_ context.Context, p decision.Press) decision.Answer {
	return decision.Answer{Kind: decision.Done, Text: strings.TrimSpace(string(p.Verdict) + " by " + p.PersonID + " " + p.Reason)}
}

func (desk) Heard(string) {}

func TestPeoplePressButtons(t *testing.T) {
	g := farend.New(sandbox.Options{})
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	c := discord.Integration().New().(*discord.Config)
	c.Discord.Token, c.Discord.APIURL = config.NewSecret(g.Token()), g.URL()
	c.RoleToRecipients = recipient.Table{"*": g.Places()}
	c.Review.Enabled, c.Review.Reason = true, decision.ReasonDeny
	parts, err := c.Build(plugin.Deps{Log: zap.NewNop(), Transport: outbound.NewTransport(outbound.Options{UserAgent: "test", Base: base})})
	if err != nil {
		t.Fatal(err)
	}
	if p := parts.Decisions; p == nil || !p.Enabled || !p.AsksReason(request.Denied) {
		t.Errorf("the policy is %+v", p)
	}
	ctx, cancel := context.WithCancel(t.Context())
	listens := make(chan error, 1)
	go func() { listens <- parts.Service.(decision.Listener).Listen(ctx, desk{}) }()
	limit, end := context.WithTimeout(ctx, 40*time.Second)
	defer end()
	if err := g.Wait(limit, func() bool { return g.Gateway().Connected == 1 }); err != nil {
		t.Fatal(err)
	}
	v := request.View{ID: "0c0f", User: cluster.Alice, Roles: []string{"dev"}, Status: request.Pending, Decidable: true, Created: time.Now()}
	if _, err := parts.Service.Tell(ctx, integration.Place{Address: g.Places()[0]}, integration.Effect{Kind: integration.Announce}, v); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		person, request, verdict, reason, want string
	}{
		{cluster.Bob, "0c0f", "approve", "", "APPROVED by " + discordapi.BobID},
		{cluster.Carol, "0c0f", "deny", "not today", "DENIED by " + discordapi.CarolID + " not today"},
		{cluster.Carol, "0c0f", "deny", "", ""},
		{cluster.Bob, "another", "approve", "", ""},
		{"nobody", "0c0f", "approve", "", ""},
	} {
		saw, err := g.Press(limit, c.person, c.request, c.verdict, c.reason)
		if c.want == "" && err == nil || c.want != "" && (err != nil || !slices.Equal(saw, []string{c.want})) {
			t.Errorf("%+v: saw %q, %v", c, saw, err)
		}
	}
	if n := g.Gateway().Connected; n != 1 {
		t.Errorf("%d listen", n)
	}
	for what, disturb := range map[string]func(){"cut": g.CutGateway, "asked for a new one": g.AskReconnect} {
		before := g.Gateway().Resumes
		g.SilenceGateway("dial")
		disturb()
		if err := g.Wait(limit, func() bool { return g.Gateway().Connected == 0 }); err != nil || g.Gateway().Resumes != before {
			t.Errorf("%s: %d listen, %v", what, g.Gateway().Connected, err)
		}
		g.SilenceGateway("")
		g.CutGateway()
		if err := g.Wait(limit, func() bool { return g.Gateway().Connected == 1 }); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	cancel()
	if err := <-listens; err != nil {
		t.Error(err)
	}
	// Nobody listens any more.
	saw, err := g.Press(limit, cluster.Bob, "0c0f", "approve", "")
	if err == nil && !slices.Equal(saw, []string{discordapi.Failed}) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("saw %q, %v", saw, err)
	}
}

func TestTheSectionRecognisesThePeople(t *testing.T) {
	with, _ := farend.New(sandbox.Options{Outsiders: true}).Review()["users"].(map[string]string)
	if len(with) != 5 {
		t.Errorf("with outsiders it names %v", with)
	}
	r := farend.New(sandbox.Options{}).Review()
	if users, _ := r["users"].(map[string]string); r["enabled"] != true || users[discordapi.BobID] != cluster.Bob || len(users) != 4 {
		t.Errorf("got %v", r)
	}
}
