package farend_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/document"
)

// write writes a file.
func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// Whatever goes wrong with a program, others are told, nothing is approved, and nothing
// is lost: the request is decided once the program is well.
func TestNothingIsDecidedWhileAProgramFails(t *testing.T) {
	for name, ill := range map[string]string{
		"is missing": "", "is not executable": "", "crashes": "kill -SEGV $$", "fails": "echo '{\"decision\":\"approve\"}'; exit 1",
		"hangs": "sleep 60", "asks for time": "exit 75", "leaves a child that hangs": "sleep 60 & exit 1", "writes for ever": "exec cat /dev/zero",
		"complains for ever": "exec cat /dev/zero >&2", "says half of it": "printf '{\"decision\":\"app'; kill -9 $$",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			program, well, tried := filepath.Join(dir, "program"), filepath.Join(dir, "well"), filepath.Join(dir, "tried")
			text := fmt.Sprintf("#!/bin/sh\nif [ -e %s ]; then cat >/dev/null; echo '{\"decision\":\"approve\",\"reason\":\"well again\"}'; exit 0; fi\n: >%s\n%s\n", well, tried, ill)
			switch name {
			case "is missing":
			case "is not executable":
				write(t, program, text, 0o600)
			default:
				write(t, program, text, 0o700)
			}
			c := newCourt(t, func(tree map[string]any) {
				tree["endpoints"].(map[string]any)["gate"] = map[string]any{"command": []string{program}, "timeout": "500ms"}
				tree["role_to_recipients"] = map[string]any{"*": []string{"portal", "gate"}}
			}, all("approve"))
			c.start()
			id := c.request("editor")
			c.until("the other has heard, and this one was tried", func() bool {
				failed := c.logs.FilterMessage("A recipient could not be told; it is tried again").Len() > 0
				return len(c.far.Panel(0).Sights()) == 1 && failed
			})
			if c.state(id) != types.RequestState_PENDING {
				t.Fatalf("the request is %v", c.state(id))
			}
			write(t, well, "", 0o600)
			if ill == "" {
				write(t, program+".new", text, 0o700)
				if err := os.Rename(program+".new", program); err != nil {
					t.Fatal(err)
				}
			}
			c.becomes(id, types.RequestState_APPROVED)
			if r := c.reviews(id); len(r) != 1 || !strings.Contains(r[0].Reason, "well again") {
				t.Errorf("the reviews are %v", r)
			}
		})
	}
}

// An answer that is no answer is left at that: the endpoint was told, and people decide.
func TestAnswersThatAreNone(t *testing.T) {
	for name, answer := range map[string]any{
		"a text": "approve", "a number": 7, "a list": []string{"approve"}, "an unknown decision": says("maybe"),
		"a reason of a megabyte": map[string]string{"decision": "approve", "reason": strings.Repeat("x", 1<<20)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCourt(t, nil, func(endpoint string, _ document.Event) any {
				if endpoint == "policy" {
					return answer
				}
				return says("approve")
			})
			c.start()
			id := c.request("editor")
			c.shows(id, "PENDING")
			c.quiet(id)
			if c.state(id) != types.RequestState_PENDING || len(c.reviews(id)) > 0 {
				t.Errorf("the request is %v", c.state(id))
			}
			if n := c.logs.FilterMessageSnippet("since it is not understood").Len(); n != 1 {
				t.Errorf("logged %d times", n)
			}
			if err := c.cluster.Decide(id, types.RequestState_DENIED, "by hand"); err != nil {
				t.Fatal(err)
			}
			c.shows(id, "DENIED")
		})
	}
}
