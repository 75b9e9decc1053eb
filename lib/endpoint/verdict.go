package endpoint

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"teleport-plugins/lib/outbound"
)

// The reasons for which an answer does not say that a document was taken, and that for
// which there was no call.
var (
	errPage     = errors.New("the answer is a web page, as a gateway or a login gives")
	errRedirect = errors.New("the answer is a redirect, which is not followed with a request in hand")
	errStatus   = errors.New("the endpoint does not take the event")
	errNoCall   = errors.New("the url cannot be called")
)

// judge says whether an answer comes from the endpoint and takes the document.
func judge(resp *http.Response, answer []byte) error {
	switch status := resp.StatusCode; {
	case status/100 == 3:
		return errRedirect
	case strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html"), bytes.HasPrefix(bytes.TrimSpace(answer), []byte("<")):
		return errPage
	case status/100 != 2:
		return errStatus
	}
	return nil
}

// refine says what an answer means. What comes from the endpoint itself, or leads
// elsewhere, says that it has not taken the document; one that refuses a document may
// take the next. Behind a page, or a gateway that had no answer, it may have done so.
func refine(f *outbound.Error) *outbound.Error {
	gateway := f.Status == http.StatusBadGateway || f.Status == http.StatusGatewayTimeout
	if f.Kind == outbound.Unclear && !errors.Is(f.Err, errPage) && !gateway {
		f.Kind = outbound.Retry
	}
	if errors.Is(f.Err, errRedirect) {
		f.Hint = "set url to the address to which it leads"
	}
	if errors.Is(f.Err, errStatus) && f.Kind != outbound.Wait {
		refuse(f)
	}
	return f
}

// refuse says whether a status refuses the document, and what is to be done then.
func refuse(f *outbound.Error) {
	switch {
	case f.Status == http.StatusGone:
		f.Kind, f.Scope, f.Hint = outbound.Refused, outbound.ThePlace, "the endpoint says that it is gone for good; remove it from the config"
	case f.Status == http.StatusUnauthorized:
		f.Kind, f.Hint = outbound.Refused, "see that the endpoint has the same secret, and that the clocks agree"
	case f.Status/100 == 4 && f.Status != http.StatusRequestTimeout && f.Status != http.StatusTooEarly:
		f.Kind, f.Hint = outbound.Refused, "see the log of the endpoint"
	}
}
