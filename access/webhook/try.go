package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/google/uuid"

	"teleport-plugins/lib/document"
	"teleport-plugins/lib/file"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/vote"
)

// commands are those for the author of an endpoint. They need no cluster.
func commands() []plugin.Command {
	return []plugin.Command{
		{
			Name: "schema", Help: "Print the JSON Schema of events, or of answers.",
			Declare: func(cmd *kingpin.CmdClause) func(context.Context, plugin.Invocation) error {
				answer := cmd.Flag("answer", "Print that of answers.").Bool()
				return func(_ context.Context, c plugin.Invocation) error {
					text := document.Schema
					if *answer {
						text = document.AnswerSchema
					}
					_, err := io.WriteString(c.Out, text)
					return err //nolint:wrapcheck // the program says it
				}
			},
		},
		{
			Name: "try", Help: "Send one event to an endpoint, and print what it answers and what would be decided.",
			Declare: func(cmd *kingpin.CmdClause) func(context.Context, plugin.Invocation) error {
				var t trial
				cmd.Flag("endpoint", "Name of the endpoint in the config.").Required().StringVar(&t.endpoint)
				cmd.Flag("request", "File with the event to send, as printed by this command.").StringVar(&t.file)
				cmd.Flag("example", "Example to send: "+strings.Join(document.Examples(), ", ")+".").Default("created").EnumVar(&t.example, document.Examples()...)
				return t.run
			},
		},
	}
}

// trial is what the command try is asked.
type trial struct{ endpoint, file, example string }

func (t *trial) run(ctx context.Context, c plugin.Invocation) error {
	settings, err := c.Load()
	if err != nil {
		return err //nolint:wrapcheck // names the file
	}
	own := settings.(*Config) //nolint:forcetypeassert // of this package
	e, ok := own.Endpoints[t.endpoint]
	if !ok {
		return fmt.Errorf("the config has no endpoint %q; it has %s", t.endpoint, strings.Join(slices.Sorted(maps.Keys(own.Endpoints)), ", "))
	}
	r, err := newReceiver(t.endpoint, e, c.Deps.Transport, c.Deps.Log)
	if err != nil {
		return err
	}
	d, err := t.event()
	if err != nil {
		return err
	}
	packed, err := r.pack(d)
	if err != nil {
		return err
	}
	r.to.Show(c.Out, packed)
	said, err := r.deliver(ctx, d)
	if err != nil {
		fmt.Fprintf(c.Out, "\nOutcome: not told, and tried again later. Nothing would be decided.\n")
		return err
	}
	fmt.Fprintf(c.Out, "\nOutcome: told, in %v.\n", said.took.Round(time.Millisecond))
	fmt.Fprintf(c.Out, "Answer: decision %s, reason %q, wait %v.\n", said.Decision, message.Line(said.Reason), said.Wait)
	fmt.Fprintln(c.Out, "Decided would be: "+own.Decide.outlook(d, e, said))
	return nil
}

// event reads the event to send, and makes it a new one.
func (t *trial) event() (d document.Event, err error) {
	text, from := []byte(nil), "the example "+t.example
	if t.file == "" {
		text, err = document.Example(t.example)
	} else if text, err = file.Read(t.file); err != nil {
		err, from = file.Words(err), t.file
	}
	if err != nil {
		return d, fmt.Errorf("the event %s %w", from, err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return d, fmt.Errorf("the event in %s is not of the form that the command schema prints: %w", from, err)
	}
	d.ID, d.Time = "try_"+uuid.NewString(), time.Now().UTC().Truncate(time.Second)
	return d, nil
}

// outlook says what the answer would lead to, and why.
func (p *Policy) outlook(d document.Event, e Endpoint, said reply) string {
	asks := slices.Contains([]string{document.Prefix + document.Created, document.Prefix + document.Reviewed}, d.Type)
	switch {
	case said.fault != nil:
		return "nothing: " + said.fault.Error() + "."
	case !p.Enabled:
		return "nothing, since decide.enabled is not true."
	case !asks:
		return "nothing, since only the answers to created and reviewed count."
	case !p.covers(d.Request.Summary()):
		return "nothing, since the request is not pending, or asks for a role that decide.roles does not list, or for access that stays."
	case said.Decision == vote.None:
		return "nothing; it is left to people."
	case !slices.Contains(p.Allow, said.Decision):
		return fmt.Sprintf("nothing, since decide.allow does not list %s.", said.Decision)
	case said.Decision == vote.Approve && !e.Required:
		return "nothing by this endpoint alone, since it is not required; its denials count."
	case said.Decision == vote.Approve:
		return "approval, if every other required endpoint that hears of the request approves too, and none denies."
	}
	return "denial, whatever other endpoints say."
}
