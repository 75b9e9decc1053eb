package mail

import (
	"errors"
	"fmt"
	"net/textproto"
	"strings"
	"testing"

	"teleport-plugins/lib/outbound"
)

// What a server says where an address is named, and that is about the sender or about how
// much was sent, is not put down to the address.
func TestTheAddressIsNotBlamedForTheSender(t *testing.T) {
	s := &server{}
	for _, text := range []string{
		"550 Sender verify failed", // Exim, whose ACL for RCPT requires verify = sender
		"550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits go to https://support.google.com/a/answer/166852",
		"553 5.7.1 <teleport@example.com>: Sender address rejected: not owned by user x", // known
	} {
		var code int
		var rest string
		fmt.Sscanf(text, "%d", &code)
		_, rest, _ = strings.Cut(text, " ")
		err := s.failed(t.Context(), addressing, &textproto.Error{Code: code, Msg: rest})
		var f *outbound.Error
		if errors.As(err, &f); strings.Contains(f.Hint, "see that the address exists") {
			t.Errorf("%s: %s", text, f.Hint)
		}
	}
}
