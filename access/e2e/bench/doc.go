// Command bench measures a plugin as it ships: speed, memory and calls.
//
// Each measure stands beside a floor taken in the same run: a program that does
// no more than watch the cluster and send one HTTP request for each recipient.
// What lies above the floor is what the plugin does for the sake of its
// promises: to read the request and its record, to claim, to record. The figures
// of Teleport's own plugins (14.2.3) were measured against a real cluster.
//
// The cluster and the service are in memory, in this process, and share the processors
// with the plugin.
package main
