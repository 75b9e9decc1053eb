package approval_test

import (
	"strings"
	"testing"

	"teleport-plugins/access/pagerduty/approval"
)

func TestSame(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"dana@example.com", "Dana@EXAMPLE.com", true},
		{"", "", true},
		{"a", "", false},
		{"karl", "\u212Aarl", false}, // KELVIN SIGN
		{"\u017Fue", "sue", false},   // LONG S
		{"é", "É", false},            // known only to Unicode's folding
		{"@", "`", false},
		{"[", "{", false},
		{"Z", "z", true}, // around the letters
	} {
		if got := approval.Same(tc.a, tc.b); got != tc.want || approval.Same(tc.b, tc.a) != tc.want {
			t.Errorf("%q and %q: %v", tc.a, tc.b, got)
		}
	}
	if approval.Normal("\u212Aarl") || approval.Normal("e\u0301") || !approval.Normal("zoë") {
		t.Error("what is normal is not told from what is not")
	}
}

func FuzzSame(f *testing.F) {
	f.Add("karl", "\u212Aarl")
	f.Fuzz(func(t *testing.T, a, b string) {
		if approval.Same(a, b) && !strings.EqualFold(a, b) {
			t.Errorf("%q and %q differ in more than case", a, b)
		}
	})
}
