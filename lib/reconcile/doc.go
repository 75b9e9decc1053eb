// Package reconcile is the heart of every plugin. It is told which access
// request to look at, reads the request and what the plugin's record remembers
// of it, works out the first missing step for each recipient, takes it, records
// it, and repeats until the messages show what the cluster holds. A crash, a
// restart, a second replica, a failed call and a changed config are then all
// the same case.
//
// A round on one request goes like this: read request and record; see whether
// another replica is at work; choose the recipients, once; claim the record;
// take the steps for all recipients in parallel; record their results and give
// up the claim. What a step achieved is recorded after the service has said
// yes, with a time budget of its own.
package reconcile
