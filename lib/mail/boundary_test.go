package mail

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"strings"
	"testing"
)

// Whoever writes a text that a mail shows, knows its Message-ID too: all of which it is made
// is on the page of the request. No such text may end the part that it stands in.
func TestATextDoesNotEndItsPart(t *testing.T) {
	id := "teleport." + strings.Repeat("ab", 16) + "@example.com"
	delimiter, _, _ := strings.Cut("--"+id, "@")
	for pad := range 80 {
		plain := "alice reviewed the request.\nReason: " + strings.Repeat("x", pad) + delimiter + "\n  hidden"
		text, err := Mail{ID: id, To: "bob@example.com", Subject: "s", Plain: plain, HTML: "<p>x</p>"}.MIME(&netmail.Address{Address: "t@example.com"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := netmail.ReadMessage(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		_, params, _ := mime.ParseMediaType(m.Header.Get("Content-Type"))
		parts := multipart.NewReader(m.Body, params["boundary"])
		var bodies []string
		for {
			p, err := parts.NextPart()
			if err != nil {
				if err != io.EOF {
					t.Errorf("pad %d: %v", pad, err)
				}
				break
			}
			b, _ := io.ReadAll(p)
			bodies = append(bodies, string(b))
		}
		if len(bodies) != 2 || !strings.Contains(bodies[0], "hidden") {
			t.Fatalf("with %d characters before it, the text makes %d parts: %q", pad, len(bodies), bodies)
		}
	}
}
