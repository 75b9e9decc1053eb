package plugin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kingpin/v2"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// teller tells the end below messages that it cannot change.
type teller struct{ told []integration.Effect }

func (*teller) Tells(integration.Kind) bool { return true }

func (*teller) Resolve(_ context.Context, name string) (string, error) { return name, nil }

func (*teller) Check(context.Context) error { return nil }

func (s *teller) Tell(_ context.Context, to integration.Place, e integration.Effect, _ request.View) (plugindata.Message, error) {
	s.told = append(s.told, e)
	return plugindata.Message{Channel: to.Address, ID: "1"}, nil
}

func TestATestMessageThatCannotBeEditedIsEnded(t *testing.T) {
	r := newRig(t)
	s := &teller{}
	i := integrationOf(r.desk)
	usual := i.New
	i.New = func() Settings {
		settings := usual().(*deskSettings)
		settings.instead = s
		return settings
	}
	code, out := command(i, "check", "-c", r.config, "--send")
	if want := []integration.Effect{{Kind: integration.Announce}, integration.Outcome(integration.End, request.Expired)}; code != 0 || !slices.Equal(s.told, want) {
		t.Errorf("exit code %d, told %v\n%s", code, s.told, out)
	}
}

// A program can have commands of its own, which read the config and need no cluster.
func TestAProgramsOwnCommand(t *testing.T) {
	r := newRig(t)
	i := integrationOf(r.desk)
	i.Commands = []Command{{
		Name: "greet", Help: "Greet.",
		Declare: func(cmd *kingpin.CmdClause) func(context.Context, Invocation) error {
			name := cmd.Flag("name", "Whom.").String()
			return func(_ context.Context, c Invocation) error {
				settings, err := c.Load()
				switch {
				case err != nil:
					return err
				case *name == "":
					return errors.New("greet whom?\nsay it with --name")
				}
				_, err = fmt.Fprintf(c.Out, "Hello %s, from %s; %v\n", *name, settings.Common().Teleport.Addr, c.Deps.Transport != nil)
				return err
			}
		},
	}}
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"greet", "-c", r.config, "--name", "Bob"}, 0, "Hello Bob, from " + r.cluster.Addr() + "; true\n"},
		{[]string{"greet", "-c", r.config}, 1, "greet whom?\nsay it with --name\n"},
		{[]string{"greet", "-c", "/nowhere"}, 1, "there is no such file"},
	} {
		var out bytes.Buffer
		if code := Run(i, tc.args, &out, &out); code != tc.code || !strings.Contains(out.String(), tc.want) {
			t.Errorf("%q: exit code %d, %s", tc.args, code, out.String())
		}
	}
	if code, out := command(integrationOf(r.desk), "greet"); code != 1 || strings.Contains(out, "Hello") {
		t.Errorf("another program has it too: exit code %d, %s", code, out)
	}
}
