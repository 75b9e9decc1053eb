// Package integration is the contract between the engine and a service: what a
// service must be able to do, what it may be able to do, and in which words
// both speak of it. It is a leaf: the engine and every service import it, and it
// imports neither.
package integration

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// Kind is a kind of effect.
type Kind string

// The kinds of effect. Each happens at most once for each index.
const (
	// Announce makes the message that announces a request. Index is the
	// generation: 0, or 1 after the message was removed at the service.
	Announce Kind = "announce"
	// Review tells one review below the message. Index is that of the review.
	Review Kind = "review"
	// End tells below the message how the request ended, where the message
	// itself cannot be changed or does not say enough. Index is that of the
	// status, see Outcome.
	End Kind = "end"
	// Notice tells the requester how the request ended. Index is as for End.
	Notice Kind = "notice"
	// Pending says below the message that the request is still pending. Index is when
	// that was due, in seconds since the request was made.
	Pending Kind = "pending"
	// Ending tells the requester that the access that was given ends soon. Index is as
	// for Pending.
	Ending Kind = "ending"
)

// Kinds lists every kind of effect.
func Kinds() []Kind { return []Kind{Announce, Review, End, Notice, Pending, Ending} }

// Timed reports whether time makes effects of a kind due, so that their index says when.
func (k Kind) Timed() bool { return k == Pending || k == Ending }

// Below reports whether effects of a kind are told below the message that announces
// the request.
func (k Kind) Below() bool { return k == Review || k == End || k == Pending }

// Private reports whether effects of a kind are for the requester alone.
func (k Kind) Private() bool { return k == Notice || k == Ending }

// Effect is something that people see and that must happen at most once. It is
// comparable.
type Effect struct {
	Kind  Kind
	Index int
}

// String is the effect as it stands in records and in the marks of messages,
// such as "review.2".
func (e Effect) String() string { return string(e.Kind) + "." + strconv.Itoa(e.Index) }

// DueAt is when a Timed effect became due, of a request that was made at a time.
func (e Effect) DueAt(created time.Time) time.Time {
	return created.Add(time.Duration(e.Index) * time.Second)
}

// Outcome is the effect of a kind (End or Notice) that reports a status.
func Outcome(k Kind, s request.Status) Effect { return Effect{k, s.Index()} }

// Place is where an effect happens.
type Place struct {
	// Address is what the service calls the recipient.
	Address string
	// Message is the message below which a Review or an End is told; it is empty
	// for the other kinds.
	Message plugindata.Message
}

// Service is what every service can do. Errors are *outbound.Error, whose kind
// and scope say what can be done about them and what else they concern; any
// other error is tried again. Each call has a deadline in its context and makes
// each HTTP request once: the engine alone repeats calls. A call with more than
// one visible result is more than one effect.
type Service interface {
	// Tells reports whether the service tells effects of a kind. Every service
	// announces.
	Tells(k Kind) bool
	// Resolve turns a recipient, as it stands in the config or in the request,
	// into the address that the service knows it by. The engine remembers the
	// answer, and asks once for all who wait for it.
	Resolve(ctx context.Context, recipient string) (address string, err error)
	// Tell makes an effect happen. It returns the message that Announce made; the
	// message of any other kind is not looked at. A service that knows repeated
	// calls uses the place, the effect and the request as their key.
	Tell(ctx context.Context, to Place, e Effect, v request.View) (plugindata.Message, error)
	// Check says whether the service accepts our credentials.
	Check(ctx context.Context) error
}

// Shower is a Service whose messages can be changed.
type Shower interface {
	// Show makes a message show the request as it is; to do so twice does no
	// harm. An error of the kind outbound.Fixed says that this message cannot be
	// changed any more; its end is then told as an effect.
	Show(ctx context.Context, m plugindata.Message, v request.View) error
}

// Finder is a Service that can look for what an earlier call, whose outcome is
// not known, may have left.
type Finder interface {
	// CanFind reports whether effects at an address can be looked up, as far as is
	// known without a call. Find is asked all the same, and refuses what it cannot.
	CanFind(address string) bool
	// Find looks for an effect, in a state of the place that is not older than
	// the call, and reads to the end of what may hold it. It returns the messages
	// that it finds, for every kind, oldest first; none and no error says that
	// the effect has not happened. An error of the kind outbound.Refused says
	// that it cannot be looked up.
	Find(ctx context.Context, to Place, e Effect, v request.View) ([]plugindata.Message, error)
}

// Repeater is a Finder that looks by telling again, at a service that knows a repeated
// call for what it is. So a look-up that succeeds shows that the place takes calls, and
// one that is refused says nothing of the effect.
type Repeater interface {
	Finder
	// Repeats marks such a service.
	Repeats()
}

// Requester is a Service that can speak to the person who made a request.
type Requester interface {
	// Requester returns the recipient under which the requester is to be
	// reached, or an empty text.
	Requester(ctx context.Context, v request.View) string
}

// Router chooses the recipients of a request.
type Router interface {
	Recipients(ctx context.Context, v request.View) Choices
}

// Choice is a recipient and why it is one.
type Choice struct {
	// Recipient is the name as it stands in the config or in the request; empty for
	// somebody who is meant and cannot be told.
	Recipient string `json:"recipient,omitempty"`
	// Why says for an operator what chose the recipient, or who is left out and why:
	// `access monitoring rule "dev"`.
	Why string `json:"why"`
	// Default says that nothing more specific than the entry for everything else names
	// the recipient.
	Default bool `json:"-"`
	// Blind says, in a choice without recipient, that somebody may be missing, since
	// something could not be looked up.
	Blind bool `json:"-"`
	// Nobody says, in a choice without recipient, that somebody wrote down that nobody
	// is to be told.
	Nobody bool `json:"-"`
}

// Choices are recipients in the order in which they are told, each once.
type Choices []Choice

// Choose makes choices that have one reason.
func Choose(why string, recipients ...string) Choices {
	var c Choosing
	for _, name := range recipients {
		c.Add(name, why)
	}
	return c.Choices
}

// Silent reports whether somebody wrote down that nobody is to be told.
func (c Choices) Silent() bool {
	return slices.ContainsFunc(c, func(choice Choice) bool { return choice.Nobody })
}

// Whole reports whether nobody can be missing for want of a look-up.
func (c Choices) Whole() bool {
	return !slices.ContainsFunc(c, func(choice Choice) bool { return choice.Blind })
}

// Choosing makes choices one after the other. A requester can suggest any number of
// reviewers, so that none is compared with all the others.
type Choosing struct {
	Choices Choices
	at      map[string]int // where a recipient is
}

// Add adds a recipient, or one more reason for one that is there.
func (c *Choosing) Add(recipient, why string) {
	c.AddAll(Choices{{Recipient: recipient, Why: why}})
}

// AddAll adds what somebody else has chosen.
func (c *Choosing) AddAll(list Choices) {
	for _, choice := range list {
		if i, there := c.at[choice.Recipient]; there {
			have := &c.Choices[i]
			if have.Default = have.Default && choice.Default; !strings.Contains(have.Why, choice.Why) {
				have.Why += "; " + choice.Why
			}
			continue
		}
		if choice.Recipient != "" {
			if c.at == nil {
				c.at = make(map[string]int)
			}
			c.at[choice.Recipient] = len(c.Choices)
		}
		c.Choices = append(c.Choices, choice)
	}
}

// Recipients are those who can be told.
func (c Choices) Recipients() (names []string) {
	for _, choice := range c {
		if choice.Recipient != "" {
			names = append(names, choice.Recipient)
		}
	}
	return names
}

// Decider decides about pending requests beside the people.
type Decider interface {
	// Name names the decider in records and logs; it does not change.
	Name() string
	// Concerns reports whether a request is any business of the decider's, without
	// a call. One that is not is passed to Decide all the same, once something else
	// is to be recorded.
	Concerns(v request.View) bool
	// Decide looks at a pending request. What is decided is not kept: an attempt
	// that fails later on decides anew.
	Decide(ctx context.Context, v request.View, told Told) (Verdict, error)
}

// Told says who has been told about a request so far, and who is to be.
type Told struct {
	// Posts are the messages about the request, and Reviews is how many reviews were
	// told at an address.
	Posts   []plugindata.Message
	Reviews map[string]int
	// Recipients lists whom the request is to be told to, whether they have been or
	// not: those whom the record names and, since others can write to the record,
	// those whom rules and config name now. whole says that nobody can be missing for
	// want of a look-up: without it nothing should be approved.
	Recipients func(ctx context.Context) (names []string, whole bool)
}

// Reporter is a Decider that tells at the service what came of its verdict.
type Reporter interface {
	// Report is called once the cluster has accepted the review, or after an
	// abstention that has evidence. The view is the request as it is after that.
	// What goes wrong is the Reporter's to log.
	Report(ctx context.Context, v request.View, posts []plugindata.Message, d Verdict)
}

// Objector is a Decider that wants to know that the cluster has refused the review
// which it proposed, while the request is still pending.
type Objector interface {
	// Refused is called after each refusal. What goes wrong is the Objector's to log.
	Refused(ctx context.Context, v request.View, posts []plugindata.Message, d Verdict, cause error)
}

// Verdict is what a Decider says of a request. The zero value abstains: the
// request is left to others.
type Verdict struct {
	// Propose is request.Approved or request.Denied, or empty to abstain.
	Propose request.Status
	// Reason is the text of the review.
	Reason string
	// Evidence says, for the log, what the verdict rests on. An abstention
	// without evidence says that the decider has nothing to do with the request.
	Evidence string
	// Again asks to be asked again after this time, while the request is
	// pending, or as soon as the request has changed or somebody more was told;
	// zero says that the decider has finished with the request.
	Again time.Duration
}

// Step is a kind of call to a service or of work on a request, as metrics count
// them.
type Step string

// The steps. Those that tell are named as their effects are.
const (
	StepAnnounce = Step(Announce)
	StepReview   = Step(Review)
	StepEnd      = Step(End)
	StepNotice   = Step(Notice)
	StepPending  = Step(Pending)
	StepEnding   = Step(Ending)
	StepShow     = Step("show")
	StepFind     = Step("find")
	StepResolve  = Step("resolve")
	StepCheck    = Step("check")
	StepRemind   = Step("remind")
	StepDecide   = Step("decide")
)

// Steps lists every step.
func Steps() []Step {
	return []Step{
		StepAnnounce, StepReview, StepEnd, StepNotice, StepPending, StepEnding, StepShow, StepFind, StepResolve, StepCheck, StepRemind, StepDecide,
	}
}
