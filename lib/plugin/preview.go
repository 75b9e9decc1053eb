package plugin

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"strings"

	"github.com/gravitational/teleport/api/types"
	"go.yaml.in/yaml/v3"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
)

// preview is what the command preview prints: the call that would announce a request
// to a recipient.
type preview struct {
	integration.Choice
	Address string `json:"address"`
	// Others is how many more recipients there are.
	Others int    `json:"others"`
	Method string `json:"method"`
	Path   string `json:"path"`
	// Payload is the body of the call; values of a form that are JSON are shown as
	// such.
	Payload any `json:"payload"`
}

// preview has the service announce a request to its first recipient, and keeps the
// call from being made.
func (s *session) preview(ctx context.Context, req types.AccessRequest) (answer, error) {
	e, v, err := s.outlook(ctx, req)
	if err != nil {
		return nil, err
	}
	if len(e.Recipients) == 0 {
		return nil, errors.New("nobody would be notified; the command explain says why")
	}
	first := &e.Recipients[0]
	if s.resolve(ctx, first); first.Fault != "" {
		return nil, fmt.Errorf("finding the recipient %q: %s", first.Recipient, first.Fault)
	}
	p := preview{Choice: first.Choice, Address: first.Address, Others: len(e.Recipients) - 1}
	s.decorator.Decorate(ctx, &v, req)
	ctx, held := outbound.Rehearse(ctx)
	_, err = s.parts.Service.Tell(ctx, integration.Place{Address: p.Address}, integration.Effect{Kind: integration.Announce}, v)
	calls := held()
	if len(calls) == 0 {
		return nil, fmt.Errorf("the service did not get as far as the announcement: %w", cmp.Or(err, errors.New("it made no call")))
	}
	call := calls[0]
	p.Method, p.Path = call.Method, call.Path
	p.Payload, err = payload(call)
	return p, err
}

// payload reads the body of a call, which is JSON or a form.
func payload(call outbound.Held) (any, error) {
	kind, _, _ := mime.ParseMediaType(call.ContentType)
	if kind != "application/x-www-form-urlencoded" {
		body, err := decode(call.Body)
		if err != nil {
			return nil, fmt.Errorf("reading the call %s %s: %w", call.Method, call.Path, err)
		}
		return body, nil
	}
	form, err := url.ParseQuery(string(call.Body))
	if err != nil {
		return nil, fmt.Errorf("reading the call %s %s: %w", call.Method, call.Path, err)
	}
	fields := make(map[string]any)
	for name := range form {
		if name == "token" {
			continue // a secret
		}
		value := form.Get(name)
		fields[name] = value
		if strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") {
			if inner, err := decode([]byte(value)); err == nil {
				fields[name] = inner
			}
		}
	}
	return fields, nil
}

// decode reads JSON, in which whole numbers stay whole.
func decode(text []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	return plain(value), nil
}

// plain turns the numbers of decoded JSON into Go's.
func plain(value any) any {
	switch value := value.(type) {
	case json.Number:
		if n, err := value.Int64(); err == nil {
			return n
		}
		f, _ := value.Float64() // at most too large
		return f
	case map[string]any:
		for key, inner := range value {
			value[key] = plain(inner)
		}
	case []any:
		for i, inner := range value {
			value[i] = plain(inner)
		}
	}
	return value
}

func (p preview) text() string {
	var b strings.Builder
	to := fmt.Sprintf("To %s, because: %s", p.Recipient, p.Why)
	if p.Others > 0 {
		to += fmt.Sprintf(" (and %d more)", p.Others)
	}
	b.WriteString(message.Line(to) + "\n" + message.Line(p.Method+" "+p.Path) + "\n\n")
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(p.Payload); err != nil {
		return err.Error() + "\n"
	}
	return b.String()
}
