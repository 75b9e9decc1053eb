package check_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"teleport-plugins/lib/check"
)

func failing(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func hangs(ctx context.Context) error {
	<-ctx.Done()
	return fmt.Errorf("asking: %w", ctx.Err())
}

func TestEachLegIsReportedOnItsOwn(t *testing.T) {
	bad := failing(errors.New("broken"))
	for name, c := range map[string]struct {
		legs []check.Leg
		want []string
		ok   bool
	}{
		"all well":                 {[]check.Leg{{Name: "a", What: "first", Try: failing(nil)}}, []string{"ok    first"}, true},
		"two independent faults":   {[]check.Leg{{Name: "a", What: "first", Try: bad}, {Name: "b", What: "second", Try: bad}}, []string{"FAIL  first: broken", "FAIL  second: broken"}, false},
		"a fault of an optional":   {[]check.Leg{{Name: "a", What: "first", Optional: true, Try: bad}}, []string{"note  first: broken"}, true},
		"what is missing":          {[]check.Leg{{Name: "a", What: "first", Try: failing(check.Lack("no %s", "roof"))}}, []string{"note  first: no roof"}, true},
		"a remark":                 {[]check.Leg{{Name: "a", What: "first", Try: failing(check.Remark("it rains"))}}, []string{"ok    first", "note  it rains"}, true},
		"a fault in its own words": {[]check.Leg{{Name: "a", What: "first", Try: failing(check.Fault("it burns"))}}, []string{"FAIL  it burns"}, false},
		"several findings": {
			[]check.Leg{{Name: "a", What: "first", Try: failing(check.Findings{check.Remark("it rains"), nil, errors.New("one\ntwo"), check.Lack("roof")})}},
			[]string{"FAIL  first: one", "FAIL  first: two", "note  first: roof", "note  it rains"},
			false,
		},
		"findings that are wrapped": {[]check.Leg{{Name: "a", What: "first", Try: failing(check.Findings{fmt.Errorf("so: %w", errors.New("one"))})}}, []string{"FAIL  first: so: one"}, false},
		"what stands on a fault": {
			[]check.Leg{{Name: "a", What: "ground", Try: bad}, {Name: "b", What: "house", Needs: []string{"a"}, Try: bad}, {Name: "c", What: "roof", Needs: []string{"b"}, Try: bad}},
			[]string{"FAIL  ground: broken", "skip  house: it takes the ground, see above", "skip  roof: it takes the house, see above"},
			false,
		},
		"what stands on a note": {
			[]check.Leg{{Name: "a", What: "ground", Optional: true, Try: bad}, {Name: "b", What: "house", Needs: []string{"a"}, Try: failing(nil)}},
			[]string{"note  ground: broken", "ok    house"},
			true,
		},
		"each has its own time": {
			[]check.Leg{{Name: "a", What: "first", Try: hangs}, {Name: "b", What: "second", Try: hangs}, {Name: "c", What: "third", Try: failing(nil)}},
			[]string{"FAIL  first: no answer within 10s", "FAIL  second: no answer within 10s", "ok    third"},
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var told []string
				r := &check.Run{Limit: 10 * time.Second, Tell: func(l check.Line) { told = append(told, l.String()) }}
				r.Do(t.Context(), c.legs...)
				if !slices.Equal(told, c.want) || r.OK() != c.ok {
					t.Errorf("ok %v, and told\n%s\nwant\n%s", r.OK(), strings.Join(told, "\n"), strings.Join(c.want, "\n"))
				}
				if lines := r.Lines(); len(lines) != len(told) {
					t.Errorf("kept are %v", lines)
				}
			})
		})
	}
}

func TestOneSaysMoreThanThatTheTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &check.Run{Limit: time.Second}
		r.Do(t.Context(), check.Leg{Name: "a", What: "first", Try: func(ctx context.Context) error {
			<-ctx.Done()
			return errors.New("the certificate is that of another host")
		}})
		if got := r.Lines()[0].Text; got != "first: the certificate is that of another host" {
			t.Error(got)
		}
		if r.Passed("a") || !r.Passed("b") {
			t.Error("it is not known what has passed")
		}
	})
}

// Of what takes long it is said soon that it is waited for, and that is no result.
func TestWhatTakesLongIsNamedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		began := time.Now()
		tell := func(l check.Line) { told = append(told, fmt.Sprint(time.Since(began), " ", l)) }
		run := &check.Run{Limit: 10 * time.Second, Tell: tell, Wait: tell}
		run.Do(t.Context(), check.Leg{Name: "a", What: "first", Try: failing(nil)}, check.Leg{Name: "b", What: "second", Try: hangs})
		want := []string{"0s ok    first", "3s wait  second: no answer for 3s; it may take 10s", "10s FAIL  second: no answer within 10s"}
		if !slices.Equal(told, want) {
			t.Errorf("got %q, want %q", told, want)
		}
		if n := len(run.Lines()); n != 2 {
			t.Errorf("%d lines are kept", n)
		}
	})
}

// After an interruption nothing more is tried.
func TestAnInterruptionEndsTheRun(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	run := &check.Run{Limit: time.Minute}
	tried := false
	run.Do(ctx,
		check.Leg{Name: "a", What: "first", Try: func(ctx context.Context) error { stop(); return ctx.Err() }},
		check.Leg{Name: "b", What: "second", Try: func(context.Context) error { tried = true; return nil }},
	)
	lines := run.Lines()
	if len(lines) != 2 || lines[0].Result != check.Failed || strings.Contains(lines[0].Text, "no answer within") || lines[1].Result != check.Skipped || tried {
		t.Errorf("%+v, tried: %v", lines, tried)
	}
}

// A look that breaks off is a finding, and ends nothing else.
func TestAFaultOfTheProgramIsAFinding(t *testing.T) {
	var nothing *check.Run
	run := &check.Run{Limit: time.Second}
	run.Do(t.Context(), check.Leg{Name: "a", What: "first", Try: func(context.Context) error { return fmt.Errorf("%v", nothing.Limit) }},
		check.Leg{Name: "b", What: "second", Try: failing(nil)})
	lines := run.Lines()
	if len(lines) != 2 || lines[0].Result != check.Failed || !strings.Contains(lines[0].Text, "please report it") || lines[1].Result != check.OK {
		t.Errorf("got %v", lines)
	}
}
