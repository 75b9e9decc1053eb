// Package roles holds the resources to create in a Teleport cluster for each
// plugin: the role with the least rights that it needs, its user, and two ways
// to get its identity. The files are for tctl; there is no code here but tests
// that hold them against Teleport's own types and against the plugins.
package roles
