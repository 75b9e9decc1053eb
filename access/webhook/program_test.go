package webhook

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"teleport-plugins/lib/command/commandtest"
	"teleport-plugins/lib/document"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/request/requesttest"
	"teleport-plugins/lib/vote"
)

func running(path string, more ...string) string {
	return fmt.Sprintf("[endpoints.portal]\ncommand = [%q, \"--fast\"]\n%s\n", path, strings.Join(more, "\n"))
}

func TestAProgramIsGivenTheEvent(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	path := commandtest.Script(t,
		`{ echo "args: $*"; env; cat; } >`+seen,
		`echo complaint >&2`,
		`echo '{"decision":"approve","reason":"on call"}'`)
	r := build(t, running(path), nil)
	d := document.Of(announce, "evt_1", requesttest.Pending(), document.Facts{})
	got, err := r.endpoints["portal"].deliver(t.Context(), d)
	if err != nil || got.fault != nil || got.Answer != (document.Answer{Decision: vote.Approve, Reason: "on call"}) || got.hash == "" {
		t.Fatalf("got %+v, %v", got, err)
	}
	text, _ := os.ReadFile(seen)
	for _, want := range []string{"args: --fast\n", "\nTELEPORT_CLUSTER=example\n", `"type":"access_request.created","id":"evt_1"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the program saw %s", text)
		}
	}
	if n := r.logs.FilterMessage("A program wrote to stderr").FilterField(zap.String("request_id", requesttest.Pending().ID)).Len(); n != 1 {
		t.Errorf("logged %v", r.logs.All())
	}
}

// What a program leaves without an answer is tried again, and says nothing of the others.
func TestHowProgramsFail(t *testing.T) {
	for name, tc := range map[string]struct{ path, want string }{
		"missing":         {filepath.Join(t.TempDir(), "missing"), "does not exist; put it there"},
		"fails":           {commandtest.Script(t, "cat >/dev/null; echo '{\"decision\":\"approve\"}'; exit 3"), "the program failed: exit status 3; at severity debug"},
		"hangs":           {commandtest.Script(t, "exec sleep 60"), "did not answer in time and was ended"},
		"writes for ever": {commandtest.Script(t, "exec cat /dev/zero"), "the answer is longer than 64 KiB; the program was ended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timeout, kind := `timeout = "30s"`, outbound.Retry
			if strings.Contains(tc.want, "in time") {
				timeout, kind = `timeout = "400ms"`, outbound.Unclear
			}
			r := build(t, running(tc.path, timeout), nil)
			_, err := tell(t, r, announce, requesttest.Pending())
			if outbound.KindOf(err) != kind || err == nil || !strings.Contains(err.Error(), tc.want) || !outbound.Answered(err) {
				t.Errorf("got %v, of the kind %q", err, outbound.KindOf(err))
			}
		})
	}
}
