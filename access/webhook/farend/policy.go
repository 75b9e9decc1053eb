package farend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"teleport-plugins/access/webhook/examples/workflow"
	"teleport-plugins/lib/document"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/panel"
)

// policyTime bounds one run of the program.
const policyTime = 5 * time.Second

// policy is the program of the guide, which the endpoint of that name runs in a
// demonstration. Visitors set what it goes by.
type policy struct {
	dir      string // where the program and its facts are
	switches []panel.Switch
}

// The switches.
const (
	computer   = "computer"
	contractor = "contractor"
	approve    = "approve"
)

func newPolicy() (*policy, error) {
	dir, err := os.MkdirTemp("", "teleport-webhook-policy-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the policy: %w", err)
	}
	const group = "policy.py, which decides at the endpoint policy"
	p := &policy{dir: dir, switches: []panel.Switch{
		{ID: computer, Group: group, Title: "Alice's computer is registered", Label: "Alice's computer is registered, without which admin roles are denied", On: true},
		{ID: contractor, Group: group, Title: "Alice is a contractor", Label: "Alice is a contractor, who needs a ticket such as INC-204 in the reason"},
		{ID: approve, Group: group, Title: "Approve what no rule speaks against", Label: "What no rule speaks against is approved, and not left to people"},
	}}
	if err := os.WriteFile(filepath.Join(dir, "policy.py"), []byte(workflow.Python), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the policy: %w", err), p.close())
	}
	return p, nil
}

func (p *policy) close() error {
	if err := os.RemoveAll(p.dir); err != nil {
		return fmt.Errorf("removing the policy: %w", err)
	}
	return nil
}

// set sets a switch.
func (p *policy) set(id string, on bool) error {
	for i := range p.switches {
		if p.switches[i].ID == id {
			p.switches[i].On = on
			return nil
		}
	}
	return fmt.Errorf("there is no switch %q", id)
}

// facts are what the switches say.
func (p *policy) facts() workflow.Facts {
	f := workflow.Facts{Registered: []string{cluster.Bob, cluster.Carol, cluster.Dave}, Contractors: []string{}}
	for _, s := range p.switches {
		switch {
		case s.ID == computer && s.On:
			f.Registered = append(f.Registered, cluster.Alice)
		case s.ID == contractor && s.On:
			f.Contractors = append(f.Contractors, cluster.Alice)
		case s.ID == approve:
			f.Approve = s.On
		}
	}
	return f
}

// decide runs the program, as any receiver in any language would decide. It returns
// what the program answers, or what keeps it from that.
func (p *policy) decide(d document.Event) (answer json.RawMessage, err error) {
	facts, err := json.Marshal(p.facts())
	if err == nil {
		err = os.WriteFile(filepath.Join(p.dir, "facts.json"), facts, 0o600)
	}
	event, bad := json.Marshal(d)
	if err = errors.Join(err, bad); err != nil {
		return nil, fmt.Errorf("preparing policy.py: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), policyTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", filepath.Join(p.dir, "policy.py"))
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(event), &said
	answer, err = cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("policy.py was not run, since there is no python3 on this machine: %w", err)
	case err != nil:
		return nil, fmt.Errorf("policy.py failed: %w: %s", err, strings.TrimSpace(said.String()))
	case !json.Valid(answer):
		return nil, fmt.Errorf("policy.py answered no JSON: %q", answer)
	}
	return answer, nil
}
