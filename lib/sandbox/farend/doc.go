// Package farend provides the contract of a simulated service: all that the
// suite, the timelines, chaos, the benchmarks and the page know of one.
//
// A service brings its own in its folder. What people see there is data, the
// same for all: channels with messages, people, and switches.
package farend
