// Package email carries access requests to mailboxes.
//
// A mail cannot be changed once it is on its way, nor looked up: what happens to a
// request is a mail of its own, in the same conversation. All that makes a mail is
// derived from the request, its Message-ID and its Date too, so that a mail whose
// fate is not known is sent again as the same mail.
package email
