package e2e_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/fault"
)

func TestSIGTERMEndsWithSuccess(t *testing.T) {
	w := start(t, harness.Options{})
	w.untilPosted(w.request())
	code, _, err := w.Replica(0).Stop()
	if err != nil || code != 0 {
		t.Errorf("exit code %d, %v", code, err)
	}
	if !strings.Contains(w.Replica(0).LogText(), "The plugin has shut down") {
		t.Error("the log does not say so")
	}
}

// A post that is under way when the process is asked to end is finished and
// recorded, so that the next process does not post again.
func TestSIGTERMFinishesWhatIsUnderWay(t *testing.T) {
	w := start(t, harness.Options{})
	w.Service().Faults().Add(fault.Fault{Method: w.Methods().Post, Effect: fault.Slow, DelayMS: 500})
	id := w.request()
	for len(w.Cluster.PluginData(id, w.Plugin())) == 0 { // until it is claimed
		select {
		case <-time.After(time.Millisecond):
		case <-w.patient().Done():
			t.Fatal("the request is not claimed")
		}
	}
	if code, _, err := w.Replica(0).Stop(); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v", code, err)
	}
	w.Service().Faults().Clear()
	w.must(w.Replica(0).Start())
	w.must(w.Replica(0).Ready(w.patient()))
	w.untilPosted(id)
}

// A SIGHUP takes up the config as it is now, within the same process.
func TestSIGHUPReloads(t *testing.T) {
	w := start(t, harness.Options{})
	began := w.Replica(0).Began()
	before := w.request()
	w.untilPosted(before)

	now := time.Now()
	w.must(w.Configure(map[string][]string{"*": {w.Service().Places()[1]}}, harness.ShortTimes))
	w.must(w.Replica(0).Signal(syscall.SIGHUP))
	w.logged("The config was reloaded", now)
	after := w.request()
	w.shows(
		harness.Expected{ID: before, Recipients: w.everyone()},
		harness.Expected{ID: after, Recipients: []string{w.Service().Places()[1], w.everyone()[1]}},
	)
	if w.Replica(0).Began() != began || !w.Replica(0).Running() {
		t.Error("the process is another")
	}
}

// With a config that is no good, a SIGHUP changes nothing.
func TestSIGHUPKeepsTheOldConfig(t *testing.T) {
	w := start(t, harness.Options{})
	now := time.Now()
	w.must(w.Configure(map[string][]string{"editor": {w.Service().Places()[1]}}, harness.ShortTimes))
	w.must(w.Replica(0).Signal(syscall.SIGHUP))
	w.logged("the old one stays in force", now)
	w.untilPosted(w.request())
}

func (w *world) logged(text string, since time.Time) {
	w.Helper()
	_, err := w.Replica(0).Logged(w.patient(), text, since)
	w.must(err)
}
