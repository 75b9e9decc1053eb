// Package apiserver holds what every simulated web API has beside its methods: a
// port to listen at, a log of the calls, and a way to wait for what happens.
package apiserver
