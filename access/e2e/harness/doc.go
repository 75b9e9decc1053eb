// Package harness runs the binaries of the plugins as they ship, in one or more
// replicas, against a cluster and a service in memory. The end-to-end tests, the
// fault timelines and the benchmarks all stand on it.
//
// It waits for what must come with generous deadlines and never sleeps in the
// hope that something has happened meanwhile.
package harness
