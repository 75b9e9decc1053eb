package timeline

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

// Row is one timeline.
type Row struct {
	// Name tells the row from others.
	Name string
	// Promise says what holds in the end, beyond nothing lost, doubled or wrong.
	Promise string
	// Only says which services the row makes sense for; all when nil.
	Only func(farend.Service) bool
	// Presses says that people press buttons in it, which makes sense only for services
	// that have some.
	Presses bool
	// Heavy rows are left out of a quick run.
	Heavy bool
	// Places is how many recipients a request has beside the requester; 2 when
	// zero, none when negative.
	Places int
	// Setup changes the world before it starts; may be nil.
	Setup func(w *World, o *harness.Options)
	// Repeat is how often the row runs in a full run, each time in a new world
	// with the next seed; once when zero, and once in a quick run.
	Repeat int
	// Run is what happens.
	Run func(w *World)
}

// Runs reports whether the row makes sense for a service.
func (r Row) Runs(service string) bool {
	s, err := harness.Find(service)
	return err == nil && (!r.Presses || presser(s) != nil) && (r.Only == nil || r.Only(s))
}

// Settings say how rows are run.
type Settings struct {
	// Full uses the numbers and times of the promise; otherwise they are small.
	Full bool
	// Repeat bounds how often a row is repeated; zero leaves it to the row.
	Repeat int
	// Seed is that of the first run of each row.
	Seed uint64
}

// Result is what came of a row with a service.
type Result struct {
	Row     string `json:"row"`
	Service string `json:"service"`
	Promise string `json:"promise"`
	// Runs is how many worlds were run; the numbers are their sums.
	Runs int `json:"runs"`
	// Requests is how many access requests there were.
	Requests int `json:"requests"`
	// Expected is how many posts and replies there should be; Lost, Doubled and
	// Wrong are as in harness.Verdict.
	Expected int `json:"expected"`
	Lost     int `json:"lost"`
	Doubled  int `json:"doubled"`
	Wrong    int `json:"wrong"`
	// MayDouble is how many posts the promise allows to be doubled.
	MayDouble int `json:"may_double"`
	// Seconds is the longest time from the end of the last fault until all was
	// as expected.
	Seconds float64 `json:"seconds"`
	// Presses is what came of presses, where people press.
	Presses *Presses `json:"presses,omitempty"`
	// Broken says what was promised beyond the numbers and did not hold, or what
	// kept the row from running to its end.
	Broken []string `json:"broken,omitempty"`
	// Details says what was not as expected, for the first few.
	Details []string `json:"details,omitempty"`
	// Log is the end of what the replicas logged, should the promise be missed.
	Log string `json:"-"`
}

// Kept reports whether the row keeps its promise.
func (r Result) Kept() bool {
	return r.Lost == 0 && r.Wrong == 0 && r.Doubled <= r.MayDouble && len(r.Broken) == 0 && r.Presses.kept()
}

// Do runs the row with a service. It panics on a service that there is none of.
func (r Row) Do(ctx context.Context, service string, s Settings) Result {
	total := Result{Row: r.Name, Service: service, Promise: r.Promise}
	runs := 1
	if s.Full {
		runs = max(r.Repeat, 1)
		if s.Repeat > 0 {
			runs = min(runs, s.Repeat)
		}
	}
	for i := range runs {
		if ctx.Err() != nil {
			total.Broken = append(total.Broken, ctx.Err().Error())
			break
		}
		one := r.once(ctx, service, s.Full, s.Seed+uint64(i))
		total.add(one, s.Seed+uint64(i))
	}
	return total
}

func (r *Result) add(one Result, seed uint64) {
	r.Runs++
	r.Requests += one.Requests
	r.Expected += one.Expected
	r.Lost += one.Lost
	r.Doubled += one.Doubled
	r.Wrong += one.Wrong
	r.MayDouble += one.MayDouble
	r.Seconds = max(r.Seconds, one.Seconds)
	if r.Presses == nil && one.Presses != nil {
		r.Presses = new(Presses)
	}
	if r.Presses != nil {
		r.Presses.Add(one.Presses)
	}
	if one.Doubled > one.MayDouble {
		one.Broken = append(one.Broken, fmt.Sprintf("%d doubled where %d may be", one.Doubled, one.MayDouble))
	}
	for _, b := range one.Broken {
		r.Broken = append(r.Broken, fmt.Sprintf("seed %d: %s", seed, b))
	}
	r.Details = append(r.Details, one.Details...)
	if !one.Kept() && r.Log == "" {
		r.Log = one.Log
	}
}

// once runs the row in one world.
func (r Row) once(ctx context.Context, service string, full bool, seed uint64) (result Result) {
	w := &World{
		ctx: ctx, service: service, full: full, role: role,
		rng: rand.New(rand.NewPCG(seed, 0x7e1e)), index: make(map[string]int),
	}
	defer func() { result = w.result() }()
	o := harness.Options{Service: service, Halted: true, Config: usualTimes}
	w.places = harness.Channels(service)[:min(r.places(), len(harness.Channels(service)))]
	o.Recipients = map[string][]string{"*": w.places}
	if r.Presses {
		o.Review = make(map[string]any)
	}
	if r.Setup != nil {
		r.Setup(w, &o)
	}
	halted := w.halted
	inner, err := harness.Start(o)
	if err != nil {
		w.must(err)
		return result
	}
	w.World = inner
	defer func() { w.must(w.close()) }()
	w.route(w.places)
	if r.Presses {
		w.offer()
	}
	if !halted {
		w.must(w.StartReplicas())
	}
	w.run(r)
	w.converge()
	return result
}

// run has happen what happens.
func (w *World) run(r Row) {
	if r.Presses && w.failed() == nil {
		w.connected(0)
	}
	if w.failed() == nil {
		w.healed = time.Now()
		r.Run(w)
	}
	if r.Presses {
		w.followAll()
	}
}

func (r Row) places() int {
	switch {
	case r.Places < 0:
		return 0
	case r.Places == 0:
		return 2
	}
	return r.Places
}

// role is what is asked for; it takes two approvals, or one denial.
const role = "editor"

// usualTimes is the section [delivery] of most rows: short, and still longer
// than a busy machine takes.
const usualTimes = `[delivery]
call_timeout = "2s"
lease = "4s"
retry_max = "200ms"
heartbeat = "500ms"
`

// result is what came of the world.
func (w *World) result() Result {
	r := w.verdict
	if w.failed() != nil {
		w.broken = append(w.broken, w.failed().Error())
	}
	one := Result{
		Requests: w.requests, Expected: r.Expected, Lost: r.Lost, Doubled: r.Doubled, Wrong: r.Wrong,
		MayDouble: w.mayDouble, Seconds: w.took.Seconds(), Details: r.Details, Presses: w.judgePresses(),
	}
	one.Broken = w.broken
	if !one.Kept() {
		one.Log = w.logs
	}
	return one
}

// logTail is how many lines of each replica's log a missed promise shows.
const logTail = 60

func (w *World) close() error {
	var b strings.Builder
	for i := range w.Replicas() {
		lines := w.Replica(i).Logs()
		fmt.Fprintf(&b, "replica %d, %d lines, the last of them:\n", i, len(lines))
		for _, l := range lines[max(0, len(lines)-logTail):] {
			b.WriteString(l.Time.Format("15:04:05.000 ") + l.Text + "\n")
		}
	}
	w.logs = b.String()
	return w.Close()
}

// route makes requests for the role go to the places, where annotations of
// roles say so.
func (w *World) route(places []string) {
	w.Cluster.AddRole(w.role, cluster.RoleSpec{
		Logins: []string{"root"}, Approve: 2, Deny: 1, Annotations: w.Annotations(places...),
	})
}
