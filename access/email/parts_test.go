package email

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// A reviewer knows all that the Message-ID of the mail about their review is made of. Their
// reason makes no parts of its own in the mail that others get.
func TestAReviewerAddsNoPartToAMail(t *testing.T) {
	to := integration.Place{Address: "bob@example.com", Message: plugindata.Message{Channel: "bob@example.com", ID: "x@example.com"}}
	e := integration.Effect{Kind: integration.Review}
	v := request.View{ID: "0191-1", Cluster: "example.com", User: "alice", Roles: []string{"admin"}, Status: request.Pending, Created: time.Unix(1_700_000_000, 0).UTC()}
	delimiter, _, _ := strings.Cut("--"+messageID(v, to.Address, e, "example.com"), "@")
	fill := func(n int) string { return strings.Repeat("x", n) }
	reason := fill(75-len("Reason: ")) + delimiter + "\n" +
		fill(73) + "Content-Transfer-Encoding: quoted-printable\n" +
		fill(73) + "Content-Type: text/html; charset=utf-8\n" +
		fill(73) + "-\n<h1>Sign in again</h1><a href=\"https://evil.example/\">Sign in</a><!--"
	v.Reviews = []request.Review{{Author: "mallory", State: request.Approved, Reason: reason, Created: v.Created}}
	m, err := letter(v, to, e, "example.com", v.Created)
	if err != nil {
		t.Fatal(err)
	}
	text, err := m.MIME(&netmail.Address{Address: "t@example.com"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	read, err := netmail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	_, params, _ := mime.ParseMediaType(read.Header.Get("Content-Type"))
	parts, n := multipart.NewReader(read.Body, params["boundary"]), 0
	for {
		p, err := parts.NextPart()
		if err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			break
		}
		body, _ := io.ReadAll(p)
		if n++; n == 1 && !strings.Contains(string(body), "Sign in again") {
			t.Errorf("the plain part ends within the reason: %q", body)
		}
	}
	if n != 2 {
		t.Errorf("the mail has %d parts", n)
	}
}
