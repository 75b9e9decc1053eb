package timeline

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"teleport-plugins/access/e2e/harness"
)

// identities are rows about the plugin's own credentials at the cluster.
func identities() []Row {
	soon := func(_ *World, o *harness.Options) { o.RefreshIdentity = 200 * time.Millisecond }
	return []Row{
		{
			Name:    "identity file replaced by rename and by symlink swap in a burst",
			Promise: "each is taken up within seconds, without a restart",
			Setup:   func(w *World, _ *harness.Options) { w.halted = true },
			Run:     replacedIdentity,
		},
		{
			Name:    "identity expired at the start",
			Promise: "one sentence says so, with the file and the way out, and the exit code is 1",
			Setup:   func(w *World, _ *harness.Options) { w.halted = true },
			Run:     expiredAtStart,
		},
		{
			Name:    "identity expires while running, a fresh file comes later",
			Promise: "a warning at half and at 90 % of its life; the process goes on, says why it is deaf, and recovers",
			Setup: func(w *World, o *harness.Options) {
				soon(w, o)
				w.halted = true
			},
			Run: expiresLater,
		},
		{
			Name:    "identity file replaced by a broken one",
			Promise: "the old identity stays in use, and the log says why",
			Setup:   soon,
			Run:     brokenIdentity,
		},
		{
			Name:    "certificate authority rotated, then the identity renewed",
			Promise: "recovers with the new file",
			Setup:   soon,
			Run:     rotated,
		},
	}
}

// life is how long an identity lasts that is not to expire.
const life = time.Hour

func (w *World) issue(path string, d time.Duration) {
	if w.failed() == nil {
		w.must(w.Cluster.IssueIdentity(path, w.User(), d))
	}
}

// link makes the identity file that the config names a link to another, in one
// step, as the volumes of Kubernetes are swapped.
func (w *World) link(to string) {
	if w.failed() != nil {
		return
	}
	w.must(os.Symlink(to, w.Identity()+".next"))
	w.must(os.Rename(w.Identity()+".next", w.Identity()))
}

func replacedIdentity(w *World) {
	dir := filepath.Dir(w.Identity())
	w.again(0)
	for i, replace := range []func(){
		func() { w.issue(w.Identity(), life) },
		func() { w.issue(filepath.Join(dir, "second"), life); w.link("second") },
		func() { w.issue(filepath.Join(dir, "third"), life); w.link("third") },
	} {
		began := time.Now()
		w.burst(of(w, 5, 50), 0)
		replace()
		w.burst(of(w, 5, 50), of(w, 100*time.Millisecond, time.Second))
		w.logged(0, "Took up a new identity", began)
		w.promise(time.Since(began) < 30*time.Second, "replacement %d was taken up after %v", i, time.Since(began).Round(time.Second))
	}
	w.heal()
}

func expiredAtStart(w *World) {
	w.issue(w.Identity(), -time.Hour)
	w.create(3)
	if w.failed() != nil {
		return
	}
	w.must(w.Replica(0).Start())
	code, err := w.Replica(0).Wait()
	w.must(err)
	w.promise(code == 1, "the exit code is %d", code)
	var faults []string
	for _, l := range w.Replica(0).Logs() {
		if strings.Contains(l.Text, "ERROR") {
			faults = append(faults, l.Text)
		}
	}
	w.promise(len(faults) == 1 && strings.Contains(faults[0], "expired at") && strings.Contains(faults[0], w.Identity()),
		"the log says: %q", faults)
	w.issue(w.Identity(), life)
	w.heal()
	w.again(0)
}

func expiresLater(w *World) {
	// The cluster dates certificates back by a minute, so that a short one is old
	// from the start.
	d := of(w, 4*time.Second, 90*time.Second)
	began := time.Now()
	w.issue(w.Identity(), d)
	w.again(0)
	w.burst(of(w, 5, 50), 0)
	w.settle()
	if w.full {
		w.logged(0, "life_used_percent:50", began)
	}
	w.logged(0, "life_used_percent:90", began)
	w.pass(time.Until(began.Add(d + time.Second)))
	w.Cluster.CutConnections() // a real cluster ends them by itself
	w.burst(of(w, 5, 50), 0)
	w.says(false, "expired")
	w.issue(w.Identity(), life)
	w.heal()
}

func brokenIdentity(w *World) {
	began := time.Now()
	w.burst(of(w, 5, 50), 0)
	w.must(os.WriteFile(w.Identity()+".next", []byte("-----BEGIN RSA PRIVATE KEY-----\nMIIE"), 0o600))
	w.must(os.Rename(w.Identity()+".next", w.Identity()))
	w.logged(0, "cannot be used, the current one stays", began)
	w.Cluster.CutConnections()
	w.burst(of(w, 5, 50), 0)
	w.settle()
	began = time.Now()
	w.issue(w.Identity(), life)
	w.logged(0, "Took up a new identity", began)
	w.burst(of(w, 5, 50), 0)
	w.heal()
}

func rotated(w *World) {
	began := time.Now()
	w.burst(of(w, 5, 50), 0)
	w.must(w.Cluster.RotateCA())
	w.Cluster.CutConnections()
	w.burst(of(w, 5, 50), 0)
	w.says(false, "connected to Teleport")
	w.issue(w.Identity(), life)
	w.heal()
	w.logged(0, "Took up a new identity", began)
}
