package teleport

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
)

const (
	// DefaultWatchInterval is the polling interval of [Watch] when none is given.
	DefaultWatchInterval = time.Minute
	// settle is how long files rest after a change before they are read, so
	// that three files written one after another are read as one change.
	settle = 100 * time.Millisecond
	// confirm is when files that were read as broken are read again: only what
	// is still broken then is told, since a file may have been half written.
	confirm = time.Second
)

// lifeMarks are the parts of an identity's life at which its owner is warned,
// ascending; the last is its end.
var lifeMarks = [...]float64{0.5, 0.9, 1}

// Watch follows the files of an identity until ctx ends and calls onChange with
// each new one. It notices a write, a rename over the file and the symlink swap
// of a Kubernetes volume at once where the system reports them, and any other
// change within the interval, which is jittered; zero means
// [DefaultWatchInterval]. Files are compared by content.
//
// A new identity is loaded and checked before it is told. One that is broken or
// expired is logged once, and the current one stays. A warning is logged when
// half and nine tenths of the current identity's life are over, and an error at
// its end, each once.
//
// Watch blocks; when it returns, nothing of it runs any more. onChange is called
// on the goroutine of Watch, which waits for it.
func Watch(ctx context.Context, current *Identity, interval time.Duration, onChange func(*Identity), log *zap.Logger) {
	w := newWatch(current, interval, onChange, log)
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("changes of the Teleport identity are noticed by polling only", zap.Duration("interval", w.interval), zap.Error(err))
		w.run(ctx, nil)
		return
	}
	defer notify.Close()
	dirs := directories(current.files)
	w.subscribe = func() {
		for _, dir := range dirs {
			// A directory that went away and came back must be added again;
			// while it is away polling says what is wrong.
			_ = notify.Add(dir)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	nudges, done := make(chan struct{}, 1), make(chan struct{})
	defer func() { cancel(); <-done }()
	go func() {
		defer close(done)
		forward(ctx, notify, relevant(current.files), nudges)
	}()
	w.run(ctx, nudges)
}

// directories are where the files lie. The directory is watched and not the
// file, since a file that is replaced takes its watch with it.
func directories(c Credentials) []string {
	var dirs []string
	seen := make(map[string]bool)
	for _, f := range c.Files() {
		if dir := filepath.Dir(f); !seen[dir] {
			seen[dir] = true
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// relevant tells events about the credentials from others in the same
// directory. Kubernetes swaps the link ..data, through which the files lead; a
// file may also be a link whose target is swapped beside it.
func relevant(c Credentials) func(name string) bool {
	names := make(map[string]bool)
	for _, f := range c.Files() {
		names[filepath.Base(f)] = true
		if target, err := os.Readlink(f); err == nil && !filepath.IsAbs(target) {
			first, _, _ := strings.Cut(target, string(filepath.Separator))
			names[first] = true
		}
	}
	return func(name string) bool {
		base := filepath.Base(name)
		return names[base] || strings.HasPrefix(base, "..")
	}
}

// forward turns file events into nudges until ctx ends. Errors of the watcher,
// such as an overflowing queue, mean that something may have changed.
func forward(ctx context.Context, w *fsnotify.Watcher, relevant func(string) bool, nudges chan<- struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-w.Events:
			if !ok {
				return
			}
			if !relevant(e.Name) || e.Op == fsnotify.Chmod {
				continue
			}
		case _, ok := <-w.Errors:
			if !ok {
				return
			}
		}
		select {
		case nudges <- struct{}{}:
		default: // one is pending already
		}
	}
}

// identityWatch is the part of Watch that needs no file system events and so
// runs on virtual time in tests.
type identityWatch struct {
	current   *Identity
	interval  time.Duration
	onChange  func(*Identity)
	log       *zap.Logger
	subscribe func() // renews the subscription to file events

	suspect string    // fault seen at the last look and not yet told
	since   time.Time // when it was seen first
	told    string    // fault told last
	marks   int       // lifeMarks of current that are passed and told
}

func newWatch(current *Identity, interval time.Duration, onChange func(*Identity), log *zap.Logger) *identityWatch {
	if interval <= 0 {
		interval = DefaultWatchInterval
	}
	return &identityWatch{current: current, interval: interval, onChange: onChange, log: log, subscribe: func() {}}
}

// run looks at the files when polling is due and soon after each nudge.
func (w *identityWatch) run(ctx context.Context, nudges <-chan struct{}) {
	w.subscribe()
	w.look() // what changed between loading and watching
	poll := time.NewTimer(w.nextPoll())
	defer poll.Stop()
	mark := time.NewTimer(w.nextMark())
	defer mark.Stop()
	var rest <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-nudges:
			if rest == nil {
				rest = time.After(settle)
			}
			continue
		case <-rest:
			rest = nil
		case <-poll.C:
			w.subscribe()
		case <-mark.C:
		}
		if ctx.Err() != nil {
			return
		}
		w.look()
		poll.Reset(w.nextPoll())
		mark.Reset(w.nextMark())
	}
}

// nextPoll spreads replicas over the interval, within a tenth either way.
func (w *identityWatch) nextPoll() time.Duration {
	if w.suspect != "" {
		return min(confirm, w.interval)
	}
	return time.Duration(float64(w.interval) * (0.9 + 0.2*rand.Float64()))
}

// nextMark is the time until the next warning about the identity's life; when
// none is left it is far enough not to matter, as polling comes before.
func (w *identityWatch) nextMark() time.Duration {
	if w.marks == len(lifeMarks) {
		return w.interval * 2
	}
	return max(time.Until(w.current.lifeMark(w.marks)), 0)
}

func (id *Identity) lifeMark(i int) time.Time {
	life := id.NotAfter.Sub(id.NotBefore)
	return id.NotBefore.Add(time.Duration(float64(life) * lifeMarks[i]))
}

// look reads the files once and tells what is new.
func (w *identityWatch) look() {
	next, fault, err := w.read()
	switch {
	case err != nil:
		w.broken(fault, err)
	case next == nil:
		w.restored()
	default:
		w.suspect, w.told, w.marks = "", "", 0
		w.current = next
		w.log.Info("the Teleport identity was renewed",
			zap.String("user", next.User), zap.Time("expires", next.NotAfter))
		w.onChange(next)
	}
	w.warnOfAge(time.Now())
}

// read returns the identity on disk, nil if it is the current one. With an
// error comes a text that is the same for the same fault: the content's hash if
// it could be read, because the sentence may name how long ago.
func (w *identityWatch) read() (next *Identity, fault string, err error) {
	raw, err := w.current.files.read()
	if err != nil {
		return nil, err.Error(), err
	}
	hash := raw.hash()
	if hash == w.current.Hash {
		return nil, "", nil
	}
	next, err = parse(w.current.files, raw)
	if err == nil {
		err = next.validAt(time.Now())
	}
	return next, hash, err
}

// broken tells a fault once, and not before it has stood for a while.
func (w *identityWatch) broken(fault string, err error) {
	now := time.Now()
	switch {
	case fault == w.told:
		w.suspect = ""
	case fault != w.suspect:
		w.suspect, w.since = fault, now
	case now.Sub(w.since) >= confirm:
		w.suspect, w.told = "", fault
		w.log.Warn("the new Teleport identity cannot be used, the current one stays",
			zap.Error(err), zap.Time("current_expires", w.current.NotAfter))
	}
}

func (w *identityWatch) restored() {
	if w.told != "" {
		w.log.Info("the Teleport identity on disk is the current one again")
	}
	w.suspect, w.told = "", ""
}

// warnOfAge tells the last life mark that is passed, unless told before.
func (w *identityWatch) warnOfAge(now time.Time) {
	passed := w.marks
	for passed < len(lifeMarks) && !now.Before(w.current.lifeMark(passed)) {
		passed++
	}
	if passed == w.marks {
		return
	}
	w.marks = passed
	file := zap.String("file", w.current.files.certFile())
	expires := zap.Time("expires", w.current.NotAfter)
	if passed == len(lifeMarks) {
		w.log.Error("the Teleport identity has expired; issue a new one with `tctl auth sign` or let tbot renew it", file, expires)
		return
	}
	w.log.Warn("the Teleport identity is getting old and no newer one is on disk; renew it before it expires",
		file, expires, zap.Int("life_used_percent", int(lifeMarks[passed-1]*100)),
		zap.String("left", span(w.current.NotAfter.Sub(now))))
}
