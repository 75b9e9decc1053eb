package webhook

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/document"
)

func TestBadInputIsOneSentence(t *testing.T) {
	long := "whsec_" + strings.Repeat("A", 4)
	for name, tc := range map[string]struct{ config, want string }{
		"no endpoint":       {"", "endpoints: there are no endpoints; add one"},
		"name":              {"[endpoints.\"a/b\"]\nurl = \"https://a.example\"\n", "endpoints.\"a/b\": this is no name for an endpoint; write letters"},
		"neither":           {"[endpoints.portal]\n", "endpoints.portal: the endpoint has neither a url nor a command; set one of the two"},
		"both":              {"[endpoints.portal]\nurl = \"https://a.example\"\ncommand = [\"/bin/true\"]\n", "endpoints.portal.command: the endpoint has a url too; keep one"},
		"credentials":       {"[endpoints.portal]\nurl = \"https://bob:hunter2@a.example\"\n", "endpoints.portal.url: there are credentials in the address, where logs and proxies would show them; put them into headers"},
		"no address":        {"[endpoints.portal]\nurl = \"a.example\"\n", "endpoints.portal.url: this is not a web address; write for example"},
		"another scheme":    {"[endpoints.portal]\nurl = \"ftp://a.example\"\n", "endpoints.portal.url: this is not a web address"},
		"plain HTTP":        {"[endpoints.portal]\nurl = \"http://a.example\"\n", "endpoints.portal.url: http:// shows every request to all who are on the way, and they can forge decisions; write https://, or set insecure = true"},
		"no secret":         {"[endpoints.portal]\nurl = \"https://a.example\"\nsecret = \"hunter2hunter2\"\n", "endpoints.portal.secret: the secret does not begin with whsec_; make one with"},
		"no base64":         {"[endpoints.portal]\nurl = \"https://a.example\"\nsecret = \"whsec_hunter2_\"\n", "endpoints.portal.secret: what follows whsec_ in the secret is not base64"},
		"short secret":      {"[endpoints.portal]\nurl = \"https://a.example\"\nsecret = [\"" + secret + "\", \"" + long + "\"]\n", "endpoints.portal.secret: the secret has 3 bytes, and not between 24 and 64"},
		"secret of a type":  {"[endpoints.portal]\nurl = \"https://a.example\"\nsecret = [1]\n", "endpoints.portal.secret: this is a whole number, not a string; write the value in quotes"},
		"missing file":      {"[endpoints.portal]\nurl = \"https://a.example\"\nsecret = \"/nowhere/secret\"\n", "endpoints.portal.secret: the secret file \"/nowhere/secret\" does not exist"},
		"time":              {"[endpoints.portal]\nurl = \"https://a.example\"\ntimeout = \"2m\"\n", "endpoints.portal.timeout: 2m0s is not between 100ms and 1m0s"},
		"no time":           {"[endpoints.portal]\nurl = \"https://a.example\"\ntimeout = \"0s\"\n", "endpoints.portal.timeout: 0s is not between"},
		"event":             {"[endpoints.portal]\nurl = \"https://a.example\"\nevents = [\"create\"]\n", "endpoints.portal.events: there is no event \"create\"; choose among created, reviewed"},
		"format":            {"[endpoints.portal]\nurl = \"https://a.example\"\nformat = \"xml\"\n", "endpoints.portal.format: there is no such format; write teleport or opa"},
		"header of ours":    {"[endpoints.portal]\nurl = \"https://a.example\"\nheaders = {webhook-id = \"hunter2\"}\n", "endpoints.portal.headers.webhook-id: the plugin sets this header itself; remove it"},
		"no header":         {"[endpoints.portal]\nurl = \"https://a.example\"\nheaders = {\"a b\" = \"hunter2\"}\n", "endpoints.portal.headers.\"a b\": this is not the name of a header"},
		"header of lines":   {"[endpoints.portal]\nurl = \"https://a.example\"\nheaders = {a = \"hunter2\\nb: c\"}\n", "endpoints.portal.headers.a: the value cannot be sent"},
		"header from a var": {"[endpoints.portal]\nurl = \"https://a.example\"\nheaders = {a = \"env:NOWHERE_AT_ALL\"}\n", "endpoints.portal.headers.a: the environment variable \"NOWHERE_AT_ALL\" is not set"},
		"relative program":  {"[endpoints.portal]\ncommand = [\"decide.py\"]\n", "endpoints.portal.command: the program is not named by its whole path"},
		"an empty command":  {"[endpoints.portal]\ncommand = []\n", "endpoints.portal.command: it names no program"},
		"a shell line":      {"[endpoints.portal]\ncommand = \"/bin/decide --fast\"\n", "endpoints.portal.command: this is a string, not a list"},
		"misspelt":          {"[endpoints.portal]\nurl = \"https://a.example\"\nsecrte = \"hunter2\"\n", "endpoints.portal.secrte: this key is unknown and has no effect; did you mean endpoints.portal.secret"},
		"misspelt policy":   {"[endpoints.portal]\nurl = \"https://a.example\"\n[decide]\nalow = [\"deny\"]\n", "decide.alow: this key is unknown and has no effect; did you mean decide.allow"},
		"decision":          {"[endpoints.portal]\nurl = \"https://a.example\"\n[decide]\nallow = [\"approved\"]\n", "decide.allow: \"approved\" is no decision; write approve, deny or both"},
		"longer than calls": {"[endpoints.portal]\nurl = \"https://a.example\"\ntimeout = \"20s\"\n[delivery]\ncall_timeout = \"5s\"\n", "endpoints.portal.timeout: 20s is longer than delivery.call_timeout (5s)"},
		"a short lease":     {"[endpoints.portal]\nurl = \"https://a.example\"\ntimeout = \"20s\"\n[delivery]\nlease = \"30s\"\n", "delivery.lease: 30s is less than twice the longest timeout of an endpoint (22s)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := load(t, tc.config)
			if err == nil || strings.Count(err.Error(), "\n") > 0 || !strings.Contains(err.Error(), ": "+tc.want) {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is shown: %v", err)
			}
		})
	}
}

func TestWhatIsAllowedAndUnwiseIsAWarning(t *testing.T) {
	loose := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(loose, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const signed = "url = \"https://a.example\"\nsecret = \"" + secret + "\"\n"
	for name, tc := range map[string]struct{ config, want string }{
		"nothing":                {"[endpoints.portal]\n" + signed, ""},
		"this machine":           {"[endpoints.portal]\nurl = \"http://127.0.0.1:8181/v1/data/teleport\"\nsecret = \"" + secret + "\"\n", ""},
		"insecure":               {"[endpoints.portal]\nurl = \"http://a.example\"\ninsecure = true\nsecret = \"" + secret + "\"\n", "endpoints.portal.url: http:// shows every request"},
		"unsigned":               {"[endpoints.portal]\nurl = \"https://a.example\"\n", "endpoints.portal: events are not signed"},
		"no such endpoint":       {"[endpoints.gate]\n" + signed, "role_to_recipients.\"*\": there is no endpoint \"portal\", and nobody is told in its place"},
		"missing program":        {"[endpoints.portal]\ncommand = [\"/nowhere/decide\"]\n", "endpoints.portal.command: the program \"/nowhere/decide\" does not exist"},
		"not executable":         {"[endpoints.portal]\ncommand = [\"" + loose + "\"]\n", "endpoints.portal.command: the program \"" + loose + "\" is not executable"},
		"secret for a program":   {"[endpoints.portal]\ncommand = [\"/bin/sh\"]\nsecret = \"" + secret + "\"\n", "endpoints.portal.secret: it has no effect on a command"},
		"nothing to decide":      {"[endpoints.portal]\n" + signed + "[decide]\nenabled = true\n", "decide: roles or allow is empty, so that nothing is decided"},
		"expression":             {"[endpoints.portal]\n" + signed + "[decide]\nenabled = true\nroles = [\"^dev-.*$\"]\n", "decide.roles: this looks like a regular expression"},
		"never asked":            {"[endpoints.portal]\nevents = [\"denied\"]\n" + signed + "[decide]\nenabled = true\nroles = [\"*\"]\n", "endpoints.portal.events: the endpoint is never asked for a decision"},
		"never asked, and spare": {"[endpoints.portal]\nevents = [\"denied\"]\nrequired = false\n" + signed + "[decide]\nenabled = true\nroles = [\"*\"]\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, report, err := load(t, tc.config)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprint(report.Warnings)
			if tc.want == "" && len(report.Warnings) > 0 || tc.want != "" && (len(report.Warnings) != 1 || !strings.Contains(got, tc.want)) {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	c, _, err := load(t, "[endpoints.portal]\nurl = \"https://a.example\"\ntimeout = \"40s\"\n[endpoints.spare]\nurl = \"https://b.example\"\nrequired = false\n")
	if err != nil {
		t.Fatal(err)
	}
	portal, spare := c.Endpoints["portal"], c.Endpoints["spare"]
	if !portal.Required || spare.Required || portal.Format != "teleport" || time.Duration(spare.Timeout) != 10*time.Second || c.Decide.Enabled {
		t.Errorf("got %+v", c)
	}
	if d := c.Delivery; time.Duration(d.CallTimeout) != 42*time.Second || time.Duration(d.Lease) != 126*time.Second {
		t.Errorf("calls take %v and claims %v", d.CallTimeout, d.Lease)
	}
	for _, kind := range document.Kinds() {
		if !portal.takes(kind) {
			t.Errorf("the endpoint does not hear of %s", kind)
		}
	}
	if parts, err := c.Build(build(t, "[endpoints.portal]\nurl = \"https://a.example\"\n", nil).deps); err != nil || len(parts.Deciders) > 0 {
		t.Errorf("it decides without being asked to: %v, %v", parts.Deciders, err)
	}
}
