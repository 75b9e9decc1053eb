package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"

	"teleport-plugins/lib/check"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	test "teleport-plugins/lib/sandbox/cluster"
)

// checkCase is a row of TestCheck: what is changed, and which lines must be there, as
// patterns. Lines that must not be there begin with a "!".
type checkCase struct {
	change func(r *rig)
	code   int
	want   []string
}

// deskChecks are rows about the service.
func deskChecks() map[string]checkCase {
	checks := func(err error) func(*rig) {
		return func(r *rig) { r.desk.check = func(context.Context) error { return err } }
	}
	finds := func(faults ...error) func(*rig) { return func(r *rig) { r.desk.faults = faults } }
	proves := func(err error) func(*rig) {
		return func(r *rig) { r.desk.prove = func(context.Context) error { return err } }
	}
	return map[string]checkCase{
		"all is well": {func(*rig) {}, 0, []string{
			`^ok\s+config /`, `^ok\s+running as user`, `^ok\s+log to stderr`, `^ok\s+Teleport identity`, `^ok\s+set-up of Desk`, `^ok\s+Desk credentials$`,
			`^ok\s+drawers of the desk$`, `^ok\s+recipient ops$`, `^ok\s+connection to Teleport at 127`,
			`^ok\s+cluster ` + test.DefaultName + `, version ` + test.DefaultVersion + `, as user ` + test.PluginUser, `!FAIL`, `!skip`,
		}},
		"a service that cannot be set up": {func(r *rig) { r.write("broken") }, 1, []string{
			`^FAIL\s+set-up of Desk: the desk has three legs`, `^skip\s+Desk credentials`, `^ok\s+connection`, `^ok\s+write plugin data`, `!ok\s+Desk cred`,
		}},
		"refused credentials": {checks(refusedToken()), 1, []string{
			`^FAIL\s+Desk credentials: not accepted: .*invalid_auth`, `^skip\s+drawers`, `^skip\s+recipient ops`, `^ok\s+connection`, `!ok\s+Desk cred`,
		}},
		"credentials that may not ask about themselves": {checks(&outbound.Error{Kind: outbound.Refused, Scope: outbound.TheMethod, Op: "check", Code: "missing_scope"}), 0, []string{
			`^note\s+Desk credentials: known, but`, `^ok\s+recipient ops`,
		}},
		"a service out of reach": {checks(errors.New("no such host")), 1, []string{`^FAIL\s+Desk credentials: no such host`, `^ok\s+cluster ` + test.DefaultName}},
		"a rate limit": {func(r *rig) {
			held := true
			r.desk.check = func(context.Context) error {
				defer func() { held = false }()
				if held {
					return &outbound.Error{Kind: outbound.Wait, Op: "check", After: 10 * time.Millisecond}
				}
				return nil
			}
		}, 0, []string{`^ok\s+Desk credentials$`, `!FAIL`}},
		"what a service says to a terminal": {checks(&outbound.Error{Kind: outbound.Refused, Scope: outbound.TheToken, Op: "check", Err: errors.New("evil\x1b[2J\nok    everything")}), 1, []string{
			`^FAIL\s+Desk credentials: .*evil`, `!\x1b`, `!^ok    everything`,
		}},
		"a service that hangs": {func(r *rig) {
			r.desk.check = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		}, 1, []string{`^FAIL\s+Desk credentials: no answer within 5s`, `^ok\s+connection`, `^ok\s+watch access requests`}},
		"a service whose token and a cluster whose address are wrong": {func(r *rig) {
			checks(refusedToken())(r)
			r.unreachable()
		}, 1, []string{`^FAIL\s+Desk credentials.*invalid_auth`, `^FAIL\s+connection to Teleport at 127\.0\.0\.1:1: `}},
		"a note":                {func(r *rig) { r.write("first", `note = "no carpet"`) }, 0, []string{`^note\s+desk: no carpet`, `!FAIL`}},
		"what is fit for a few": {finds(check.Lack("one is small")), 0, []string{`^note\s+drawers of the desk: one is small`, `!FAIL`}},
		"a fault of the service, and a lack": {finds(errors.New("one is locked"), check.Lack("one is small")), 1, []string{
			`^FAIL\s+drawers of the desk: one is locked`, `^note\s+drawers of the desk: one is small`, `^ok\s+recipient`,
		}},
		"a recipient that cannot be told":      {proves(errors.New("there is no such desk")), 1, []string{`^FAIL\s+recipient ops: there is no such desk`}},
		"a recipient that cannot be looked at": {proves(check.Lack("it has a curtain")), 0, []string{`^note\s+recipient ops: it has a curtain`}},
	}
}

// clusterChecks are rows about the cluster.
func clusterChecks() map[string]checkCase {
	deny := func(kind string, verbs ...string) func(*rig) {
		return func(r *rig) { r.cluster.Deny(test.PluginRole, kind, verbs...) }
	}
	return map[string]checkCase{
		"a cluster out of reach": {(*rig).unreachable, 1, []string{`^FAIL\s+connection to Teleport`, `^skip\s+watch`, `^ok\s+Desk cred`, `^ok\s+recipient`, `!cluster .*version`}},
		"no right to watch":      {deny(types.KindAccessRequest), 1, []string{`^FAIL.*access_request`, `^ok\s.*access_plugin_data`}},
		"no right to list":       {deny(types.KindAccessRequest, types.VerbList), 1, []string{`^FAIL.*add the rule access_request: list, read`, `^ok\s.*access_plugin_data`}},
		"a plugin that is locked out": {func(r *rig) { r.cluster.Revoke(test.PluginUser) }, 1, []string{
			`^FAIL.*locked the plugin out`, `!add the rule`,
		}},
		"no right to records":                {deny(types.KindAccessPluginData), 1, []string{`^ok\s.*access_request`, `^FAIL\s+write plugin data`}},
		"records that cannot be written now": {func(r *rig) { r.cluster.FailCalls("UpdatePluginData", codes.Unavailable, 0) }, 1, []string{`^FAIL\s+write plugin data`}},
		"no right to roles":                  {deny(types.KindRole), 0, []string{`^note\s+read the logins of roles.*add the rule role: read`, `!FAIL`}},
		"no right to rules":                  {deny(types.KindAccessMonitoringRule), 0, []string{`^note\s+access monitoring rules.*access_monitoring_rule: list, read`, `!FAIL`}},
		"a rule that is not understood": {func(r *rig) { r.rule("odd", "nonsense(", "ops") }, 0, []string{
			`^note\s+access monitoring rules.*cannot be understood.*rule odd`,
		}},
		"a rule with another recipient": {func(r *rig) { r.rule("fine", "true", "attic") }, 0, []string{`^ok\s+recipient ops`, `^ok\s+recipient attic`}},
		"an identity that has expired": {func(r *rig) { r.identity(-time.Minute) }, 1, []string{
			`^FAIL\s+Teleport identity: .*expired`, `^skip\s+connection`, `^ok\s+Desk cred`,
		}},
	}
}

// machineChecks are rows about the config and its files.
func machineChecks() map[string]checkCase {
	change := func(name string, mode os.FileMode) func(*rig) {
		return func(r *rig) {
			if err := os.Chmod(r.beside(name), mode); err != nil {
				r.Fatal(err)
			}
		}
	}
	return map[string]checkCase{
		"a key that does not exist": {func(r *rig) { r.write("first", "color = 1") }, 1, []string{`^FAIL\s+config /\S+:9: desk\.color`, `^ok\s+Desk cred`, `^ok\s+connection`}},
		"a fault in another section": {func(r *rig) { r.write("first", "[access_list_reminders]", `delay = "1ns"`) }, 1, []string{
			`^FAIL\s+config /\S+: access_list_reminders\.delay`, `^skip\s+set-up of Desk`, `^ok\s+connection`, `^ok\s+watch`,
		}},
		"two faults": {func(r *rig) { r.write("first", "[log]", `severity = "loud"`, `format = "verse"`) }, 1, []string{`^FAIL.*log\.severity`, `^FAIL.*log\.format`}},
		"a key and a section that do not exist beside another fault": {func(r *rig) {
			r.write("first", "color = 1", "[lug]", `format = "text"`, "[log]", `severity = "loud"`)
		}, 1, []string{`^FAIL.*desk\.color`, `^FAIL.*lug`, `^FAIL.*log\.severity`}},
		"no TOML":                {func(r *rig) { r.writeText("[teleport\n") }, 1, []string{`^FAIL\s+config /`, `!skip`, `!ok`}},
		"a hint":                 {func(r *rig) { r.write("first", "[access_list_reminders]", "interval = 7200000000000") }, 0, []string{`!FAIL`}},
		"an unclear environment": {func(r *rig) { r.Setenv(failFastVariable, "perhaps") }, 1, []string{`^FAIL\s+the environment variable ` + failFastVariable}},
		"a log that cannot be opened": {func(r *rig) { r.write("first", "[log]", `output = "/nowhere/at/all.log"`) }, 1, []string{
			`^FAIL\s+log to /nowhere/at/all\.log: the log file cannot be made, since its folder does not exist$`, `^ok\s+connection`,
		}},
		"a log in a file":                 {func(r *rig) { r.write("first", "[log]", `output = "`+r.logFile+`"`) }, 0, []string{`^ok\s+log to /`}},
		"a config that all may change":    {change("config.toml", 0o602), 1, []string{`^FAIL\s+config /\S+config\.toml: every user of this machine can write this file; take the permission away with chmod o-w`}},
		"an identity that all may read":   {change("identity", 0o604), 0, []string{`^note\s+config /\S+ teleport\.identity: every user of this machine can read the identity file "/\S+identity"; take the permission away with chmod o-r`, `!FAIL`}},
		"a directory that all may change": {change(".", 0o777), 1, []string{`^FAIL\s+config /\S+ teleport\.identity: every user of this machine can replace the identity file .*chmod o-w`}},
	}
}

// The command check names whatever is wrong, and its exit code says whether the plugin
// can do its work: where all is well, it starts and tells a request.
func TestCheck(t *testing.T) {
	for _, cases := range []map[string]checkCase{deskChecks(), clusterChecks(), machineChecks()} {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				r := newRig(t)
				c.change(r)
				code, out := command(integrationOf(r.desk), "check", "-d", "-c", r.config, "--timeout=5s")
				if code != c.code {
					t.Errorf("exit code %d, want %d", code, c.code)
				}
				for _, line := range c.want {
					pattern, never := strings.CutPrefix(line, "!")
					if regexp.MustCompile(`(?m)`+pattern).MatchString(out) == never {
						t.Errorf("a line %q: %v", pattern, never)
					}
				}
				if posts := r.posted(); len(posts) > 0 {
					t.Errorf("check posts %q", posts)
				}
				if t.Failed() {
					t.Log(out)
				}
				if c.code == 0 {
					r.works()
				}
			})
		}
	}
}

// works starts the plugin and makes a request, which must be told.
func (r *rig) works() {
	r.Helper()
	r.start(true)
	r.request()
	r.until("the request is told", func() bool { return len(r.posted()) > 0 })
	r.stop()
}

// unreachable has the config name a cluster that is not there.
func (r *rig) unreachable() {
	r.writeText("[teleport]\naddr = \"127.0.0.1:1\"\nidentity = \"" + r.beside("identity") + "\"\n")
}

// rule adds an access monitoring rule for the desk.
func (r *rig) rule(name, condition string, recipients ...string) {
	r.Helper()
	if err := r.cluster.PutRule(test.Rule{Name: name, Condition: condition, Plugin: "desk", Recipients: recipients}); err != nil {
		r.Fatal(err)
	}
}

// Check leaves nothing behind in the cluster, though it tries to write.
func TestCheckLeavesNoRecord(t *testing.T) {
	r := newRig(t)
	id, err := r.cluster.CreateRequest(test.CreateParams{User: test.Alice, Roles: []string{"demo-role"}})
	if err != nil {
		t.Fatal(err)
	}
	if code, out := command(integrationOf(r.desk), "check", "-c", r.config); code != 0 {
		t.Fatal(out)
	}
	if got := r.cluster.PluginData(id, "desk"); len(got) > 0 {
		t.Errorf("the record of a request holds %v", got)
	}
}

// A log file that was not there is not there afterwards, and one that was stays as it is.
func TestCheckLeavesTheLogAsItWas(t *testing.T) {
	r := newRig(t)
	r.write("first", "[log]", `output = "`+r.logFile+`"`)
	for _, before := range []string{"", "line\n"} {
		if before != "" {
			if err := os.WriteFile(r.logFile, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if code, out := command(integrationOf(r.desk), "check", "-c", r.config); code != 0 {
			t.Fatal(out)
		}
		if _, err := os.Stat(r.logFile); r.log() != before || (err == nil) != (before != "") {
			t.Errorf("the log holds %q, was %q, %v", r.log(), before, err)
		}
	}
	if files, err := filepath.Glob(r.beside("*")); err != nil || len(files) != 3 {
		t.Errorf("left are %q, %v", files, err)
	}
}

func TestCheckPrintsJSON(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*rig)
		ok     bool
		want   check.Line
	}{
		"all well": {func(*rig) {}, true, check.Line{Name: "recipient", Result: check.OK, Text: "recipient ops"}},
		"a fault": {func(r *rig) {
			r.desk.prove = func(context.Context) error { return errors.New("gone") }
		}, false, check.Line{Name: "recipient", Result: check.Failed, Text: "recipient ops: gone"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			c.change(r)
			code, out := command(integrationOf(r.desk), "check", "-c", r.config, "--json")
			var got checkReport
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got.OK != c.ok || (code == 0) != c.ok || !slices.Contains(got.Checks, c.want) || got.Checks[0].Name != "config" {
				t.Errorf("exit code %d, %s", code, out)
			}
		})
	}
}

// Scripts read a document, be it that check cannot even begin.
func TestCheckPrintsJSONWhereItCannotBegin(t *testing.T) {
	r := newRig(t)
	code, out := command(integrationOf(r.desk), "check", "-c", r.config, "--json", "--run-as", "nobody-here")
	var got checkReport
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if code != 1 || got.OK || len(got.Checks) != 1 || got.Checks[0].Name != "run-as" || got.Checks[0].Result != check.Failed {
		t.Errorf("exit code %d, %s", code, out)
	}
}

// With --send each recipient gets one message, which is no request's, and the cluster
// nothing.
func TestCheckSendsATestMessage(t *testing.T) {
	r := newRig(t)
	r.rule("fine", "true", "attic", "ops")
	before := r.cluster.Calls()
	code, out := command(integrationOf(r.desk), "check", "-c", r.config, "--send", "--recipient=cellar", "--recipient=ops")
	for _, name := range []string{"ops", "attic", "cellar"} {
		if !strings.Contains(out, "ok    test message to recipient "+name+"\n") || !strings.Contains(out, "ok    recipient "+name+"\n") {
			t.Errorf("%s is not told", name)
		}
	}
	if code != 0 || len(r.desk.views) != 3 || len(r.desk.shown) != 3 {
		t.Errorf("exit code %d, told %d times, edited %d times", code, len(r.desk.views), len(r.desk.shown))
	}
	for _, v := range slices.Concat(r.desk.views, r.desk.shown) {
		if v.Reason != "Test message from teleport-desk check; nobody asks for access" || v.Decidable || v.ID == "" || v.ID != r.desk.views[0].ID {
			t.Errorf("told is %+v", v)
		}
	}
	after := r.cluster.Calls()
	if n := after["UpdatePluginData"] - before["UpdatePluginData"]; n != 1 { // the trial of the permission
		t.Errorf("%d writes to records", n)
	}
	if t.Failed() {
		t.Log(out)
	}
}

func TestATestMessageThatFailsIsAFault(t *testing.T) {
	r := newRig(t)
	r.desk.post = func(context.Context) error { return errors.New("the desk is full") }
	code, out := command(integrationOf(r.desk), "check", "-c", r.config, "--send")
	if code != 1 || !strings.Contains(out, "FAIL  test message to recipient ops: the desk is full") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

func TestAWebAddressIsNoRecipientToPrint(t *testing.T) {
	r := newRig(t)
	_, out := command(integrationOf(r.desk), "check", "-c", r.config, "--recipient=https://desk.example.com/hook/s3cret", "--send")
	if strings.Contains(out, "s3cret") || !strings.Contains(out, "recipient with a web address") {
		t.Error(out)
	}
}

func TestCheckNotesAVersionThatIsNotTested(t *testing.T) {
	r := newRigAt(t, test.Options{ServerVersion: "9.0.0"})
	code, out := command(integrationOf(r.desk), "check", "-c", r.config)
	if code != 0 || !regexp.MustCompile(`(?m)^note .*runs version 9\.0\.0`).MatchString(out) {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// What a rate limit holds back for longer than a leg may take is not known to be wrong.
func TestCheckUnderARateLimitThatLasts(t *testing.T) {
	r := newRig(t)
	r.desk.check = func(context.Context) error {
		return &outbound.Error{Kind: outbound.Wait, Op: "check", After: time.Hour}
	}
	code, out := command(integrationOf(r.desk), "check", "-c", r.config)
	if code != 0 || !strings.Contains(out, "note  Desk credentials: not tried for now: ") || !strings.Contains(out, "ok    recipient ops") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

// A test message is shown as over even where that fails at first, and where it cannot be,
// the message is named.
func TestTestMessagesAreEnded(t *testing.T) {
	down := &outbound.Error{Kind: outbound.Unclear, Op: "edit", Status: 500, Err: errors.New("down")}
	for name, tc := range map[string]struct {
		fails int
		err   error
		code  int
		want  string
	}{
		"at once":         {0, nil, 0, `^ok\s+test message to recipient ops`},
		"the second time": {1, down, 0, `^ok\s+test message to recipient ops`},
		"never":           {9, down, 1, `^FAIL\s+test message to recipient ops: posted as 1 in ops, but not edited`},
		"not allowed":     {9, &outbound.Error{Kind: outbound.Refused, Op: "edit"}, 1, `^FAIL\s+test message to recipient ops: posted as 1 in ops`},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			tries, ended := 0, false
			r.desk.show = func(m plugindata.Message, v request.View) error {
				if tries++; tries <= tc.fails {
					return tc.err
				}
				ended = v.Status == request.Expired && m.ID == "1"
				return nil
			}
			code, out := command(integrationOf(r.desk), "check", "-c", r.config, "--recipient", "ops", "--send")
			if code != tc.code || !regexp.MustCompile(`(?m)`+tc.want).MatchString(out) || ended != (tc.code == 0) {
				t.Errorf("exit code %d, ended: %v\n%s", code, ended, out)
			}
		})
	}
}
