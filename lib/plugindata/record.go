// Package plugindata holds what a plugin remembers of an access request. The
// record lives in the cluster's own plugin data store, a map of strings for
// each request and plugin, changed by compare-and-swap. It has two parts: the
// keys of Teleport's own plugins, which a Codec reads and writes so that either
// can continue what the other began, and two keys of ours that the others leave
// alone: who is at work (Claim), and how far each recipient has come (Progress).
package plugindata

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"teleport-plugins/lib/message"
)

// The keys of our own part of a record.
const (
	// ClaimKey holds the claim, as Claim.String writes it.
	ClaimKey    = "claim"
	progressKey = "progress"
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
	Resolution    message.Status
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

// Claim says that a replica is at work on the request.
type Claim struct {
	// Owner is the replica: a random word that it chose at its start. It is
	// empty when nobody is at work.
	Owner string
	// Generation grows with each claim and outlives it, so that a claim that
	// was renewed or made again is never mistaken for one that stands still.
	Generation int
}

// Free reports that nobody claims the request.
func (c Claim) Free() bool { return c.Owner == "" }

// Next is the claim of a replica that follows on this one.
func (c Claim) Next(owner string) Claim { return Claim{Owner: owner, Generation: c.Generation + 1} }

// Released is what stays of the claim when its owner has finished.
func (c Claim) Released() Claim { return Claim{Generation: c.Generation} }

// String is the claim as it is stored: "owner.generation", or nothing if there
// never was one.
func (c Claim) String() string {
	if c == (Claim{}) {
		return ""
	}
	return c.Owner + "." + strconv.Itoa(c.Generation)
}

// ParseClaim reads a claim as it is stored.
func ParseClaim(s string) (Claim, error) {
	if s == "" {
		return Claim{}, nil
	}
	owner, gen, ok := strings.Cut(s, ".")
	n, err := strconv.Atoi(gen)
	if !ok || err != nil || n < 1 {
		return Claim{}, fmt.Errorf("key %q: %q is not a claim", ClaimKey, message.Cut(s, 40))
	}
	return Claim{Owner: owner, Generation: n}, nil
}

// Delivery is how far one recipient has come.
type Delivery struct {
	// Recipient is the name as it was configured or suggested.
	Recipient string `json:"recipient,omitempty"`
	// Address is what the service calls the recipient, once it is known.
	Address string `json:"address,omitempty"`
	// Channel and ID name the post, once it is made.
	Channel string `json:"channel,omitempty"`
	ID      string `json:"id,omitempty"`
	// Shown is the version of the view (message.View.Version) that the post shows.
	Shown string `json:"shown,omitempty"`
	// Replies is how many reviews were told below the post.
	Replies int `json:"replies,omitempty"`
	// Requester marks the requester's own copy, and the one to be told of the
	// decision.
	Requester bool `json:"requester,omitempty"`
	// Noticed is the decision that the requester was told of.
	Noticed message.Status `json:"noticed,omitempty"`
	// Unclear says that a call was made whose outcome is not known.
	Unclear bool `json:"unclear,omitempty"`
	// Reposted says that the post was lost at the service and made again.
	Reposted bool `json:"reposted,omitempty"`
	// Skipped says that another recipient has the same address.
	Skipped bool `json:"skipped,omitempty"`
	// Failed says why nothing more is tried for this recipient.
	Failed string `json:"failed,omitempty"`
}

// Posted reports whether the recipient has a post.
func (d Delivery) Posted() bool { return d.ID != "" }

// Message names the recipient's post.
func (d Delivery) Message() Message { return Message{Channel: d.Channel, ID: d.ID} }

// Over reports whether nothing is to be done for the recipient any more.
func (d Delivery) Over() bool { return d.Skipped || d.Failed != "" }

// Progress is our own part of a record.
type Progress struct {
	// Request is the creation time of the request in Unix seconds; a request
	// that was deleted and made again under the same id has another.
	Request int64 `json:"request,omitempty"`
	// Deliveries holds one entry for each recipient, decided when the request
	// was first seen.
	Deliveries []Delivery `json:"deliveries,omitempty"`
	// Decision is what was decided by rule about the request, once.
	Decision string `json:"decision,omitempty"`
}

func (p Progress) isZero() bool {
	return p.Request == 0 && len(p.Deliveries) == 0 && p.Decision == ""
}

// Record is all that is remembered of a request. Change it and have it written
// with Changes.
type Record struct {
	Known
	Claim    Claim
	Progress Progress

	raw map[string]string // as it was read
}

// Exists reports whether the record was found in the store.
func (r *Record) Exists() bool { return len(r.raw) > 0 }

// Ours reports whether one of our replicas has written to the record.
func (r *Record) Ours() bool { return r.raw[progressKey] != "" || r.raw[ClaimKey] != "" }

// Raw returns one value as it was read.
func (r *Record) Raw(key string) string { return r.raw[key] }

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
	r := &Record{raw: data}
	var faults []string
	note := func(err error) {
		if err != nil {
			faults = append(faults, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	var err error
	r.Known, err = c.Decode(data)
	note(err)
	r.Claim, err = ParseClaim(data[ClaimKey])
	note(err)
	if text := data[progressKey]; text != "" {
		if err := json.Unmarshal([]byte(text), &r.Progress); err != nil {
			r.Progress = Progress{}
			note(fmt.Errorf("key %q: %w", progressKey, err))
		}
	}
	if len(faults) > 0 {
		return r, fmt.Errorf("the stored record cannot be read: %s", strings.Join(faults, "; "))
	}
	return r, nil
}

// Changes returns the update that brings the stored record to this one: the
// keys to be set, and what every key that we know must hold for the update to
// be accepted.
func (r *Record) Changes(c Codec) (set, expect map[string]string, err error) {
	next := c.Encode(r.Known)
	next[ClaimKey] = r.Claim.String()
	next[progressKey] = ""
	if !r.Progress.isZero() {
		text, err := json.Marshal(r.Progress)
		if err != nil {
			return nil, nil, fmt.Errorf("encoding the record: %w", err)
		}
		next[progressKey] = string(text)
	}
	set, expect = make(map[string]string), make(map[string]string, len(next))
	for key, value := range next {
		expect[key] = r.raw[key]
		if value != r.raw[key] {
			set[key] = value
		}
	}
	return set, expect, nil
}

// Stored makes the record the one that is in the store, after an update with
// the given keys was accepted.
func (r *Record) Stored(set map[string]string) {
	raw := maps.Clone(r.raw)
	if raw == nil {
		raw = make(map[string]string)
	}
	for key, value := range set {
		if value == "" {
			delete(raw, key)
		} else {
			raw[key] = value
		}
	}
	r.raw = raw
}

// Delivery returns the entry of a recipient, or nil.
func (r *Record) Delivery(recipient string) *Delivery {
	for i := range r.Progress.Deliveries {
		if r.Progress.Deliveries[i].Recipient == recipient {
			return &r.Progress.Deliveries[i]
		}
	}
	return nil
}
