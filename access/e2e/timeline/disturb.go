package timeline

import (
	"context"
	"errors"
	"time"

	"teleport-plugins/lib/sandbox/fault"
)

// beside runs a disturbance while work goes on, and waits for both. The
// disturbance is told to end when the work has.
func (w *World) beside(disturb func(ctx context.Context) error, work func()) {
	if w.failed() != nil {
		return
	}
	ctx, stop := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() { ended <- disturb(ctx) }()
	work()
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		w.must(err)
	}
}

// every does something again and again until the context ends.
func every(pause time.Duration, do func(i int) error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			if err := do(i); err != nil {
				return err
			}
		}
	}
}

// again starts a replica that has ended, and waits until it is ready.
func (w *World) again(replica int) {
	if w.failed() != nil {
		return
	}
	w.must(w.Replica(replica).Start())
	ctx, cancel := w.patient()
	defer cancel()
	if w.failed() == nil {
		w.must(w.Replica(replica).Ready(ctx))
	}
}

// fault makes the service misbehave.
func (w *World) fault(f fault.Fault) {
	if w.failed() == nil {
		w.Service().Faults().Add(f)
	}
}

// clearFaults ends all faults of the service.
func (w *World) clearFaults() {
	if w.failed() == nil {
		w.Service().Faults().Clear()
		w.heal()
	}
}
