package document

import (
	"testing"

	"teleport-plugins/lib/vote"
)

// An answer that can be read in two ways decides nothing, in OPA's form too.
func TestAnAmbiguousResultDecidesNothing(t *testing.T) {
	for _, text := range []string{
		`{"result":{"decision":"deny"},"result":true}`,
		`{"result":{"decision":"deny"},"RESULT":{"decision":"approve"}}`,
		`{"result":false,"Result":true}`,
	} {
		if a, err := OPA.Read([]byte(text)); err == nil && a.Decision == vote.Approve {
			t.Errorf("%s is read as %s", text, a.Decision)
		}
	}
}
