package main

import (
	"fmt"
	"time"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/grpc/codes"

	"teleport-plugins/lib/sandbox/cluster"
)

// disturbCluster plans the faults of the cluster.
func (p *plan) disturbCluster() {
	kinds := []func(at time.Duration){
		p.cutStreams, p.cutConnections, p.restartCluster, p.unavailable, p.deny, p.conflicts, p.loseWrites, p.slowCluster,
	}
	for at := p.between(3*time.Second, 8*time.Second); at < p.length; at += p.between(3*time.Second, 9*time.Second) {
		one(p.rng, kinds)(at)
	}
}

// moment marks a fault of the cluster as a whole that has no length.
func (w *world) moment(text string) { w.journal.add(mark{class: ofCluster, text: text}) }

func (p *plan) cutStreams(at time.Duration) {
	withError := p.rng.IntN(2) == 0
	p.add(at, func(w *world) error {
		w.moment("streams are cut")
		w.cluster.CutStreams(withError)
		return nil
	}, "cluster: streams are cut, with an error: %v", withError)
}

func (p *plan) cutConnections(at time.Duration) {
	p.add(at, func(w *world) error {
		w.moment("connections are cut")
		w.cluster.CutConnections()
		return nil
	}, "cluster: connections are cut")
}

func (p *plan) restartCluster(at time.Duration) {
	lasts := p.between(100*time.Millisecond, 4*time.Second)
	p.add(at, func(w *world) error {
		over := w.journal.add(mark{class: ofCluster, text: "is down"})
		w.beside(func() error {
			w.restarting.Lock()
			defer w.restarting.Unlock()
			w.cluster.Stop()
			time.Sleep(lasts)
			over()
			return w.cluster.Resume()
		})
		return nil
	}, "cluster: restart, %v", lasts)
}

// clusterMethods are calls that fail.
var clusterMethods = []string{"ListAccessRequests", "GetAccessRequestsV2", "GetPluginData", "UpdatePluginData", "WatchEvents", "Ping", "GetUser", "SubmitAccessReview"}

func (p *plan) unavailable(at time.Duration) {
	f := cluster.Failure{Method: one(p.rng, clusterMethods), Code: codes.Unavailable, Times: 1 + p.rng.IntN(6)}
	p.add(at, func(w *world) error {
		w.moment("is unavailable for " + f.Method)
		w.cluster.AddFailure(f)
		return nil
	}, "cluster: %s is unavailable, %d times", f.Method, f.Times)
}

// right is one of the plugin's role.
type right struct {
	kind  string
	verbs []string
}

// rights are those that are taken from the role for a while.
var rights = []right{
	{types.KindAccessRequest, []string{types.VerbList, types.VerbRead}},
	{types.KindAccessPluginData, []string{types.VerbRead, types.VerbUpdate}},
	{types.KindUser, []string{types.VerbList, types.VerbRead}},
	{types.KindRole, []string{types.VerbRead}},
	{types.KindAccessMonitoringRule, []string{types.VerbList, types.VerbRead}},
}

func (p *plan) deny(at time.Duration) {
	right, lasts := one(p.rng, rights), p.between(time.Second, 6*time.Second)
	over := func() {}
	p.add(at, func(w *world) error {
		over = w.journal.add(mark{class: ofRight, text: right.kind})
		w.cluster.Deny(cluster.PluginRole, right.kind, right.verbs...)
		return nil
	}, "cluster: %s is denied", right.kind)
	p.add(min(at+lasts, p.length), func(w *world) error {
		w.cluster.Allow(cluster.PluginRole, right.kind, right.verbs...)
		over()
		return nil
	}, "cluster: %s is allowed", right.kind)
}

func (p *plan) conflicts(at time.Duration) {
	n := 1 + p.rng.IntN(20)
	p.add(at, func(w *world) error {
		w.cluster.ConflictNextWrites(n)
		return nil
	}, "cluster: %d writes lose", n)
}

func (p *plan) loseWrites(at time.Duration) {
	method := one(p.rng, []string{"UpdatePluginData", "SubmitAccessReview"})
	f := cluster.Failure{Method: method, Code: codes.Unavailable, Times: 1 + p.rng.IntN(3), AfterWork: true}
	p.add(at, func(w *world) error {
		w.cluster.AddFailure(f)
		return nil
	}, "cluster: the answers of %d calls of %s are lost", f.Times, method)
}

func (p *plan) slowCluster(at time.Duration) {
	by, lasts := p.between(50*time.Millisecond, 400*time.Millisecond), p.between(time.Second, 5*time.Second)
	over := func() {}
	p.add(at, func(w *world) error {
		over = w.journal.add(mark{class: ofCluster, text: fmt.Sprintf("is slow by %v", by)})
		w.cluster.Slow(by)
		return nil
	}, "cluster: slow by %v", by)
	p.add(min(at+lasts, p.length), func(w *world) error {
		w.cluster.Slow(0)
		over()
		return nil
	}, "cluster: no longer slow")
}

// observeCluster marks each call of the cluster that a fault hits.
func (w *world) observeCluster() {
	w.cluster.ObserveFailures(func(f cluster.Failure, content string) {
		m := mark{request: firstID(content), class: ofWrite, text: fmt.Sprintf("%s: %v, after the work: %v", f.Method, f.Code, f.AfterWork)}
		if m.request == "" {
			m.class = ofCluster
		}
		w.journal.add(m)
	})
}
