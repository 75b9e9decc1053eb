// Command bench measures the plugins as they ship: speed, processor time, memory
// and calls.
//
// Each figure stands beside that of a floor, taken in turn in the same run: a
// process that watches the same cluster over the same TLS, and for each request
// writes the claim, makes the calls of the service and writes the result, over the
// plugin's own HTTP transport and with as many calls under way. Calls and records
// are those of the plugin, recorded while it told one request, with the id of the
// request replaced. The floor looks nothing up, repeats nothing and knows nothing
// of what it did before: what lies above it is what the plugin does for the sake of
// its promises.
//
// The cluster and the services are in memory, in this process, and share the
// processors with the programs that are measured.
package main
