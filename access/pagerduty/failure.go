package pagerduty

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
)

// What an operator can do about refusals.
const (
	keyHint     = "set pagerduty.api_key to a valid key, and pagerduty.region to the account's"
	accountHint = "look after the PagerDuty account: it is closed, locked or expired"
	abilityHint = "the plan of the PagerDuty account does not include this; remove what needs it from the config"
	emailHint   = "set pagerduty.user_email to the address of a user of the PagerDuty account"
	userHint    = "let the user of pagerduty.user_email change incidents of this service"
	writeHint   = "set pagerduty.api_key to a key that is not read-only, of an account or user that may change the service's incidents"
	readHint    = "give the API key or its user the right to read this in PagerDuty"
	serviceHint = "repair the PagerDuty service: it must exist, be enabled, and have an escalation policy with somebody on call"
	contentHint = "PagerDuty does not take what was sent; its words say why"
	betweenHint = "look at the proxy or firewall in between, and at pagerduty.api_endpoint"
	unknownHint = "if this stays so, PagerDuty does not know the key: " + keyHint
)

// errForeign stands for an answer in a form that PagerDuty gives none.
var errForeign = errors.New("the answer is not one of PagerDuty's")

// untoldWait is assumed where PagerDuty does not say how long to wait; its limits
// count by the minute.
const untoldWait = 30 * time.Second

// sorted finds out what can be done about a failed call. Only PagerDuty's own
// error object, with its code, is a verdict; any other answer comes from
// something in between, or from a PagerDuty that is not well.
func sorted(call *outbound.Call, op string, err error) error {
	e := call.Fail(err)
	code, words := refusal(err)
	switch {
	case code != 0:
		e.Code = strconv.Itoa(code) + " " + message.Cut(line(words), 300)
		judge(e, code, op)
	case e.Kind == outbound.Unclear && e.Status == http.StatusUnauthorized:
		// PagerDuty is known to say so without its error object.
		e.Hint = unknownHint
	case e.Kind == outbound.Unclear && (e.Status >= 300 || errors.As(err, new(*json.SyntaxError))):
		e.Err, e.Hint = errForeign, cmp.Or(e.Hint, betweenHint)
	}
	if reads(op) && e.Kind == outbound.Unclear {
		e.Kind = outbound.Retry // there is nothing that it may have done
	}
	return e
}

// refusal returns PagerDuty's error code and all of its words, or zero where the
// answer is not its own.
func refusal(err error) (code int, words string) {
	var e pagerduty.APIError
	if !errors.As(err, &e) || !e.APIError.Valid || e.APIError.ErrorObject.Code <= 0 {
		return 0, ""
	}
	o := e.APIError.ErrorObject
	return o.Code, strings.Join(append([]string{o.Message}, o.Errors...), ": ")
}

// judge sets the kind and the scope by PagerDuty's error code.
func judge(e *outbound.Error, code int, op string) {
	refuse := func(s outbound.Scope, hint string) { e.Kind, e.Scope, e.Hint = outbound.Refused, s, hint }
	switch code {
	case 1005: // the incident changed meanwhile
		e.Kind = outbound.Retry
	case 2000, 2016: // internal error, took too long
		e.Kind = outbound.Unclear
	case 2020:
		e.Kind, e.After = outbound.Wait, cmp.Or(e.After, untoldWait)
	case 2006:
		refuse(outbound.TheToken, keyHint)
	case 2007, 2008, 2012:
		refuse(outbound.TheToken, accountHint)
	case 2014:
		refuse(outbound.TheMethod, abilityHint)
	case 1008, 1028:
		refuse(outbound.ThePlace, emailHint)
	case 1018:
		refuse(outbound.ThePlace, userHint)
	case 1014, 1015, 5001, 5002:
		refuse(outbound.ThePlace, serviceHint)
	case 2010:
		refuse(denied(op))
	case 2100:
		judgeMissing(e, op)
	default:
		judgeOther(e)
	}
}

// denied says how far it reaches that the key lacks a right. Rights to incidents
// differ by service.
func denied(op string) (outbound.Scope, string) {
	switch {
	case !reads(op):
		return outbound.ThePlace, writeHint
	case strings.HasPrefix(op, "GET /incidents"):
		return outbound.ThePlace, readHint
	}
	return outbound.TheMethod, readHint
}

// judgeMissing sorts PagerDuty's word that something does not exist.
func judgeMissing(e *outbound.Error, op string) {
	switch {
	case aboutIncident(op):
		e.Kind = outbound.Gone
	case op == opCreate:
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.ThePlace, serviceHint
	default:
		e.Kind, e.Hint = outbound.Refused, betweenHint
	}
}

// judgeOther sorts codes without a meaning of their own here.
func judgeOther(e *outbound.Error) {
	switch {
	case e.Status >= 500:
		e.Kind = outbound.Unclear
	case e.Status == http.StatusUnauthorized:
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.TheToken, keyHint
	case strings.Contains(e.Code, "From header"):
		e.Kind, e.Scope, e.Hint = outbound.Refused, outbound.ThePlace, emailHint
	default:
		e.Kind, e.Hint = outbound.Refused, contentHint
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
	_, words := refusal(err)
	return strings.Contains(strings.ToLower(words), "matching dedup key")
}

// aboutContent reports whether PagerDuty refused what an incident or a note says
// or wants, rather than where it goes or who sends it.
func aboutContent(err error) bool {
	var e *outbound.Error
	return errors.As(err, &e) && e.Kind == outbound.Refused && !duplicate(err) &&
		(hasCode(err, 2014) || e.Scope == outbound.OneCall && e.Status == http.StatusBadRequest)
}
