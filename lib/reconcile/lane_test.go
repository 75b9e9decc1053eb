package reconcile_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/types"
)

// Where nothing can be looked up, a death in the middle of a burst doubles at
// most one message for each recipient, and loses none.
func TestADeathDoublesAtMostOneMessageForEachRecipient(t *testing.T) {
	const requests, deaths, messages = 40, 5, 3 * 40
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inTime(t, func(r *rig) {
				dice := rand.New(rand.NewPCG(seed, 3))
				r.service = blind{finder{r.desk}}
				r.desk.latency = 50 * time.Millisecond
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
				for _, address := range r.recipients {
					if n := told[address]; n < messages || n > messages+deaths {
						t.Errorf("%d messages at %s, where %d are due and %d may be doubled", n, address, messages, deaths)
					}
				}
				x.stop()
			})
		})
	}
}

// Who waits for a recipient that does not answer keeps nobody else waiting, and
// what was said elsewhere meanwhile is recorded.
func TestAWaitAtOneRecipientHoldsBackNoOther(t *testing.T) {
	inTime(t, func(r *rig) {
		r.service = hanging{r.desk}
		r.recipients = []string{"ops", "stuck", "db"}
		x := r.start()
		for i := range 3 {
			r.memory.put(fmt.Sprint("request", i), nil)
		}
		r.settle(500 * time.Millisecond)
		r.wantPosts(map[string]int{"ops": 3, "db": 3})
		for i := range 3 {
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
