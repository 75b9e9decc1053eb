// Package e2e holds the tests with the binaries of the plugins as they ship,
// see package harness.
package e2e
