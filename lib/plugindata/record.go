// Package plugindata holds what a plugin remembers of an access request. The
// record lives in the cluster's own plugin data store, a map of strings for
// each request and plugin, changed by compare-and-swap. It has two parts: the
// keys of Teleport's own plugins, which a Codec reads and writes so that either
// can continue what the other began, and keys of ours that the others leave alone:
// who is at work (a ledger.Claim), how far each recipient has come (Progress), and
// whether another began it (Adopted).
package plugindata

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

// The keys of our own part of a record; the claim has ledger.Key.
const (
	// ProgressKey holds a Progress as JSON.
	ProgressKey = "deliveries"
	// AdoptedKey is there if Adopted holds.
	AdoptedKey = "adopted"
)

// Message names a post at a service: the channel (or service) that holds it
// and its id there.
type Message struct {
	Channel string
	ID      string
}

// Known is the part of a record that Teleport's own plugins know.
type Known struct {
	User      string
	Roles     []string
	Resources []string
	Reason    string
	// Created is when the request was made; only some codecs store it.
	Created            time.Time
	Logins             map[string][]string
	Annotations        map[string][]string
	SuggestedReviewers []string

	// ReviewsCount is how many reviews every recipient has been told.
	ReviewsCount int
	// Resolution is the final state that every message shows, or empty.
	Resolution    request.Status
	ResolveReason string
	Messages      []Message
}

// Codec reads and writes the keys of Teleport's own plugin of one kind.
type Codec interface {
	// Decode reads what it can; values that it cannot read are left out and
	// named in the error.
	Decode(data map[string]string) (Known, error)
	// Encode returns a value for each key that the plugin always writes, and
	// for those others that have one. An empty value stands for an absent key.
	Encode(k Known) map[string]string
}

// Record is all that is remembered of a request. Change it and have it written
// with Changes.
type Record struct {
	Known
	Claim    ledger.Claim
	Progress Progress
	// Adopted says that Teleport's own plugin began the record: it told whom it
	// was to tell, and what it left to people is not decided anew. It stands apart
	// from the Progress, which may be garbled.
	Adopted bool
	// Garbled says that the Progress could not be read.
	Garbled bool

	codec Codec
	raw   ledger.Values // as it was read
}

// New is the record of a request that has none yet.
func New(c Codec) *Record { return &Record{codec: c} }

// Claimed implements ledger.Entry.
func (r *Record) Claimed() *ledger.Claim { return &r.Claim }

// Exists reports whether the record was found in the store.
func (r *Record) Exists() bool { return len(r.raw) > 0 }

// Ours reports whether one of our replicas has written to the record.
func (r *Record) Ours() bool { return r.raw[ProgressKey] != "" }

// Renew begins the record anew, for another request with the same id. The claim
// stays.
func (r *Record) Renew() {
	r.Known, r.Progress, r.Adopted, r.Garbled = Known{}, Progress{}, false, false
}

// Fingerprint is a text that changes with any change of the stored record.
func (r *Record) Fingerprint() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(r.raw)) {
		fmt.Fprintf(&b, "%q=%q;", k, r.raw[k])
	}
	return b.String()
}

// Decode reads a record. It always returns a usable one; the error names what
// could not be read, which then counts as absent.
func Decode(c Codec, data map[string]string) (*Record, error) {
	r := &Record{codec: c, raw: data}
	var faults []string
	note := func(err error) {
		if err != nil {
			faults = append(faults, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	var err error
	r.Known, err = c.Decode(data)
	note(err)
	r.Claim, err = ledger.ParseClaim(data[ledger.Key])
	note(err)
	r.Progress, err = decodeProgress(data[ProgressKey])
	// What we write names the request: what names neither that nor a recipient was
	// written by somebody else over what we knew.
	r.Garbled = err != nil || r.Ours() && r.Progress.Request == 0 && len(r.Progress.Deliveries) == 0
	note(err)
	r.Adopted = data[AdoptedKey] != ""
	r.forgetAddresses()
	if len(faults) > 0 {
		return r, fmt.Errorf("the stored record cannot be read: %s", strings.Join(faults, "; "))
	}
	return r, nil
}

// forgetAddresses leaves out recipients with a web address: nobody is told there, and
// it may hold a secret, which no log may show.
func (r *Record) forgetAddresses() {
	r.Messages = slices.DeleteFunc(r.Messages, func(m Message) bool { return message.IsWebAddress(m.Channel) })
	r.Progress.Deliveries = slices.DeleteFunc(r.Progress.Deliveries, func(d Delivery) bool {
		return message.IsWebAddress(d.Recipient) || message.IsWebAddress(d.Address)
	})
}

// Changes returns the update that brings the stored record to this one: the
// keys to be set, and what every key that we know must hold for the update to
// be accepted.
func (r *Record) Changes() (set, expect map[string]string) {
	next := r.codec.Encode(r.Known)
	next[ledger.Key], next[ProgressKey] = r.Claim.String(), r.Progress.encode()
	if next[AdoptedKey] = ""; r.Adopted {
		next[AdoptedKey] = cmp.Or(r.raw[AdoptedKey], "true")
	}
	return r.raw.Changes(next)
}

// Stored makes the record the one that is in the store, after an update with
// the given keys was accepted.
func (r *Record) Stored(set map[string]string) { r.raw = r.raw.After(set) }
