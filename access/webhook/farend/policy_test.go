package farend_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/webhook/farend"
	sandbox "teleport-plugins/lib/sandbox/farend"
)

// A visitor of the demonstration turns the switches of the policy, and sees requests
// approved and denied with its reasons.
func TestAVisitorTurnsTheSwitchesOfThePolicy(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3 here")
	}
	c := newDemo(t)
	c.start()
	for _, scene := range []struct {
		switches map[string]bool
		role     string
		state    types.RequestState
		reason   string
	}{
		{nil, "editor", types.RequestState_PENDING, ""},
		{map[string]bool{"computer": false}, "prod-admin", types.RequestState_DENIED, "alice@example.com has no registered computer, which admin roles need"},
		{map[string]bool{"approve": true}, "editor", types.RequestState_APPROVED, "no rule speaks against it"},
		{map[string]bool{"contractor": true}, "editor", types.RequestState_APPROVED, "no rule speaks against it"}, // the reason names a ticket
		{map[string]bool{"computer": true}, "prod-admin", types.RequestState_PENDING, ""},                         // takes two approvals
	} {
		for id, on := range scene.switches {
			if err := c.far.Switch(id, on); err != nil {
				t.Fatal(err)
			}
		}
		id := c.request(scene.role)
		c.becomes(id, scene.state)
		c.quiet(id)
		if r := c.reviews(id); (scene.reason != "") != (len(r) == 1 && r[0].Reason == scene.reason) && scene.role != "prod-admin" {
			t.Errorf("%+v: the reviews are %v", scene, r)
		}
	}
	said := 0
	p := c.far.Panel(0)
	for _, m := range p.Channels[0].Messages {
		if strings.HasPrefix(m.Text, `The endpoint answered: {"decision":`) {
			said++
		}
	}
	if said < 5 || len(p.Switches) != 3 || !p.Switches[0].On || !p.Switches[2].On {
		t.Errorf("the panel shows %d answers, and %+v", said, p.Switches)
	}
	if err := c.far.Switch("nothing", true); err == nil {
		t.Error("what is not there is switched")
	}
}

func newDemo(t *testing.T) *court {
	far := farend.New(sandbox.Options{Demo: true})
	return courtOf(t, far, func(tree map[string]any) {
		tree["role_to_recipients"] = map[string]any{"*": far.Places()[:1], "prod-admin": far.Places()[:2]}
		tree["decide"].(map[string]any)["roles"] = []string{"*"}
	})
}
