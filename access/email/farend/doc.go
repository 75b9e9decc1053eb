// Package farend provides simulated mailboxes to all that tries plugins: a mail server
// and Mailgun's API, which deliver into the same inboxes. Mails are taken apart by the
// standard library and looked at as strictly as the strictest servers do.
package farend
