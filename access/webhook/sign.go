package webhook

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/endpoint"
)

// sign sets the headers of Standard Webhooks. A receiver takes a call that any of the
// secrets has signed.
func sign(secrets config.SigningSecrets, h http.Header, d endpoint.Document, at time.Time) error {
	texts, err := secrets.Read()
	if err != nil {
		return err //nolint:wrapcheck // names the secret
	}
	h.Set(standard.HeaderWebhookID, d.ID)
	h.Set(standard.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	var signatures []string
	for _, text := range texts {
		signer, err := standard.NewWebhook(text)
		if err != nil {
			return errors.New("the secret is not one for signatures")
		}
		signature, err := signer.Sign(d.ID, at, d.Body)
		if err != nil {
			return errors.New("the event could not be signed")
		}
		signatures = append(signatures, signature)
	}
	if len(signatures) > 0 {
		h.Set(standard.HeaderWebhookSignature, strings.Join(signatures, " "))
	}
	return nil
}
