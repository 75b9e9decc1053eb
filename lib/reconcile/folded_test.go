package reconcile_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap"
)

// A cluster that takes no records fails for every request, again and again: that
// is a few lines in a minute, however many requests there are.
func TestManyRequestsInTheSameTroubleAreAFewLines(t *testing.T) {
	inTime(t, func(r *rig) {
		r.timing.RetryMax = time.Second
		r.memory.beforeWrite = func(string) error { return errors.New("the cluster is away") }
		x := r.start()
		defer x.stop()
		for i := range 200 {
			r.memory.put(fmt.Sprint(i), nil)
		}
		r.settle(50 * time.Second)
		if n := len(r.logged(zap.WarnLevel)); n == 0 || n > 10 {
			t.Errorf("%d lines", n)
		}
	})
}
