package plugin

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/diag"
)

// flaky fails at once for some times, then listens for a day before it fails again.
type flaky struct {
	deskService
	began []time.Time
	ended []time.Time
	stop  context.CancelFunc
}

func (f *flaky) Listen(ctx context.Context, d decision.Desk) error {
	f.began = append(f.began, time.Now())
	defer func() { f.ended = append(f.ended, time.Now()) }()
	switch n := len(f.began); {
	case n == 7:
		d.Heard("")
		time.Sleep(24 * time.Hour)
	case n > 7:
		f.stop()
		return nil
	}
	return errors.New("refused")
}

// A day of listening ends the growth of the pause.
func TestThePauseBeforeListeningAgainBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		f := &flaky{stop: stop}
		health := diag.NewHealth(conditionAnswering)
		log := &diag.Logger{Logger: zap.NewNop()}
		s := &session{
			daemon: &daemon{
				integration: Integration{Name: "desk", Title: "Desk"}, health: health, log: log,
				conditions: newConditions(health, log.Logger), metrics: diag.NewMetrics(prometheus.NewRegistry()),
			},
			parts: Parts{Service: f, Decisions: &decision.Policy{Settings: decision.Settings{Enabled: true}}},
		}
		s.listen(ctx)
		if pause := f.began[7].Sub(f.ended[6]); pause > listenAgain {
			t.Errorf("after a day of listening the pause is %v, want %v", pause, listenAgain)
		}
	})
}

// hears says that presses reach it until it is to end.
type hears struct{ deskService }

func (hears) Listen(ctx context.Context, d decision.Desk) error {
	d.Heard("")
	<-ctx.Done()
	return nil
}

// A reload that leaves the buttons on leaves health well.
func TestHealthIsWellAfterAReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		health := diag.NewHealth(conditionAnswering)
		log := &diag.Logger{Logger: zap.NewNop()}
		d := &daemon{
			integration: Integration{Name: "desk", Title: "Desk"}, health: health, log: log,
			conditions: newConditions(health, log.Logger), metrics: diag.NewMetrics(prometheus.NewRegistry()),
		}
		for n := range 2 { // the session, and the one after the reload
			s := &session{daemon: d, parts: Parts{Service: hears{}, Decisions: &decision.Policy{Settings: decision.Settings{Enabled: true}}}}
			ctx, stop := context.WithTimeout(t.Context(), time.Hour)
			go s.listen(ctx)
			time.Sleep(time.Minute)
			if got := health.Status(); !got.Ready {
				t.Errorf("session %d: presses reach it, and health says %+v", n+1, got)
			}
			stop()
			synctest.Wait()
		}
	})
}
