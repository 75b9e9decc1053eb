package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
)

// somebody is what the command check user prints; its form as JSON is documented in
// the reference.
type somebody struct {
	User string `json:"user"`
	// Recipient is what the service knows the user by, and Address what it calls that
	// place; Fault says why the address is not known.
	Recipient string `json:"recipient,omitempty"`
	Address   string `json:"address,omitempty"`
	Fault     string `json:"fault,omitempty"`
	// Steps say who the user is at the service, and Decides whom a press is taken for,
	// where people may decide there.
	Steps   []identity.Step `json:"steps"`
	Decides []identity.Step `json:"decides,omitempty"`
}

// errCheckWords refuses what the command check does not know.
var errCheckWords = errors.New("check takes no words but user and a name, as in check user alice")

// checkCommands runs the command check, or check user.
func checkCommands(i Integration, f flags, args []string, stdout, stderr io.Writer, log *diag.Logger) int {
	words := f.checking.words
	switch {
	case len(words) == 0:
		return checkOnce(i, f, args, stdout, stderr, log)
	case len(words) != 2 || words[0] != "user" || words[1] == "":
		log.Error(errCheckWords.Error())
		return 1
	}
	return answerCommand(f, f.checking.json, stdout, stderr, log, func(ctx context.Context, log *diag.Logger) (answer, error) {
		return onSession(ctx, i, f, log, func(s *session, ctx context.Context) (answer, error) { return s.somebody(ctx, words[1]) })
	})
}

// somebody finds out who a Teleport user is at the service, step by step.
func (s *session) somebody(ctx context.Context, user string) (answer, error) {
	if s.parts.People == nil {
		return nil, fmt.Errorf("%s knows no people: nobody is told or decides in person there", s.integration.Title)
	}
	found := s.parts.People.Find(ctx, user)
	a := &somebody{User: user, Recipient: found.Name, Steps: found.Steps}
	if _, tells := s.parts.Service.(integration.Requester); tells && found.Name != "" {
		r := explained{}
		r.Recipient = found.Name
		s.resolve(ctx, &r)
		a.Address, a.Fault = r.Address, r.Fault
	}
	if _, ok := s.listener(); ok {
		a.Decides = decision.Look(ctx, s.desk(func(string) {}), user)
	}
	return a, nil
}

// text is the answer for a person.
func (a *somebody) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Teleport user %s\n", message.Line(a.User))
	table := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	row := func(word, text string) { fmt.Fprintf(table, "  %s\t%s\n", message.Line(word), message.Line(text)) }
	for _, s := range a.Steps {
		row(s.Source, s.Says)
	}
	switch {
	case a.Recipient == "":
		row("recipient", "none: nothing says who the user is")
	case a.Fault != "":
		row("recipient", a.Recipient)
		row("FAIL", a.Fault)
	default:
		row("recipient", a.Recipient)
		if a.Address != "" && a.Address != a.Recipient {
			row("address", a.Address)
		}
	}
	for _, s := range a.Decides {
		row(s.Source, s.Says)
	}
	_ = table.Flush() // to memory
	return b.String()
}
