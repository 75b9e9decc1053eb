package email_test

import (
	"testing"

	"teleport-plugins/access/email/farend"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
)

// An address in a record that is none gets no mail, and no line of a header.
func TestARecordNamesNoHeaders(t *testing.T) {
	r := newRig(t, farend.Traits{}, nil)
	for _, address := range []string{"a@b.c>\r\nX: y", "a@b.c\nBcc: d@e.f", "nobody", ""} {
		_, err := r.tell(address, announce, pending(), plugindata.Message{})
		if outbound.KindOf(err) != outbound.Refused || outbound.ScopeOf(err) != outbound.ThePlace {
			t.Errorf("%q: %v", address, err)
		}
	}
	if n := len(r.far.Requests()); n != 0 {
		t.Errorf("%d calls were made", n)
	}
}
