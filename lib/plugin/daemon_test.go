package plugin

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestASignalEndsTheStart(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			r := newRig(t)
			begun, _ := r.checking()
			r.start(false)
			<-begun
			r.signals <- sig
			if err := r.wait(); err != nil {
				t.Errorf("the end: %v", err)
			}
		})
	}
}

func TestAReloadTakesUpTheNewConfig(t *testing.T) {
	r := newRig(t)
	r.start(true)
	r.request()
	r.until("the first post is there", func() bool { return len(r.posted()) == 1 })
	r.write("second")
	r.signals <- syscall.SIGHUP
	r.until("the config is reloaded", r.logged("The config was reloaded"))
	r.request()
	r.until("the second post is there", func() bool { return len(r.posted()) == 2 })
	r.signals <- syscall.SIGTERM
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if got := r.posted(); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("posted by %q", got)
	}
}

// A config that is changed again while it is read is read again.
func TestNoReloadIsMissed(t *testing.T) {
	for name, during := range map[string]func(r *rig, reload func(name string)){
		"while the one before is prepared": func(r *rig, reload func(string)) {
			begun, letGo := r.checking()
			reload("second")
			<-begun
			reload("third")
			letGo()
		},
		"while the session before finishes": func(r *rig, reload func(string)) {
			letGo := r.posting()
			r.desk.with(func() { r.desk.post = nil })
			reload("second")
			r.until("the next session is prepared", func() bool { return r.desk.checked() == 2 })
			reload("third")
			letGo()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.start(true)
			during(r, func(name string) {
				r.write(name)
				r.signals <- syscall.SIGHUP
			})
			r.until("the config is reloaded twice", func() bool { return strings.Count(r.log(), "The config was reloaded") == 2 })
			r.request()
			r.until("the last config is in use", func() bool { return slices.Contains(r.posted(), "third") })
			r.signals <- syscall.SIGTERM
			if err := r.wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestABrokenConfigLeavesTheOldOneInForce(t *testing.T) {
	for name, breakIt := range map[string]func(r *rig){
		"no TOML": func(r *rig) {
			if err := os.WriteFile(r.config, []byte("[teleport\n"), 0o600); err != nil {
				r.Fatal(err)
			}
		},
		"refused credentials": func(r *rig) {
			r.write("second")
			r.desk.with(func() {
				r.desk.check = func(context.Context) error {
					return refusedToken()
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.start(true)
			breakIt(r)
			r.signals <- syscall.SIGHUP
			r.until("the old config stays", r.logged("The new config is not used; the old one stays in force"))
			if s := r.daemon.health.Status(); !s.Ready {
				t.Errorf("a config that is not used harms the state: %s", s)
			}
			r.request()
			r.until("the post is there", func() bool { return slices.Contains(r.posted(), "first") })
			r.signals <- syscall.SIGTERM
			if err := r.wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestASignalEndsAReload(t *testing.T) {
	r := newRig(t)
	r.start(true)
	begun, _ := r.checking()
	r.signals <- syscall.SIGHUP
	<-begun
	r.signals <- syscall.SIGTERM
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	if strings.Contains(r.log(), "ERROR") {
		t.Errorf("the end of a reload is told as an error:\n%s", r.log())
	}
}

// What is under way may finish after the first signal, and not after the second.
func TestTheSecondSignalEndsAtOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		signals []os.Signal
		want    error
	}{
		"one":                 {[]os.Signal{syscall.SIGTERM}, nil},
		"an echo, as timeout": {[]os.Signal{syscall.SIGTERM, syscall.SIGTERM}, nil},
		"of another kind":     {[]os.Signal{syscall.SIGTERM, syscall.SIGINT}, errForced},
		"others do not count": {[]os.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.start(true)
			letGo := r.posting()
			for _, sig := range tc.signals {
				r.signals <- sig
			}
			r.until("the signals are seen", func() bool { return len(r.signals) == 0 })
			if tc.want == nil {
				letGo()
			} else {
				defer letGo()
			}
			if err := r.wait(); !errors.Is(err, tc.want) {
				t.Errorf("the end: %v, want %v", err, tc.want)
			}
		})
	}
}
