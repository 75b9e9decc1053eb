// Package conformance is the one suite of behaviours that every integration
// must pass. It runs the whole plugin within the test's process, over a real
// connection to a simulated cluster and real HTTP to the simulated service, and
// looks at what people at the service see. An integration joins with its simulated
// service, a farend.Service.
package conformance
