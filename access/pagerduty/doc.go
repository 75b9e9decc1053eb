// Package pagerduty carries access requests to PagerDuty: an incident on each
// service that the request's annotation names, a note for each review, the
// incident's resolution when the request has ended, and a note that says how.
// Requests of people who are on call can be approved without a person; package
// approval has the rules.
//
// In the engine's words a recipient is the name of a service, its address the
// service's id, a message an incident, and what is told below it a note.
//
// # Never two incidents
//
// An incident's key is "teleport-access-request/" and the request's id, on each
// service. PagerDuty refuses a second open incident with the key, which then is
// ours. It does not refuse one after the first was resolved, so a call whose
// outcome is not known is looked up by the key among all incidents, resolved
// ones too, before it is made again.
//
// # Only our own incidents
//
// Others may write plugin data, so a record may name any incident. Before anything
// is done to an incident that this process has not opened or found itself, its key
// must be that of the request. PagerDuty shows no key of an incident with alerts;
// then the text with which it was opened must name the request in a line of its
// own. A search by key is no proof in that case: it finds an incident by the keys
// of its alerts, and an alert can be merged into somebody else's incident.
//
// # Resolution
//
// The incident is resolved first, since it keeps paging people until then, and the
// note that says how the request ended comes after it. That an incident is
// resolved already is success.
package pagerduty
