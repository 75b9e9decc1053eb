package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
)

// Where nothing can be looked up, a death in the middle of a burst doubles at
// most one message, and loses none.
func TestADeathDoublesAtMostOneMessage(t *testing.T) {
	const requests, deaths, messages = 40, 5, 3 * 40
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inTime(t, func(r *rig) {
				dice := rand.New(rand.NewPCG(seed, 3))
				r.service = blind{finder{r.desk}}
				r.desk.latency, r.writing = 50*time.Millisecond, 50*time.Millisecond
				r.recipients = []string{"ops", "db", "sec"}
				for i := range requests { // an announcement and two reviews each
					id := fmt.Sprint("request", i)
					r.memory.put(id, nil)
					r.memory.review(id, "bob", types.RequestState_APPROVED, "")
					r.memory.review(id, "carol", types.RequestState_APPROVED, "")
				}
				x := r.start()
				x.catchUp()
				for range deaths {
					time.Sleep(time.Duration(dice.IntN(2000)) * time.Millisecond)
					x.crash()
					x = r.start()
					x.catchUp()
				}
				r.settle(time.Hour)
				told := map[string]int{}
				for _, p := range r.desk.posts {
					told[p.address] += 1 + len(p.replies)
				}
				doubled := 0
				for _, address := range r.recipients {
					if told[address] < messages {
						t.Errorf("%d messages at %s, where %d are due", told[address], address, messages)
					}
					doubled += told[address] - messages
				}
				if doubled > deaths {
					t.Errorf("%d messages are doubled by %d deaths", doubled, deaths)
				}
				x.stop()
			})
		})
	}
}

// A recipient that does not answer keeps the others waiting for a second, once,
// and what was said elsewhere meanwhile is recorded.
func TestARecipientThatDoesNotAnswerHoldsUpTheOthersOnce(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = hanging{r.desk}
		r.recipients = []string{"ops", "stuck", "db"}
		x := r.start()
		const many = 3 * workers
		for i := range many {
			r.memory.put(fmt.Sprint("request", i), nil)
		}
		r.settle(time.Second)
		r.wantPosts(map[string]int{"ops": many, "db": many})
		r.memory.put(fmt.Sprint("request", many), nil)
		synctest.Wait() // and no time passes
		r.wantPosts(map[string]int{"ops": many + 1, "db": many + 1})
		r.settle(12 * time.Second) // the first call was given up, and another hangs
		r.memory.put(fmt.Sprint("request", many+1), nil)
		synctest.Wait()
		r.wantPosts(map[string]int{"ops": many + 2, "db": many + 2})
		for i := range many + 2 {
			rec := r.record(fmt.Sprint("request", i))
			for _, d := range rec.Progress.Deliveries {
				if d.Recipient != "stuck" && !d.Posted() {
					t.Errorf("request%d at %s is not recorded: %+v", i, d.Recipient, d)
				}
			}
		}
		x.crash()
	})
}

// A recipient that was slow once is one like any other when it is not any more.
func TestASlowRecipientIsTakenBack(t *testing.T) {
	inTime(t, func(r *rig) {
		d := &counting{blind: blind{finder{r.desk}}}
		r.service = d
		r.recipients = []string{"ops", "db", "sec"}
		r.desk.latency = 3 * time.Second
		x := r.start()
		r.memory.put("slow", nil)
		r.settle(time.Minute)
		if d.most() != len(r.recipients) {
			t.Fatalf("%d calls under way at once while all are slow, want %d", d.most(), len(r.recipients))
		}
		r.desk.latency = 50 * time.Millisecond
		r.memory.put("taken back", nil)
		r.settle(time.Minute)
		d.forget()
		for i := range 20 {
			r.memory.put(fmt.Sprint("request", i), nil)
		}
		r.settle(time.Minute)
		if d.most() != 1 {
			t.Errorf("%d calls under way at once, want 1", d.most())
		}
		r.wantPosts(map[string]int{"ops": 22, "db": 22, "sec": 22})
		x.stop()
	})
}

// Answers may come just when the others lose their patience.
func TestAnAnswerAtTheLastMomentIsAnAnswer(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = blind{finder{r.desk}}
		r.desk.latency = time.Second
		r.recipients = []string{"ops", "db", "sec"}
		x := r.start()
		for i := range 100 {
			r.memory.put(fmt.Sprint("request", i), nil)
		}
		r.settle(time.Hour)
		r.wantPosts(map[string]int{"ops": 100, "db": 100, "sec": 100})
		x.stop()
	})
}

// A reply to a message that is gone, and the message that then takes its place,
// are one turn.
func TestAMessageThatTakesThePlaceOfOneThatIsGoneNeedsNoSecondTurn(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = blind{finder{r.desk}}
		x := r.start()
		r.memory.put("request", nil)
		r.settle(time.Minute)
		r.desk.posts[0].removed = true
		r.memory.review("request", "bob", types.RequestState_APPROVED, "")
		r.settle(time.Minute)
		r.wantPosts(map[string]int{"ops": 2})
		r.wantShown("PENDING.1")
		x.stop()
	})
}

// While the cluster does not take the record of a message, no other is made.
func TestNoMessageIsMadeBeforeTheOneBeforeIsRecorded(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = blind{finder{r.desk}}
		r.desk.latency = 50 * time.Millisecond
		r.recipients = []string{"ops", "db", "sec"}
		var away atomic.Bool
		r.desk.lost = func(step, _ string) error {
			if step == "post" && len(r.desk.posts) == 1 {
				away.Store(true)
			}
			return nil
		}
		r.memory.beforeWrite = func(string) error {
			if away.Load() {
				return errors.New("the cluster is away")
			}
			return nil
		}
		x := r.start()
		defer x.stop()
		r.memory.put("request", nil)
		r.settle(time.Minute)
		if n := len(r.posts()); n != 1 {
			t.Errorf("%d messages while the first is not recorded", n)
		}
		away.Store(false)
		r.settle(10 * time.Minute)
		r.wantPosts(map[string]int{"ops": 1, "db": 1, "sec": 1})
	})
}

// A stop waits for the message that is being made, and not for those after it.
func TestAStopIsNotHeldUpByALongLine(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = blind{finder{r.desk}}
		r.desk.latency = 500 * time.Millisecond
		const places = 300
		for i := range places - 1 {
			r.recipients = append(r.recipients, fmt.Sprint("channel", i))
		}
		x := r.start()
		r.memory.put("request", nil)
		r.settle(10 * time.Second)
		began := time.Now()
		x.stop()
		if took := time.Since(began); took > time.Second {
			t.Errorf("the stop took %v", took)
		}
		x = r.start()
		defer x.stop()
		x.catchUp()
		r.settle(time.Hour)
		if got := r.posts(); len(got) != places || len(r.desk.posts) != places {
			t.Errorf("%d messages at %d places, want one at each of %d", len(r.desk.posts), len(got), places)
		}
	})
}

// counting counts the posts under way.
type counting struct {
	blind
	mu        sync.Mutex
	now, peak int
}

func (c *counting) Post(ctx context.Context, address string, v message.View) (plugindata.Message, error) {
	c.mu.Lock()
	c.now++
	c.peak = max(c.peak, c.now)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.now--
	}()
	return c.blind.Post(ctx, address, v)
}

// most is how many there were at once, since the last forget.
func (c *counting) most() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peak
}

func (c *counting) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peak = 0
}
