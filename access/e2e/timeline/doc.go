// Package timeline holds the fault timelines: what happens to a cluster, a
// service and the plugin between them, one row for each. Every row runs the
// binaries as they ship and ends with a comparison of what people see at the
// service with what they should see. A row says what it promises; the program
// access/e2e/faults prints the rows as a table, and the tests run them too.
package timeline
