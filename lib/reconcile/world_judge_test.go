package reconcile_test

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/request"
)

// judge holds a world that has come to rest against the promise. It is written
// from the design, and knows nothing of how the engine works.
type judge struct {
	w     *world
	wrong []string
	extra map[string]int // by blind place: what is doubled or stale beyond the first
}

func (j *judge) say(format string, args ...any) {
	j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
}

// verdict returns what is wrong with a world.
func (w *world) verdict() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	j := &judge{w: w, wrong: slices.Clone(w.wrong), extra: map[string]int{}}
	for _, id := range slices.Sorted(maps.Keys(w.lives)) {
		for _, place := range slices.Sorted(maps.Keys(w.office.kinds)) {
			j.place(id, w.lives[id], place)
		}
		j.record(id)
	}
	for place, n := range j.extra {
		if most := w.office.unsure[place]; n > most {
			j.say("%s: %d doubled or stale in a blind place, for %d crashes and lost answers", place, n, most)
		}
	}
	j.nodes()
	j.bounds()
	return j.wrong
}

// matter is one request in one place.
type matter struct {
	*judge
	id, place string
	life      *life
	blind     bool
	doubtful  int // crashes and lost answers that may have hidden something here
	announced []*saying
	alive     []*saying // announced, and not removed since
	removals  int
}

func (j *judge) place(id string, l *life, place string) {
	o := j.w.office
	m := &matter{judge: j, id: id, place: place, life: l, removals: o.removed[place+id]}
	m.blind = o.kinds[place] != searchable || !o.shut[place].IsZero()
	m.doubtful = o.unsure[place] + j.w.crashes + j.w.count(lostDone, lostUndone, lostLate)
	for _, s := range m.sayings(integration.Announce) {
		m.announced = append(m.announced, s)
		if !s.removed {
			m.alive = append(m.alive, s)
		}
	}
	m.announcements()
	m.truth()
	m.reviews()
	m.reminders()
	m.outcomes(integration.End)
	m.outcomes(integration.Notice)
}

func (m *matter) sayings(k integration.Kind) (all []*saying) {
	for _, s := range m.w.office.said {
		if s.request == m.id && s.place == m.place && s.effect.Kind == k {
			all = append(all, s)
		}
	}
	return all
}

func (m *matter) fault(format string, args ...any) {
	m.say("%s %s: %s", m.id, m.place, fmt.Sprintf(format, args...))
}

// excused reports whether something may be missing here: in a blind place, after
// what is in doubt was dropped with the end or begun twice.
func (m *matter) excused() bool {
	return m.blind && (m.doubtful > 1 || m.doubtful > 0 && !m.life.ended.IsZero())
}

// once judges that an effect came to be exactly once, or at most once.
func (m *matter) once(e integration.Effect, n int, needed bool) {
	if n == 0 && needed && !m.excused() {
		m.fault("%v is missing", e)
	}
	if n > 1 && !m.blind {
		m.fault("%v happened %d times", e, n)
	}
	if n > 1 && m.w.keyed && m.removals == 0 {
		m.fault("%v happened %d times though calls have keys", e, n)
	}
	if n > 1 && m.blind {
		m.extra[m.place] += n - 1
	}
}

func (m *matter) announcements() {
	o, by := m.w.office, map[int]int{}
	for _, s := range m.announced {
		by[s.effect.Index]++
		late := !m.life.gone.IsZero() && s.begun.Sub(m.life.gone) > 2*time.Minute
		if late && (m.life.decided == "" || s.begun.Sub(m.life.created) > time.Hour) {
			m.fault("announced %v after it was gone", s.begun.Sub(m.life.gone))
		}
	}
	// A request that ended so early that nobody need have seen it.
	unseen := !m.life.alive && m.life.decided == "" && (len(m.w.fired) > 0 || m.life.gone.Sub(m.life.created) < time.Second || m.life.gone.Before(m.w.start.Add(m.w.opening)))
	// A request that was decided and then removed while it was not told.
	unseen = unseen || !m.life.alive && len(m.w.fired) > 0 || !m.life.alive && m.life.gone.Before(m.w.start.Add(m.w.opening))
	if by[0] > 1 && m.removals > 0 { // it may have been removed before anybody knew of it
		by[0] = max(1, by[0]-m.removals)
	}
	if by[1] > 1 && m.removals > 1 {
		by[1] = max(1, by[1]-m.removals+1)
	}
	m.once(integration.Effect{Kind: integration.Announce}, by[0], !unseen)
	m.once(integration.Effect{Kind: integration.Announce, Index: 1}, by[1], false)
	if len(m.alive) > 1 && !m.blind {
		m.fault("%d messages are there at the end", len(m.alive))
	}
	if by[1] > 0 && m.removals == 0 {
		m.fault("announced again though nothing was removed")
	}
	for i := range by {
		if i < 0 || i > 1 {
			m.fault("announced in generation %d", i)
		}
	}
	noticed := o.removedAt[m.place+m.id].Before(m.life.changed.Add(-time.Second)) && m.life.decided == ""
	if m.removals == 1 && len(m.alive) == 0 && m.life.alive && noticed && len(m.w.fired) == 0 {
		m.fault("removed, and not announced again")
	}
}

// shows reports whether a version is one that a message may show at the end.
func (m *matter) shows(v request.Version) bool {
	if m.life.alive {
		status := request.Pending
		if m.life.decided != "" {
			status = m.life.decided
		}
		return v == request.Version{Status: status, Reviews: m.life.reviews}
	}
	if m.life.decided == "" {
		return v.Status == request.Expired
	}
	return v.Status == m.life.decided || v.Status == request.Expired && m.hidden()
}

// hidden reports whether a request was decided, and gone before every replica can
// be expected to have seen, and kept, what was decided.
func (m *matter) hidden() bool {
	return len(m.w.fired) > 0 || m.life.gone.Sub(m.life.ended) < time.Minute || m.life.gone.Before(m.w.start.Add(m.w.opening))
}

func (m *matter) truth() {
	if !m.w.shows {
		return
	}
	stale := 0
	for _, s := range m.alive {
		if m.shows(s.shown) || m.w.office.fixed[s.id] {
			continue
		}
		if m.life.decided != "" && s.shown.Status == request.Expired {
			m.fault("decided, then shown as expired")
			continue
		}
		stale++
		if !m.blind {
			m.fault("message %s (%v) shows %v at the end", s.id, s.effect, s.shown)
		}
	}
	if m.blind { // a stale message that is a double counts once
		doubles := 0
		by := map[int]int{}
		for _, s := range m.announced {
			by[s.effect.Index]++
		}
		for _, n := range by {
			doubles += n - 1
		}
		m.extra[m.place] += max(stale-doubles, 0)
	}
}

func (m *matter) reviews() {
	told := m.sayings(integration.Review)
	by, last := map[int]int{}, map[*saying]int{}
	for _, s := range told {
		i := s.effect.Index
		by[i]++
		if before, ok := last[s.below]; ok && i < before && by[i] == 1 {
			m.fault("review %d told after review %d below %s", i, before, s.below.id)
		}
		last[s.below] = i
	}
	first := m.life.reviews // those from this one on must be told below a message
	if len(m.announced) > 0 && m.removals == 0 {
		first = m.announced[0].first.Reviews
		for _, s := range m.announced {
			first = max(first, s.first.Reviews)
		}
	}
	for i := range m.life.reviews {
		e := integration.Effect{Kind: integration.Review, Index: i}
		n := by[i]
		if m.removals > 0 {
			n = min(n, max(1, n-m.removals))
		}
		m.once(e, n, i >= first && m.life.alive)
	}
	for i := range by {
		if i < 0 || i >= m.life.reviews {
			m.fault("told a review %d that does not exist", i)
		}
	}
}

// wasReminded reports whether it was said below a message that the request was pending.
func (m *matter) wasReminded(below *saying) bool {
	return slices.ContainsFunc(m.sayings(integration.Pending), func(s *saying) bool { return s.below == below })
}

// reminders judges what was said because time passed: each word once, in time, while the
// request was pending; and the last of them at least where the message was there before.
func (m *matter) reminders() {
	by := map[int]int{}
	for _, s := range m.sayings(integration.Pending) {
		due := m.life.created.Add(time.Duration(s.effect.Index) * time.Second)
		by[s.effect.Index]++
		switch ended := m.life.ended; {
		case !slices.Contains(reminders, time.Duration(s.effect.Index)*time.Second):
			m.fault("reminded at a time of nobody's: %v", s.effect)
		case s.begun.Before(due.Add(-time.Second)): // whole seconds of the request's time
			m.fault("%v came early", s.effect)
		case !ended.IsZero() && s.begun.Sub(ended) > time.Minute && m.w.heldUntil().Before(ended):
			m.fault("%v came %v after the end", s.effect, s.begun.Sub(ended))
		case m.place == "#alice":
			m.fault("the requester is reminded")
		}
	}
	last := int(reminders[len(reminders)-1] / time.Second)
	open := m.w.waits && m.life.alive && m.life.decided == "" && m.removals == 0 && m.place != "#alice" && len(m.alive) > 0
	inTime := len(m.announced) > 0 && m.announced[0].at.Before(m.life.created.Add(reminders[len(reminders)-1]-time.Second))
	for _, d := range reminders {
		i := int(d / time.Second)
		n := by[i]
		if m.removals > 0 {
			n = min(n, max(1, n-m.removals))
		}
		m.once(integration.Effect{Kind: integration.Pending, Index: i}, n, open && inTime && i == last && len(m.w.fired) == 0)
	}
}

// heldUntil is when events come again that were held back or lost.
func (w *world) heldUntil() time.Time {
	if w.deaf.After(w.held) {
		return w.deaf
	}
	return w.held
}

// outcomes judges what tells the end, below the message or to the requester.
func (m *matter) outcomes(k integration.Kind) {
	told := map[integration.Effect]int{}
	for _, s := range m.sayings(k) {
		told[s.effect]++
	}
	want := m.life.decided
	if want == "" && !m.life.alive {
		want = request.Expired
	}
	late := integration.Outcome(k, request.Expired)
	for e := range told {
		switch {
		case want == "" || e != integration.Outcome(k, want) && e != late:
			m.fault("%v is not how it ended", e)
		case e != integration.Outcome(k, want) && m.life.alive:
			m.fault("%v, though it is still there", e)
		case e != integration.Outcome(k, want) && m.life.decided != "" && (len(told) > 1 && m.w.crashes == 0 || !m.hidden()):
			m.fault("decided and told so, then told as expired")
		}
	}
	if want == "" {
		return
	}
	needed := false
	switch k {
	case integration.End:
		needed = !m.w.shows && len(m.alive) > 0 && m.removals == 0 && m.alive[0].first.Status == request.Pending
		for _, s := range m.alive {
			needed = needed || m.w.shows && m.removals == 0 && m.life.alive && m.wasReminded(s)
			needed = needed || m.w.shows && m.w.ends && m.removals == 0 && m.w.office.fixed[s.id] && !m.shows(s.shown)
		}
	case integration.Notice:
		needed = m.place == "#alice" && m.life.alive && (want == request.Approved || want == request.Denied)
		for _, s := range m.announced { // one that is told with its end needs no more
			needed = needed && s.first.Status == request.Pending
		}
		if m.place != "#alice" && len(told) > 0 {
			m.fault("a notice to someone who did not ask")
		}
	}
	if told[late] > 0 && want != request.Expired {
		needed = false
		m.once(late, told[late], false)
	}
	n := told[integration.Outcome(k, want)]
	if m.removals > 0 && k == integration.End {
		n = min(n, max(1, n-m.removals))
	}
	m.once(integration.Outcome(k, want), n, needed)
}
