package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/outbound"
)

// refusal is Discord's code for why it did not do something (Discord's page
// "Opcodes and Status Codes").
type refusal int

func (r refusal) Error() string { return "Discord's code " + strconv.Itoa(int(r)) }

// The codes on which something other than the kind of failure depends.
const (
	unknownChannel   refusal = 10003
	unknownMessage   refusal = 10008
	tooLarge         refusal = 40005
	missingAccess    refusal = 50001
	missingRight     refusal = 50013
	wrongChannelType refusal = 50024
	invalidForm      refusal = 50035
	archivedThread   refusal = 50083
	blindReply       refusal = 160002
	threadExists     refusal = 160004
	lockedThread     refusal = 160005
	tooManyThreads   refusal = 160006
	blockedByAutoMod refusal = 200000
	blockedTitle     refusal = 200001
)

// untoldWait is how long to wait for limits that Discord tells by a code alone.
const untoldWait = 30 * time.Second

const (
	tokenHint   = "set discord.token to the bot's current token"
	foreignHint = "see that discord.api_url leads to Discord's API, and whether a proxy or gateway on the way answers in its place"
)

// errNotDiscords stands for an answer that Discord does not give.
var errNotDiscords = errors.New("the answer is not Discord's, or not whole")

// sorted finds out what can be done about a failed call. Only an answer in
// Discord's own form is its verdict; every other one comes from a gateway, and
// tells nothing of what became of the call.
func sorted(op string, call *outbound.Call, err error) *outbound.Error {
	e := call.Fail(err)
	if e.Kind == outbound.Unclear && op != createMessage && op != editMessage {
		e.Kind = outbound.Retry // it only reads, or may be repeated
	}
	if e.Status == 0 || e.Kind == outbound.Wait {
		e.Err = withoutAddress(e.Err)
		return e
	}
	code, text, body, ok := verdict(err)
	switch {
	case !ok && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)):
	case !ok:
		e.Hint = cmp.Or(e.Hint, foreignHint)
		e.Err = errNotDiscords // the library's error holds the token
	case code == 0:
		e.Kind, e.Scope, e.Hint, e.Code = outbound.Refused, outbound.TheToken, tokenHint, text
		e.Err = errors.New(text)
	default:
		e.Code = strconv.Itoa(int(code)) + " " + text
		if code == invalidForm {
			e.Code += ": " + message.Cut(body, 500)
		}
		e.Err = code
		code.judge(op, e)
	}
	return e
}

// withoutAddress keeps the address of a call out of what the library says of a rate
// limit: that of an interaction holds a token.
func withoutAddress(err error) error {
	if _, limited := errors.AsType[*discordgo.RateLimitError](err); limited {
		return errors.New("the rate limit is reached")
	}
	return err
}

// verdict reads Discord's code and text from an answer; ok is false if the answer
// is not one of Discord's. The code is 0 only where it refuses the token: there,
// and for addresses that do not exist, the status alone says what it means.
func verdict(err error) (code refusal, text, body string, ok bool) {
	var rest *discordgo.RESTError
	if !errors.As(err, &rest) {
		return 0, "", "", false
	}
	var answer struct {
		Code    *refusal `json:"code"`
		Message string   `json:"message"`
	}
	if json.Unmarshal(rest.ResponseBody, &answer) != nil || answer.Code == nil {
		return 0, "", "", false
	}
	code, text = *answer.Code, message.Cut(answer.Message, 200)
	return code, text, string(rest.ResponseBody), code > 0 || code == 0 && strings.HasPrefix(text, "401: ")
}

// judge says what can be done about a refusal, and how far it reaches. A code that
// is not listed is understood to concern this call with this content.
func (r refusal) judge(op string, e *outbound.Error) {
	v, known := rulings()[r]
	switch {
	case !known && e.Status >= 500:
		return
	case !known:
		v = ruling{kind: outbound.Refused}
	case (r == missingAccess || r == missingRight) && reads(op):
		v = ruling{kind: outbound.Refused, hint: historyHint}
	case r == unknownMessage && op == createMessage: // one that was posted under the same nonce
		v = ruling{kind: outbound.Refused}
	}
	e.Kind, e.Scope, e.Hint = v.kind, v.scope, v.hint
	if e.Kind == outbound.Wait {
		e.After = untoldWait
	}
}

// ruling is what a code means.
type ruling struct {
	kind  outbound.Kind
	scope outbound.Scope
	hint  string
}

func rulings() map[refusal]ruling {
	wait, retry, once := ruling{kind: outbound.Wait}, ruling{kind: outbound.Retry}, ruling{kind: outbound.Refused}
	place := func(hint string) ruling { return ruling{outbound.Refused, outbound.ThePlace, hint} }
	token := ruling{outbound.Refused, outbound.TheToken, tokenHint}
	once.hint = "exempt the bot from the server's AutoMod rules"
	channel := place("check the channel's id or name; the bot must be a member of its server")
	user := place("check the user's id")
	closed := place("the user must share a server with the bot and take direct messages from its members")
	rights := place(`invite the bot to the channel's server, and give it the permissions "View Channel" and "Send Messages" in the channel`)
	kind := place("name a text channel; nothing can be posted in a channel of this kind")
	thread := place("unarchive and unlock the thread")
	return map[refusal]ruling{
		20016: wait, 20028: wait, 20029: wait, 30046: wait, 40062: wait, 40004: retry, 110000: retry, 130000: retry,
		40001: token, 50014: token, unknownMessage: {kind: outbound.Gone},
		unknownChannel: channel, 10004: channel, 10013: user, 50033: user, 50007: closed, 50278: closed,
		missingAccess: rights, missingRight: rights, 50008: kind, wrongChannelType: kind, archivedThread: thread, lockedThread: thread,
		blockedByAutoMod: once, blockedTitle: once,
		// The network before Discord says so, and it passes.
		40333: {kind: outbound.Retry, hint: "Discord's network refuses calls from this address; see whether a proxy changes the User-Agent header"},
		50005: {kind: outbound.Fixed, hint: "the message was posted by another bot; use that bot's token"},
	}
}

// historyHint is the advice where messages may not be read. That concerns reading
// alone: to post takes no such permission.
const historyHint = `give the bot the permissions "View Channel" and "Read Message History" in the channel`

// reads reports whether a call reads messages.
func reads(op string) bool { return op == listMessages || op == getMessage }

// hasCode reports whether Discord refused a call with one of the codes.
func hasCode(err error, codes ...refusal) bool {
	var r refusal
	return errors.As(err, &r) && slices.Contains(codes, r)
}

// refusesContent reports whether Discord refused a message for what it holds.
func refusesContent(err error) bool {
	return hasCode(err, tooLarge, invalidForm, blockedByAutoMod, blockedTitle)
}

// refused is a refusal of our own of what Discord would refuse.
func refused(op string, scope outbound.Scope, what, hint string) error {
	return &outbound.Error{Kind: outbound.Refused, Scope: scope, Op: op, Err: errors.New(what), Hint: hint}
}
