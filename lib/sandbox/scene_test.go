package sandbox_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/journal"
)

// over waits until a play is over, and returns it.
func over(t *testing.T, sb *sandbox.Sandbox) sandbox.Play {
	t.Helper()
	waitFor(t, sb, func() bool { p := sb.State(1).Play; return p.Number > 0 && p.Over })
	return sb.State(1).Play
}

// told reports whether the story says something about a part.
func told(t *testing.T, sb *sandbox.Sandbox, part, text string) bool {
	t.Helper()
	_, body := call(t, sb, "GET", "/api/story", "")
	var story struct{ Entries []journal.Entry }
	decodeJSON(t, []byte(body), &story)
	for _, e := range story.Entries {
		if e.Part == part && strings.Contains(e.Text+" "+e.Detail, text) {
			return true
		}
	}
	return false
}

// A scene is played by one call. Whatever it set is undone, be it over or stopped.
func TestAScenePlaysAndCleansUp(t *testing.T) {
	sb := start(t, sandbox.Options{})
	startFakePlugin(t, sb)
	if status, body := call(t, sb, "POST", "/api/scenes", `{"service":"example","scene":"down"}`); status != 202 {
		t.Fatalf("got %d %s", status, body)
	}
	if status, body := call(t, sb, "POST", "/api/scenes", `{"service":"example","scene":"down"}`); status != 409 {
		t.Errorf("a second scene at the same time: %d %s", status, body)
	}
	waitFor(t, sb, func() bool { return len(sb.Faults().Services["example"]) > 0 && len(sb.State(0).Requests) > 0 })
	if status, _ := call(t, sb, "DELETE", "/api/scenes", ""); status != 204 {
		t.Errorf("stopping: %d", status)
	}
	if p := over(t, sb); p.Error != "The scene was stopped." || p.Service != "example" || p.Scene != "down" {
		t.Errorf("the play is %+v", p)
	}
	if f := sb.Faults().Services["example"]; len(f) > 0 {
		t.Errorf("these faults are left: %+v", f)
	}
	waitFor(t, sb, func() bool { return told(t, sb, journal.Teleport, "alice asks for demo-role") })
	if !told(t, sb, journal.Sandbox, "The example answers every call with the status 503.") {
		t.Error("the story does not tell of the scene")
	}
}

// However many replicas somebody runs, a scene leaves as many.
func TestASceneLeavesTheReplicasThatRanBefore(t *testing.T) {
	sb := start(t, sandbox.Options{})
	for range 2 {
		if err := sb.StartPlugin(standIn(t, "teleport-another"), t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	if err := sb.PlayScene("another", "killed"); err != nil {
		t.Fatal(err)
	}
	sb.StopScene()
	if list := sb.State(1).Plugins; len(list) != 2 || !over(t, sb).Over {
		t.Errorf("the plugins are %+v", list)
	}
}

// Several pages may begin and stop scenes at once. Whoever stops one waits for its end,
// and for no other.
func TestScenesAreBegunAndStoppedAtOnce(t *testing.T) {
	sb := start(t, sandbox.Options{})
	var pages sync.WaitGroup
	for range 4 {
		pages.Go(func() {
			for range 10 {
				_ = sb.PlayScene("example", "down") // another page may have begun one
				sb.StopScene()
			}
		})
	}
	pages.Wait()
	if p := sb.State(1).Play; !p.Over {
		t.Errorf("after all are stopped, the play is %+v", p)
	}
}

// Scenes about plugins are offered where the sandbox runs the plugin.
func TestScenesThatCanBePlayedAreOffered(t *testing.T) {
	sb := start(t, sandbox.Options{})
	offered := func() string {
		_, body := call(t, sb, "GET", "/api/scenes", "")
		var list []sandbox.Scene
		decodeJSON(t, []byte(body), &list)
		var names []string
		for _, one := range list {
			if one.Title == "" || one.Sentence == "" || len(one.Steps) == 0 {
				t.Errorf("the scene %+v is not described", one)
			}
			names = append(names, one.Service+"/"+one.Name)
		}
		return strings.Join(names, " ")
	}
	if got := offered(); got != "/cut example/down another/down" {
		t.Errorf("without plugins there are %s", got)
	}
	if err := sb.StartPlugin(standIn(t, "teleport-another"), t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if got := offered(); got != "/cut example/down another/down another/killed another/replicas" {
		t.Errorf("with a plugin there are %s", got)
	}
}

// The story is asked for by revision: what has not changed is not told again.
func TestTheStoryIsToldOnce(t *testing.T) {
	sb := start(t, sandbox.Options{})
	create(t, sb)
	waitFor(t, sb, func() bool { return told(t, sb, journal.Teleport, "alice asks for demo-role") })
	_, body := call(t, sb, "GET", "/api/story", "")
	var story struct {
		Rev     uint64
		Entries []journal.Entry
	}
	decodeJSON(t, []byte(body), &story)
	rev, err := json.Marshal(story.Rev)
	if err != nil || story.Rev == 0 {
		t.Fatalf("the story is %s", body)
	}
	if _, again := call(t, sb, "GET", "/api/story?after="+string(rev), ""); !strings.Contains(again, `"entries":[]`) {
		t.Errorf("after the newest revision there is %s", again)
	}
}
