package pagerduty

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/PagerDuty/go-pagerduty"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
)

// The calls that are more than a look into a list. A call is named by its verb
// and its path; one that begins with GET has no effect.
const (
	// opCheck is the call by which the key is checked; every kind of key may make it.
	opCheck    = "GET /abilities"
	opCreate   = "POST /incidents"
	opResolve  = "PUT /incidents"
	opIncident = "GET /incidents/{id}"
	opNotes    = "GET /incidents/{id}/notes"
	opNote     = "POST /incidents/{id}/notes"
)

// client makes calls with the key as it is at the time of the call, so that a
// key can be replaced under a running plugin.
type client struct {
	key       config.Secret
	endpoint  string
	transport *outbound.Transport
	http      *http.Client
}

func newClient(s Section, t *outbound.Transport) *client {
	return &client{key: s.APIKey, endpoint: s.APIEndpoint, transport: t, http: t.Client()}
}

// courier remembers the error of the transport, which the vendor's library
// turns into mere text.
type courier struct {
	http *http.Client
	err  error
}

// Do implements pagerduty.HTTPClient.
func (c *courier) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	c.err = err
	return resp, err //nolint:wrapcheck // the library wraps it
}

// do makes one call through the vendor's library and sorts its error.
func (c *client) do(ctx context.Context, op string, fn func(context.Context, *pagerduty.Client) error) error {
	secret, err := c.key.Read()
	if err != nil {
		return &outbound.Error{Kind: outbound.Retry, Op: op, Err: err, Hint: "see that the plugin can read the key that pagerduty.api_key names"}
	}
	// PagerDuty's limits hold for the key, whatever service a call is about.
	ctx, call := outbound.Begin(ctx, op, "")
	carrier := &courier{http: c.http}
	api := pagerduty.NewClient(secret, pagerduty.WithAPIEndpoint(c.endpoint))
	api.HTTPClient = carrier
	if err = fn(ctx, api); err == nil {
		return nil
	}
	if carrier.err != nil {
		err = carrier.err
	}
	return sorted(call, op, err)
}

// Bounds of paging, as PagerDuty sets them.
const (
	pageSize = 100
	maxReach = 10000
)

// errEndless stands for a list whose end PagerDuty does not show.
var errEndless = errors.New("PagerDuty sent an empty page and promised more")

// pages makes a call for page after page of a list. It fails unless it comes to
// the list's end: what is not seen must not count as absent.
func (c *client) pages(ctx context.Context, op string, fetch func(ctx context.Context, api *pagerduty.Client, offset uint) (items int, more bool, err error)) error {
	for offset := uint(0); offset+pageSize <= maxReach; {
		n, more := 0, false
		err := c.do(ctx, op, func(ctx context.Context, api *pagerduty.Client) (err error) {
			n, more, err = fetch(ctx, api, offset)
			return err
		})
		switch {
		case err != nil || !more:
			return err
		case n == 0:
			return &outbound.Error{Kind: outbound.Retry, Op: op, Err: errEndless}
		}
		offset += uint(n)
	}
	return &outbound.Error{
		Kind: outbound.Refused, Op: op, Err: fmt.Errorf("PagerDuty lists no more than %d items", maxReach),
		Hint: "this one cannot be found among so many; look for it by hand",
	}
}

// reads reports whether a call has no effect.
func reads(op string) bool { return strings.HasPrefix(op, "GET ") }

// aboutIncident reports whether a call names an incident.
func aboutIncident(op string) bool { return strings.Contains(op, "{id}") || op == opResolve }
