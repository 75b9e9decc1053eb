package pagerduty

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/PagerDuty/go-pagerduty"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
)

// client makes calls with the key as it is at the time of the call, so that a
// key can be replaced under a running plugin.
type client struct {
	key       config.Secret
	endpoint  string
	transport *outbound.Transport
	http      *http.Client
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

// do makes one call through the vendor's library and sorts its error. The op is
// the verb and the path; one that begins with GET has no effects.
func (c *client) do(ctx context.Context, op string, fn func(context.Context, *pagerduty.Client) error) error {
	secret, err := c.key.Read()
	if err != nil {
		return &outbound.Error{Kind: outbound.Credentials, Op: op, Err: err}
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
	return c.sort(call, op, err)
}

// sort finds out what can be done about a failed call.
func (c *client) sort(call *outbound.Call, op string, err error) error {
	e := call.Fail(err)
	if e.Status == http.StatusTooManyRequests {
		c.transport.Hold(op, "", e.After) // the limit is that of the account
	}
	code, details := refusal(err)
	if code != 0 {
		e.Code = strconv.Itoa(code) + " " + message.Cut(line(details), 300)
	}
	byCode(e, code)
	read := strings.HasPrefix(op, "GET ")
	switch {
	case e.Status == http.StatusNotFound && strings.Contains(op, "{id}"), code == 2100 && strings.Contains(op, "{id}"):
		e.Kind = outbound.Gone
	case read && e.Kind == outbound.Unclear:
		e.Kind = outbound.Retry // there is nothing that it may have done
	case read && e.Status == http.StatusForbidden && op != opCheck:
		// What may not be looked up concerns one step; the key may still write.
		e.Kind, e.Hint = outbound.Permanent, "give the API key or its user the right to read this in PagerDuty"
	}
	return e
}

// refusal returns PagerDuty's error code and all of its words.
func refusal(err error) (code int, text string) {
	var e pagerduty.APIError
	if !errors.As(err, &e) || !e.APIError.Valid {
		return 0, ""
	}
	o := e.APIError.ErrorObject
	return o.Code, strings.Join(append([]string{o.Message}, o.Errors...), ": ")
}

// byCode corrects the kind by PagerDuty's error codes; what the codes leave open
// is judged by the status.
func byCode(e *outbound.Error, code int) {
	switch code {
	case 1005: // the incident changed meanwhile
		e.Kind = outbound.Retry
	case 2000, 2016: // internal error, took too long
		e.Kind = outbound.Unclear
	case 1008, 1028:
		e.Kind, e.Hint = outbound.Credentials, "set pagerduty.user_email to the address of a user of the PagerDuty account"
	case 2006:
		e.Kind, e.Hint = outbound.Credentials, "set pagerduty.api_key to a valid key, and pagerduty.region to the account's"
	case 2007, 2008, 2012, 2014:
		e.Kind, e.Hint = outbound.Credentials, "look after the PagerDuty account: it is closed, locked, expired or lacks the ability"
	}
	switch {
	case e.Status == http.StatusPaymentRequired:
		e.Kind = outbound.Credentials
	case e.Status == http.StatusBadRequest && strings.Contains(e.Code, "From header"):
		e.Kind, e.Hint = outbound.Credentials, "set pagerduty.user_email to the address of a user of the PagerDuty account"
	case e.Status == http.StatusUnauthorized && e.Hint == "":
		e.Hint = "set pagerduty.api_key to a valid key, and pagerduty.region to the account's"
	case e.Status == http.StatusForbidden && e.Hint == "":
		e.Hint = "set pagerduty.api_key to a key that is not read-only, of an account or user that may change the service's incidents"
	}
}

// hasCode reports whether PagerDuty refused a call with one of the codes.
func hasCode(err error, codes ...int) bool {
	code, _ := refusal(err)
	return slices.Contains(codes, code)
}

// duplicate reports whether an open incident has the key already. The code that
// comes with it is not documented; the text is.
func duplicate(err error) bool {
	var e *outbound.Error
	_, text := refusal(err)
	return errors.As(err, &e) && e.Status == http.StatusBadRequest && strings.Contains(text, "matching dedup key")
}

// Bounds of paging, as PagerDuty sets them.
const (
	pageSize = 100
	maxReach = 10000
)

// pages makes a call for page after page of a list. A page without items is the
// last, whatever PagerDuty says.
func (c *client) pages(ctx context.Context, op string, fetch func(ctx context.Context, api *pagerduty.Client, offset uint) (items int, more bool, err error)) error {
	for offset := uint(0); offset+pageSize <= maxReach; {
		n, more := 0, false
		err := c.do(ctx, op, func(ctx context.Context, api *pagerduty.Client) (err error) {
			n, more, err = fetch(ctx, api, offset)
			return err
		})
		if err != nil || !more || n == 0 {
			return err
		}
		offset += uint(n)
	}
	return &outbound.Error{Kind: outbound.Permanent, Op: op, Err: fmt.Errorf("PagerDuty lists no more than %d items", maxReach)}
}
