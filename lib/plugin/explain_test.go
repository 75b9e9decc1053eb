package plugin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
	test "teleport-plugins/lib/sandbox/cluster"
)

// explained runs the command and reads its JSON.
func (r *rig) explained(args ...string) (e explanation, code int, out string) {
	r.Helper()
	var stdout, stderr strings.Builder
	code = Run(integrationOf(r.desk), append([]string{"explain", "-c", r.config, "--json"}, args...), &stdout, &stderr)
	if code == 0 {
		if err := json.Unmarshal([]byte(stdout.String()), &e); err != nil {
			r.Fatalf("%v\n%s", err, stdout.String())
		}
	}
	return e, code, stdout.String() + stderr.String()
}

// What explain cannot answer it says in one sentence.
func TestExplainSaysWhatItLacks(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		do   func(r *rig)
		want string
	}{
		"nothing is asked":        {nil, nil, "name a request with --request, or who asks for what with --user and --role"},
		"a role alone":            {[]string{"--role", "dev"}, nil, "with --user and --role"},
		"a request, and a user":   {[]string{"--request", "1", "--user", "x"}, nil, "--request names a request that exists; leave out --user"},
		"a request that is gone":  {[]string{"--request", "0c0f9d5e-1111-7222-8333-444455556677"}, nil, "the cluster shows no access request 0c0f9d5e-1111-7222-8333-444455556677"},
		"what is no resource":     {[]string{"--user", "alice", "--role", "dev", "--resource", "web"}, nil, `"web" names no resource; write kind/name`},
		"credentials are refused": {[]string{"--user", "alice", "--role", "dev"}, func(r *rig) { r.cluster.Revoke(test.PluginUser) }, "the cluster has locked the plugin out"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if tc.do != nil {
				tc.do(r)
			}
			_, code, out := r.explained(tc.args...)
			if code != 1 || !strings.Contains(out, tc.want) {
				t.Errorf("exit code %d:\n%s", code, out)
			}
		})
	}
}

func TestExplainARequestThatSomebodyMightMake(t *testing.T) {
	r := newRig(t)
	e, code, out := r.explained("--user", test.Alice, "--role", "editor", "--role", "admin", "--resource", "node/n1")
	if code != 0 || len(e.Recipients) != 1 {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	ops := e.Recipients[0]
	if e.Request != "" || e.Status != "PENDING" || !slices.Equal(e.Roles, []string{"admin", "editor"}) || !slices.Equal(e.Resources, []string{"/" + test.DefaultName + "/node/n1"}) {
		t.Errorf("got %+v", e)
	}
	if ops.Recipient != "ops" || ops.Why != "everybody hears of everything" || ops.Address != "ops" || ops.Due != "tell announce.0" {
		t.Errorf("got %+v", ops)
	}
	if posts := r.posted(); len(posts) > 0 {
		t.Errorf("explain posts %q", posts)
	}
}

// What was posted about a request is read from the record, and what is due follows
// from it.
func TestExplainARequestThatExists(t *testing.T) {
	r := newRig(t)
	id, err := r.cluster.CreateRequest(test.CreateParams{User: test.Alice, Roles: []string{"editor"}})
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := r.explained("--request", id)
	if len(before.Recipients) != 1 || before.Recipients[0].Due != "tell announce.0" || before.Request != id {
		t.Errorf("before it is announced: %+v", before)
	}
	record := map[string]string{
		"user": test.Alice, "roles": "editor", "messages": "desk 7/1",
		"deliveries": `{"request":1,"deliveries":[{"recipient":"old","address":"desk 7","posts":[{"channel":"desk 7","id":"1","shown":{"status":"PENDING"}}]}]}`,
	}
	if err := r.cluster.SetPluginData(id, "desk", record); err != nil {
		t.Fatal(err)
	}
	if err := r.cluster.Decide(id, types.RequestState_APPROVED, "fine"); err != nil {
		t.Fatal(err)
	}
	after, _, out := r.explained("--request", id)
	if len(after.Recipients) != 2 {
		t.Fatal(out)
	}
	old, ops := after.Recipients[0], after.Recipients[1]
	if !strings.Contains(ops.Due, "recipients are chosen once") {
		t.Errorf("somebody new: %+v", ops)
	}
	if old.Address != "desk 7" || len(old.Messages) != 1 || old.Due != "bring the message up to date" || !strings.Contains(old.Why, "it would not be now") {
		t.Errorf("somebody who was told: %+v", old)
	}
	code, text := command(integrationOf(r.desk), "explain", "-c", r.config, "--request", id)
	for _, line := range []string{
		"Request " + id + " of " + test.Alice + " for editor is APPROVED.",
		"\nold\n  because   chosen when the request was announced; it would not be now\n  address   desk 7\n  told      message 1 in desk 7, which shows PENDING and 0 reviews\n  due       bring the message up to date\n",
	} {
		if code != 0 || !strings.Contains(text, line) {
			t.Errorf("exit code %d, no %q in\n%s", code, line, text)
		}
	}
}

// What explain says of records that begin otherwise is what the engine would do.
func TestExplainIsTheEnginesOutlook(t *testing.T) {
	many := make([]string, 150)
	for i := range many {
		many[i] = fmt.Sprintf("desk %03d", i)
	}
	for name, tc := range map[string]struct {
		record map[string]string
		table  []string
		check  func(r *rig, e explanation)
	}{
		"a record of Teleport's own plugin": {
			record: map[string]string{"user": test.Alice, "roles": "editor", "messages": "desk 7/1"},
			check: func(r *rig, e explanation) {
				told, ops := e.Recipients[0], e.Recipients[1]
				if told.Recipient != "desk 7" || len(told.Messages) != 1 || told.Why != "was told by Teleport's own plugin" || told.Due != "" {
					r.Errorf("who was told: %+v", told)
				}
				if ops.Recipient != "ops" || !strings.HasPrefix(ops.Due, "nothing: recipients are chosen once") {
					r.Errorf("who would be chosen now: %+v", ops)
				}
			},
		},
		"a request that was seen when there was nobody to tell": {
			record: map[string]string{"user": test.Alice, "roles": "editor", "deliveries": `{"request":1}`},
			check: func(r *rig, e explanation) {
				if len(e.Recipients) != 1 || !strings.HasPrefix(e.Recipients[0].Due, "nothing: recipients are chosen once") {
					r.Errorf("%+v", e.Recipients)
				}
			},
		},
		"more recipients than a record has room for": {
			table: many,
			check: func(r *rig, e explanation) {
				due := 0
				for _, c := range e.Recipients {
					if c.Due == "tell announce.0" {
						due++
					} else if !strings.HasPrefix(c.Due, "nothing: there are too many recipients") {
						r.Errorf("%+v", c)
					}
				}
				if len(e.Recipients) != len(many) || due != plugindata.MaxDeliveries-1 {
					r.Errorf("%d recipients, of whom %d are told", len(e.Recipients), due)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.desk.recipients = tc.table
			id, err := r.cluster.CreateRequest(test.CreateParams{User: test.Alice, Roles: []string{"editor"}})
			if err == nil && tc.record != nil {
				err = r.cluster.SetPluginData(id, "desk", tc.record)
			}
			if err != nil {
				t.Fatal(err)
			}
			e, code, out := r.explained("--request", id)
			if code != 0 {
				t.Fatal(out)
			}
			tc.check(r, e)
		})
	}
}

// Names that strangers chose end no line and control no terminal.
func TestExplainShowsHostileNames(t *testing.T) {
	const hostile = "x\x1b[31m\n  due       nothing\u202e"
	e := &explanation{User: hostile, Roles: []string{hostile}, Resources: []string{hostile}, LeftOut: []string{hostile}, Notes: []string{hostile}}
	e.Recipients = []explained{{Choice: integration.Choice{Recipient: hostile, Why: hostile}, Address: hostile, Due: hostile}}
	text := e.text()
	if strings.ContainsAny(text, "\x1b\u202e") || strings.Count(text, "\n") != 10 {
		t.Errorf("%q", text)
	}
}
