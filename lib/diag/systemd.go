package diag

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Systemd tells the service manager how the plugin is doing, in the protocol of
// sd_notify(3). Where NOTIFY_SOCKET is not set every method does nothing. The
// zero value is ready for use.
type Systemd struct{}

// Ready says that the plugin has started, or has finished to reload.
func (Systemd) Ready() error { return notify(daemon.SdNotifyReady) }

// Reloading says that the plugin reads its configuration anew; Ready ends it.
func (Systemd) Reloading() error {
	return notify(daemon.SdNotifyReloading + "\n" + strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
}

// Stopping says that the plugin has begun to stop.
func (Systemd) Stopping() error { return notify(daemon.SdNotifyStopping) }

// Status shows one line of text beside the service.
func (Systemd) Status(text string) error { return notify("STATUS=" + visible(text)) }

// Watchdog tells the manager at half of the interval that it asks for that the
// plugin is alive, for as long as live gives nil; so the manager restarts a plugin
// that hangs. It returns when the context ends, or at once where the manager asks
// for nothing. A live of nil means always alive.
func (Systemd) Watchdog(ctx context.Context, live func() error) error {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("reading the interval of the systemd watchdog: %w", err)
	}
	if interval <= 0 {
		return nil
	}
	return beat(ctx, interval/2, live, func() error { return notify(daemon.SdNotifyWatchdog) })
}

// beat calls tell at once and then at every interval, but not while live gives an
// error. A tell that fails is tried again at the next interval.
func beat(ctx context.Context, interval time.Duration, live, tell func() error) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var failed error
	for {
		if live == nil || live() == nil {
			failed = tell()
		}
		select {
		case <-ctx.Done():
			return failed
		case <-ticker.C:
		}
	}
}

func notify(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("telling systemd: %w", err)
	}
	return nil
}
