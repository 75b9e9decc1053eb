// Package webhook carries access requests to endpoints of the operator's own: web
// addresses that are called, and programs that are started. An endpoint may answer with
// a decision.
//
// Each event is a document of its own, which holds the whole request; an endpoint needs
// no memory. The id of an event is the same however often it is delivered, so that an
// endpoint that goes by ids is told once. That is why nothing has to be looked up here,
// and why a delivery whose answer was lost is simply repeated.
package webhook
