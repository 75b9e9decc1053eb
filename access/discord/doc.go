// Package discord carries access requests to Discord: an announcement in each
// channel or direct message, a reply in its thread for each review, an edit for
// each change, and a word to the requester about the decision.
package discord
