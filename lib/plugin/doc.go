// Package plugin runs an integration: it is the whole program around it, from
// the command line over the config, the connection and the signals to the exit
// code. An integration describes itself in an Integration and hands that to
// Main.
package plugin
