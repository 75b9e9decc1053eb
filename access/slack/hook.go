package slack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"teleport-plugins/lib/hook"
)

// maxHook bounds what is read of one call of Slack's, in bytes.
const maxHook = 256 << 10

// serve takes presses by HTTP until ctx ends.
func (l *listener) serve(ctx context.Context) error {
	callers := &hook.Callers{Note: l.noteButtons, Awaited: "no call that Slack has signed has come to review.listen yet", Log: l.log}
	return hook.Serve(ctx, hook.Options{
		Endpoint: l.review.Endpoint, Handler: l.hook(ctx, callers), Log: l.log, Callers: callers, Ready: func() { l.desk.Heard("") },
	})
}

// hook is the only thing that answers there: every call must be signed by Slack, over
// the bytes as they came in, whatever it is about.
func (l *listener) hook(ctx context.Context, callers *hook.Callers) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHook))
		if err == nil {
			err = l.signed(r.Header, body)
		}
		if err != nil {
			callers.Stranger("A call at review.listen was not signed with the signing secret and was refused", zap.Error(err))
			http.Error(w, "not signed", http.StatusUnauthorized)
			return
		}
		callers.Known()
		form, err := url.ParseQuery(string(body))
		if err != nil || form.Get("payload") == "" || r.Method != http.MethodPost {
			http.Error(w, "no payload", http.StatusBadRequest)
			return
		}
		if ctx.Err() != nil {
			http.Error(w, "stopping", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusOK)
		l.take(ctx, []byte(form.Get("payload")))
	})
}

// signed makes sure that a call was signed with the signing secret, within five
// minutes.
func (l *listener) signed(header http.Header, body []byte) error {
	secret, err := l.review.SigningSecret.Read()
	switch {
	case err != nil:
		return fmt.Errorf("review.signing_secret: %w", err)
	case secret == "":
		return errors.New("review.signing_secret is empty")
	}
	v, err := slack.NewSecretsVerifier(header, secret)
	if err != nil {
		return err
	}
	if _, err := v.Write(body); err != nil {
		return err
	}
	return v.Ensure()
}
