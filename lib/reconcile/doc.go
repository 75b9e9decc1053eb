// Package reconcile is the heart of every plugin. It hears which access request to
// look at, reads the request and what the plugin's record remembers of it, works
// out what is missing for each recipient, does it, records it, and repeats until
// the messages show what the cluster holds. A crash, a restart, a second replica, a
// failed call and a changed config are then all the same case.
//
// The files follow a request on its way: round (the flow), read (the request and its
// record), choose (the recipients, once), enter (the ways to the places), act (the
// claim, and the visits), record (what was achieved). What a round uses has packages
// of its own: inbox (what was heard), plan (what is missing, a pure function of
// record and request), lane (who may call where, and who waits), visit (the steps at
// one place), calls (to the service), decide (reviews by rule), ledger (claims) and
// pace (how long to wait).
//
// What people see and what must happen once is an effect. A claim in the record is
// the intent to bring about effects, what a call has achieved is recorded
// afterwards, and what lies between is in doubt: it is looked up, whatever has
// become of the request since. Where nothing can be looked up, effects at a place
// go one after another, each recorded before the next.
package reconcile
