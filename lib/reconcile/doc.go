// Package reconcile is the heart of every plugin. It hears which access request to
// look at, reads the request and what the plugin's record remembers of it, works
// out what is missing for each recipient, does it, records it, and repeats until
// the messages show what the cluster holds. A crash, a restart, a second replica, a
// failed call and a changed config are then all the same case.
//
// The files follow a request on its way: inbox (what was heard), round (the flow),
// choose (the recipients, once), plan (what is missing, a pure function of record
// and request), enter (the ways to the places), act (the calls), ledger (claim and
// record), decide (reviews by rule). Beside them are lanes (who may call where, and
// who waits) and pace (how long).
//
// What people see and what must happen once is an effect. A claim in the record is
// the intent to bring about effects, what a call has achieved is recorded
// afterwards, and what lies between is in doubt: it is looked up, whatever has
// become of the request since. Where nothing can be looked up, effects at a place
// go one after another, each recorded before the next.
package reconcile
