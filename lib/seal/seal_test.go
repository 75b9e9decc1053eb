package seal_test

import (
	"errors"
	"strings"
	"testing"

	"teleport-plugins/lib/seal"
)

type pass struct{ Use string }

func TestNobodyElseCanMakeIt(t *testing.T) {
	sealed, err := seal.Write("a secret", pass{"button"})
	if err != nil {
		t.Fatal(err)
	}
	var got pass
	if err := seal.Read("a secret", sealed, &got); err != nil || got.Use != "button" {
		t.Errorf("got %+v, %v", got, err)
	}
	text, sum, _ := strings.Cut(sealed, ".")
	other, _ := seal.Write("a secret", pass{"dialog"})
	otherText, _, _ := strings.Cut(other, ".")
	for _, forged := range []string{"", ".", text, text + ".", "." + sum, otherText + "." + sum, sealed + "x", text + "!." + sum} {
		var none pass
		if err := seal.Read("a secret", forged, &none); !errors.Is(err, seal.ErrForged) || none != (pass{}) {
			t.Errorf("%q is taken for %+v, %v", forged, none, err)
		}
	}
	if err := seal.Read("another secret", sealed, &got); !errors.Is(err, seal.ErrForged) {
		t.Errorf("with another secret: %v", err)
	}
	if _, err := seal.Write("a secret", func() {}); err == nil {
		t.Error("what cannot be written is sealed")
	}
}

func FuzzRead(f *testing.F) {
	f.Add("eyJVc2UiOiIifQ.x")
	f.Fuzz(func(t *testing.T, sealed string) {
		var got pass
		if seal.Read("a secret", sealed, &got) == nil {
			t.Errorf("%q is taken for %+v", sealed, got)
		}
	})
}
