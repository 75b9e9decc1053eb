package mail

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
)

// mailgun is a domain at Mailgun.
type mailgun struct {
	Mailgun
	http *http.Client
}

func newMailgun(settings Mailgun, t *outbound.Transport) (*mailgun, error) {
	if err := t.Trust(settings.CAFile.Certificates()); err != nil {
		return nil, fmt.Errorf("mailgun.ca_file: %w", err)
	}
	return &mailgun{Mailgun: settings, http: t.Client()}, nil
}

// taken is what Mailgun answers: the id of the mail, or a message that says what is
// wrong.
type taken struct {
	ID      string `json:"id"`
	Message string `json:"message"`
}

const (
	sendMail = "messages.mime"
	probe    = "messages"
)

// deliver implements carrier. The mail is our own, so that it has our Message-ID; links
// in it are not to be replaced by ones that are counted.
func (g *mailgun) deliver(ctx context.Context, m Mail, text []byte) (string, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, f := range [][2]string{{"to", m.To}, {"o:require-tls", "yes"}, {"o:tracking", "no"}, {"o:tracking-clicks", "no"}, {"o:tracking-opens", "no"}} {
		_ = form.WriteField(f[0], f[1]) // to memory
	}
	if part, err := form.CreateFormFile("message", "mail.eml"); err == nil {
		_, _ = part.Write(text)
	}
	_ = form.Close()
	ctx, call := outbound.Begin(ctx, sendMail, m.To)
	status, answer, err := g.post(ctx, sendMail, form.FormDataContentType(), &body)
	if err != nil {
		return "", call.Fail(err)
	}
	var t taken
	if bad := json.Unmarshal(answer, &t); status == http.StatusOK && bad == nil && t.ID != "" {
		if id := strings.Trim(t.ID, "<>"); strings.Contains(id, "@") {
			return id, nil
		}
		return m.ID, nil // which stands in the mail, in any case
	}
	return "", g.refusal(call, answer, m.To)
}

// Check implements carrier. A mail without anything is refused for what it lacks, once
// the key is known; keys that may only send may ask nothing else.
func (g *mailgun) Check(ctx context.Context) error {
	ctx, call := outbound.Begin(ctx, probe, "")
	status, answer, err := g.post(ctx, probe, "application/x-www-form-urlencoded", strings.NewReader(""))
	if err != nil {
		return passing(call.Fail(err))
	}
	var t taken
	if json.Unmarshal(answer, &t) == nil && t.Message != "" && status == http.StatusBadRequest {
		return nil
	}
	return passing(g.refusal(call, answer, ""))
}

// passing is the failure of a call that does nothing.
func passing(e *outbound.Error) error {
	if e.Kind == outbound.Unclear {
		e.Kind = outbound.Retry
	}
	return e
}

// prove implements carrier: nothing is known of an address before a mail is sent there.
func (g *mailgun) prove(context.Context, string) error { return nil }

func (g *mailgun) post(ctx context.Context, method, kind string, body io.Reader) (status int, answer []byte, err error) {
	key, err := g.PrivateKey.Read() // each time, so that it can be replaced
	if err != nil {
		return 0, nil, err //nolint:wrapcheck // names the secret
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.APIBase+"/v3/"+g.Domain+"/"+method, body)
	if err != nil {
		return 0, nil, fmt.Errorf("the address of the API cannot be called: %w", err)
	}
	req.SetBasicAuth("api", key)
	req.Header.Set("Content-Type", kind)
	return outbound.Exchange(g.http, req) //nolint:wrapcheck // sorted by the caller
}

// refusal sorts an answer that does not take a mail. One is Mailgun's own if it has a
// message in JSON; of a wrong key it says no more than the word Forbidden.
func (g *mailgun) refusal(call *outbound.Call, answer []byte, to string) *outbound.Error {
	var t taken
	own := json.Unmarshal(answer, &t) == nil && t.Message != "" || strings.Trim(string(answer), "\" \r\n") == "Forbidden"
	e := call.Fail(errors.New("the answer is not of the form that Mailgun gives"))
	if !own {
		if call.Status()/100 == 3 {
			e.Hint = "redirects are not followed; see mailgun.api_base"
		}
		return e
	}
	e.Code = message.Line(message.Cut(cmp.Or(t.Message, "Forbidden"), longestWord))
	e.Err = errors.New(e.Code)
	said := strings.ToLower(t.Message)
	if to != "" && (strings.Contains(said, "'to' parameter") || strings.Contains(said, "authorized recipient")) {
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.ThePlace, "see that the address exists; domains for tests take only addresses that Mailgun's page lists"
		return e
	}
	switch call.Status() {
	case http.StatusUnauthorized:
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.TheToken, "see mailgun.private_key and mailgun.region; a key of the other region is not known"
	case http.StatusPaymentRequired, http.StatusForbidden, http.StatusNotFound:
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.TheToken, "see mailgun.domain and mailgun.region, and the domain on Mailgun's page"
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		e.Kind, e.Scope = outbound.Refused, outbound.OneCall
	}
	return e
}
