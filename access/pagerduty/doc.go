// Package pagerduty carries access requests to PagerDuty: an incident on each
// service that the request's annotation names, a note for each review, and the
// incident's resolution when the request has ended. Requests of people who are
// on call can be approved without a person; package approval has the rules.
//
// In the engine's words a recipient is the name of a service, its address the
// service's id, a post an incident and a reply a note.
//
// # Never two incidents
//
// An incident's key is "teleport-access-request/" and the request's id, on each
// service. PagerDuty refuses a second open incident with the key, which then is
// ours. It does not refuse one after the first was resolved, so a call whose
// outcome is not known is looked up by the key among all incidents, resolved
// ones too, before it is made again.
//
// # Resolution
//
// The note comes first and the status after it, since a key may lose the right
// to an incident with its resolution. Before the note is written, the notes are
// read, so that a resolution which is tried again does not write it twice. That
// an incident is resolved already is success.
package pagerduty
