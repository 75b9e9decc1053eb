package remind

import (
	"encoding/json"
	"fmt"
	"time"

	"teleport-plugins/lib/ledger"
)

// NotifiedKey is where records of Teleport's own plugin hold when each owner was
// told: a JSON object from the owner's name to a time as in RFC 3339.
const NotifiedKey = "user_notifications"

// record is what is remembered of a list.
type record struct {
	notified map[string]time.Time
	claim    ledger.Claim

	raw ledger.Values // as it stands in the cluster
}

// decode reads a record. It always returns a usable one; what cannot be read
// counts as absent.
func decode(raw map[string]string) (*record, error) {
	rec := &record{raw: raw}
	var err error
	if text := raw[NotifiedKey]; text != "" {
		if err = json.Unmarshal([]byte(text), &rec.notified); err != nil {
			rec.notified, err = nil, fmt.Errorf("key %q: %w", NotifiedKey, err)
		}
	}
	if rec.notified == nil {
		rec.notified = make(map[string]time.Time)
	}
	claim, claimErr := ledger.ParseClaim(raw[ledger.Key])
	if rec.claim = claim; err == nil {
		err = claimErr
	}
	return rec, err
}

// Claimed implements ledger.Entry.
func (rec *record) Claimed() *ledger.Claim { return &rec.claim }

// Changes implements ledger.Entry.
func (rec *record) Changes() (set, expect map[string]string) {
	next := map[string]string{ledger.Key: rec.claim.String(), NotifiedKey: ""}
	if len(rec.notified) > 0 {
		text, _ := json.Marshal(rec.notified) // cannot fail with times that were read or are now
		next[NotifiedKey] = string(text)
	}
	return rec.raw.Changes(next)
}

// Stored implements ledger.Entry.
func (rec *record) Stored(set map[string]string) { rec.raw = rec.raw.After(set) }

// tell notes that an owner was told.
func (rec *record) tell(owner string, at time.Time) {
	if rec.notified[owner].Before(at) {
		rec.notified[owner] = at
	}
}
