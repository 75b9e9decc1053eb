// Package apiserver provides what every simulated web API has beside its methods:
// a port to listen at, the way of a call past faults and limits, a log of the
// calls, a lock around the state, and a way to wait for what happens.
package apiserver
