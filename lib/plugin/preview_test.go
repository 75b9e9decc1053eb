package plugin

import (
	"encoding/json"
	"strings"
	"testing"

	test "teleport-plugins/lib/sandbox/cluster"

	"teleport-plugins/lib/outbound"
)

// A body is shown with its structure, and without secrets.
func TestPayload(t *testing.T) {
	for name, tc := range map[string]struct {
		kind, body string
		want       string // as JSON; empty for an error
	}{
		"JSON":               {"application/json; charset=utf-8", `{"a":[1,15774258,1.5,1e30,"x"]}`, `{"a":[1,15774258,1.5,1e+30,"x"]}`},
		"no JSON":            {"application/json", `a=b`, ``},
		"a form":             {"application/x-www-form-urlencoded", `text=a+b&as_user=true`, `{"as_user":"true","text":"a b"}`},
		"JSON within a form": {"application/x-www-form-urlencoded", `blocks=%5B%7B%22n%22%3A2%7D%5D&x=%7Bno`, `{"blocks":[{"n":2}],"x":"{no"}`},
		"a token in a form":  {"application/x-www-form-urlencoded", `token=xoxb-1&a=b`, `{"a":"b"}`},
		"no form":            {"application/x-www-form-urlencoded", `%zz`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := payload(outbound.Held{ContentType: tc.kind, Body: []byte(tc.body)})
			text, _ := json.Marshal(got)
			if (err != nil) != (tc.want == "") || err == nil && string(text) != tc.want {
				t.Errorf("got %s, %v", text, err)
			}
		})
	}
}

// A service that makes no call before it fails has nothing to show.
func TestPreviewSaysWhyItShowsNothing(t *testing.T) {
	r := newRig(t)
	var stdout, stderr strings.Builder
	code := Run(integrationOf(r.desk), []string{"preview", "-c", r.config, "--user", test.Alice, "--role", "editor"}, &stdout, &stderr)
	if want := "the service did not get as far as the announcement: it made no call"; code != 1 || !strings.Contains(stderr.String(), want) || stdout.Len() > 0 {
		t.Errorf("exit code %d, %s%s", code, stdout.String(), stderr.String())
	}
}
