// Package shiptest tries what a release ships, as its users get it: the archives
// on a bare Debian system, the binaries of the other architecture, the units and
// the images, all against the sandbox. There is no code here but the tests; make
// ship-test and make image-test prepare what they need, and without that they
// skip.
package shiptest
