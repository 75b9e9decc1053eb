package reconcile_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"teleport-plugins/lib/outbound"
)

func TestWhatIsLoggedOfARecipient(t *testing.T) {
	const forGood = 1 << 30
	for name, c := range map[string]struct {
		step  string
		fault error
		times int // that it fails
		level zapcore.Level
		line  string
	}{
		"all is well":                  {"", nil, 0, zap.InfoLevel, "Announced an access request"},
		"it cannot be looked up now":   {"resolve", fail(outbound.Retry), forGood, zap.WarnLevel, "A recipient could not be looked up; it is tried again"},
		"nobody knows it":              {"resolve", fail(outbound.Refused), forGood, zap.WarnLevel, "A recipient cannot be reached; it is tried again now and then"},
		"it is known again":            {"resolve", fail(outbound.Refused), 1, zap.InfoLevel, "A recipient can be reached again"},
		"it cannot be told now":        {"post", fail(outbound.Retry), forGood, zap.WarnLevel, "A recipient could not be told; it is tried again"},
		"it was told after that":       {"post", fail(outbound.Retry), 1, zap.InfoLevel, "A recipient was told after failures before"},
		"nobody says how long to wait": {"post", fail(outbound.Wait), forGood, zap.WarnLevel, "A recipient could not be told; it is tried again"},
		"it refuses a message":         {"post", fail(outbound.Refused), forGood, zap.WarnLevel, "A recipient cannot be told about an access request; it is tried again now and then"},
		"it refuses all":               {"post", failWith(outbound.Refused, outbound.ThePlace), forGood, zap.WarnLevel, "A recipient cannot be told; it is tried again now and then"},
		"it refuses nothing any more":  {"post", failWith(outbound.Refused, outbound.ThePlace), 1, zap.InfoLevel, "A recipient can be reached again"},
		"replies are not allowed":      {"reply", failWith(outbound.Refused, outbound.TheMethod), forGood, zap.WarnLevel, "Messages go out without what the service does not allow"},
		"a message was removed":        {"edit", fail(outbound.Gone), 1, zap.InfoLevel, "A message was removed at the service"},
		"nothing can be looked up":     {"find", fail(outbound.Refused), forGood, zap.WarnLevel, "What was posted cannot be looked up at a recipient; a crash or a lost answer may double one message there"},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(r *rig) {
				r.service = finder{r.desk}
				failed, lost := 0, c.step == "find"
				r.desk.fault = func(step, _ string) error {
					if step == c.step && failed < c.times {
						failed++
						return c.fault
					}
					return nil
				}
				r.desk.lost = func(step, _ string) error {
					if lost && step == "post" {
						lost = false
						return fail(outbound.Unclear)
					}
					return nil
				}
				x := r.start()
				defer x.stop()
				r.memory.put("1", nil)
				r.settle(2 * time.Minute)
				r.memory.review("1", "bob", types.RequestState_APPROVED, "")
				r.settle(30 * time.Minute)
				if n := r.logs.FilterLevelExact(c.level).FilterMessage(c.line).Len(); n == 0 || n > 35 {
					t.Errorf("%q was logged %d times; all: %q", c.line, n, r.logged(zap.InfoLevel))
				}
				if c.fault == nil && len(r.logged(zap.WarnLevel)) > 0 {
					t.Errorf("warned %q", r.logged(zap.WarnLevel))
				}
			})
		})
	}
}

// Somebody else changes a record whose claim is ours: what we did is put into it.
func TestWhatWeDidIsPutIntoARecordThatOthersChanged(t *testing.T) {
	inTime(t, func(r *rig) {
		writes := 0
		r.memory.foreign = func(string) map[string]string {
			if writes++; writes%2 == 0 && writes < 20 {
				return map[string]string{"resolve_reason": time.Now().String()}
			}
			return nil
		}
		x := r.start()
		r.memory.put("1", nil)
		r.settle(time.Second)
		r.memory.review("1", "bob", types.RequestState_APPROVED, "")
		r.settle(time.Second)
		if rec := r.record("1"); len(rec.Messages) != 1 || len(rec.Progress.Deliveries[0].Posts) != 1 || rec.Progress.Deliveries[0].Reviews != 1 {
			t.Errorf("record: %+v", rec.Progress)
		}
		x.stop()
		x = r.start()
		defer x.stop()
		x.catchUp()
		r.memory.decide("1", types.RequestState_APPROVED)
		r.settle(time.Minute)
		r.wantPosts(map[string]int{"ops": 1})
		r.wantShown(version("APPROVED", 1))
		if n := len(r.desk.posts[0].replies); n != 1 {
			t.Errorf("%d replies", n)
		}
	})
}

// At severity debug each step of a request is a line: edits, replies and notices too.
func TestEachStepIsALineAtDebug(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = teller{finder{r.desk}}
		x := r.start()
		defer x.stop()
		r.memory.put("1", nil)
		r.settle(time.Second)
		r.memory.review("1", "bob", types.RequestState_APPROVED, "")
		r.settle(time.Second)
		r.memory.decide("1", types.RequestState_APPROVED)
		r.settle(time.Minute)
		told := make(map[string]bool)
		for _, fields := range r.fields("Told about an access request") {
			told[fmt.Sprint(fields["recipient"], " ", fields["effect"])] = true
		}
		for _, want := range []string{"ops review.0", "alice review.0", "alice notice.2"} {
			if !told[want] {
				t.Errorf("no line for %s: %v", want, told)
			}
		}
		if n := len(r.fields("Changed a message about an access request")); n < 4 {
			t.Errorf("%d lines for edits", n)
		}
	})
}
