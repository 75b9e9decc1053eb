// Package board carries access requests to a notice board. No such service
// exists: this is the example of how a service is added, as small as one can be
// that passes the suite. access/README.md says how to begin with it.
package board
