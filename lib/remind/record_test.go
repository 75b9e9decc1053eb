package remind

import (
	"maps"
	"testing"
	"time"

	"teleport-plugins/lib/ledger"
)

// Whatever stands in a record, owners can be added to it, and it can be read again.
func FuzzAnyRecordIsUsable(f *testing.F) {
	f.Add(`{"alice":"2026-03-01T09:30:00Z"}`, "one.3")
	f.Add(`{"alice":"0001-01-01T00:00:00Z","":null}`, ".2")
	f.Add(`{"alice":`, "x")
	f.Add(`[]`, "")
	f.Add(`{"alice":"9999-12-31T23:59:59.999999999+23:59"}`, "a.99999999999999999999")
	f.Fuzz(func(t *testing.T, notified, claim string) {
		rec, _ := decode(map[string]string{NotifiedKey: notified, ledger.Key: claim})
		now := time.Now().UTC()
		rec.tell("owner", now)
		rec.claim = rec.claim.Next("one")
		set, expect := rec.Changes()
		if expect[NotifiedKey] != notified || expect[ledger.Key] != claim {
			t.Errorf("expects %q", expect)
		}
		stored := maps.Clone(expect)
		maps.Copy(stored, set)
		again, err := decode(stored)
		if err != nil || again.claim != rec.claim || again.notified["owner"].Before(now) {
			t.Errorf("wrote %q, read %+v, %v", set, again, err)
		}
	})
}
