package decision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/teleport"
)

// Report takes what Check finds.
type Report interface {
	// Result is told what was tried, and what is wrong with it.
	Result(what string, err error) (ok bool)
	// Note is told what a person should know and is no fault.
	Note(text string)
}

const (
	// connectTime is how long Check waits until presses reach the plugin.
	connectTime = 15 * time.Second
	// maxTried is how many people Check looks at, and tries to submit a review for.
	maxTried = 50
)

// Check tries the way back without a press: that presses reach the plugin, that the
// config names people whom the cluster knows, and that the cluster takes their reviews
// from the plugin. What somebody presses meanwhile is decided as always, but for what
// comes just as the connection ends, which the service shows as failed. No review is
// left behind.
func Check(ctx context.Context, o Options, l Listener, report Report) {
	c := &check{Options: o, report: report}
	c.connects(ctx, l)
	if o.Policy.SubmitAs == AsReviewer && !teleport.TakesReviewsOnBehalf(o.Version()) {
		report.Result("reviews in the name of others", fmt.Errorf("the cluster runs %s and takes them from %s on; set submit_as = %q, or upgrade the cluster", o.Version(), teleport.OnBehalfVersion, AsPlugin))
		return
	}
	people := c.people(ctx)
	c.reviewers(ctx)
	c.locks(ctx)
	c.submits(ctx, people)
}

type check struct {
	Options
	report Report
}

// connects has the service listen until it says that presses reach it.
func (c *check) connects(ctx context.Context, l Listener) {
	ctx, stop := context.WithTimeoutCause(ctx, connectTime, errors.New("presses do not reach the plugin"))
	defer stop()
	var mu sync.Mutex
	heard, fault := false, ""
	options := c.Options
	options.State = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		c.State(text)
		if fault = text; text == "" {
			heard = true
			stop()
		}
	}
	err := l.Listen(ctx, New(options))
	mu.Lock()
	defer mu.Unlock()
	switch {
	case heard:
		err = nil
	case errors.Is(err, syscall.EADDRINUSE):
		c.report.Note(fmt.Sprintf("%v; that is as it should be while the plugin itself runs here", err))
		return
	case err == nil && fault != "":
		err = errors.New(fault)
	case err == nil:
		err = context.Cause(ctx)
	}
	c.report.Result("presses in "+c.Title+" reach the plugin", err)
}

const lookUp = "look up who people are (user: list, read)"

// people are some Teleport users who are known at the service.
func (c *check) people(ctx context.Context) (people []string) {
	var match func(name string, traits map[string][]string) bool
	var means string
	trait := strings.TrimSpace(c.Policy.Trait)
	byTrait := func(_ string, traits map[string][]string) bool { return len(traits[trait]) > 0 }
	byEmail := func(name string, _ map[string][]string) bool {
		_, domain, _ := strings.Cut(name, "@")
		return slices.Contains(c.Policy.domains(), strings.ToLower(domain))
	}
	switch c.Policy.Source(trait) {
	case ByUsers:
		return c.known(ctx, "users", lookUp, slices.Collect(maps.Values(c.Policy.Users)))
	case ByEmail:
		means, match = "a name in one of the email_domains", byEmail
	case ByTraitThenEmail:
		means = fmt.Sprintf("the trait %q, or a name in one of the email_domains", trait)
		match = func(name string, traits map[string][]string) bool {
			return byTrait(name, traits) || byEmail(name, traits)
		}
	default:
		means, match = fmt.Sprintf("the trait %q", trait), byTrait
	}
	people, err := c.Cluster.Users(ctx, match)
	if c.report.Result(lookUp, err) && len(people) == 0 {
		c.report.Note("no Teleport user has " + means + " now, so nobody can decide; users of an identity provider exist only while they are signed in")
	}
	return people
}

// known are those of the users in a table whom the cluster knows; what says what that
// tries.
func (c *check) known(ctx context.Context, table, what string, users []string) (known []string) {
	var unknown []string
	for i, user := range users {
		users[i] = strings.TrimSpace(user) // as it is when somebody presses
	}
	slices.Sort(users)
	users = slices.DeleteFunc(slices.Compact(users), func(user string) bool { return user == "" })
	for _, user := range users[:min(len(users), maxTried)] {
		_, err := c.Cluster.UserRoles(ctx, user)
		switch {
		case err == nil:
			known = append(known, user)
		case teleport.IsNotFound(err):
			unknown = append(unknown, user)
		default:
			c.report.Result(what, err)
			return nil
		}
	}
	c.report.Result(what, nil)
	if len(unknown) > 0 {
		c.report.Note(fmt.Sprintf("the cluster does not know %s of [review.%s] now, who cannot decide; users of an identity provider exist only while they are signed in", strings.Join(unknown, ", "), table))
	}
	return known
}

// reviewers looks at what only reviews in the plugin's own name need.
func (c *check) reviewers(ctx context.Context) {
	if c.Policy.SubmitAs != AsPlugin {
		return
	}
	c.report.Note("with submit_as = \"plugin\" all that is pressed counts as one review, the plugin's: of several approvals only the first, and none after a denial")
	var named []string
	for _, users := range c.Policy.Reviewers {
		named = append(named, users...)
	}
	c.known(ctx, "reviewers", "look up the people in [review.reviewers] (user: list, read)", named)
}

// locks looks whether people who are locked can be told.
func (c *check) locks(ctx context.Context) {
	_, err := c.Cluster.Locked(ctx, c.Author(), nil)
	if teleport.IsDenied(err) && c.Policy.SubmitAs != AsPlugin {
		c.report.Note("the plugin may not read locks (lock: list, read), so that only the cluster can refuse somebody who is locked")
		return
	}
	c.report.Result("look for locks (lock: list, read)", err)
}

// submits submits a review of a request that does not exist: who may not submit it is
// refused before the request is looked for.
func (c *check) submits(ctx context.Context, people []string) {
	what := "submit reviews in the plugin's name (review_requests: roles)"
	r := types.AccessReview{ProposedState: types.RequestState_DENIED, Reason: "teleport-plugins check", Created: time.Now().UTC()}
	if c.Policy.SubmitAs == AsPlugin {
		people = []string{c.Author()}
	} else {
		what = "submit reviews in the name of others (review_requests: submit_for_users)"
		teleport.OnBehalfOfAuthor(&r)
	}
	if len(people) == 0 {
		c.report.Note("it was not tried to " + what + ", for want of a person")
		return
	}
	tried := people[:min(len(people), maxTried)]
	var refused error
	for _, person := range tried {
		r.Author = person
		_, err := c.Cluster.SubmitReview(ctx, teleport.NoRequest, r)
		switch {
		case teleport.IsNotFound(err):
			c.report.Result(what, nil)
			return
		case err == nil:
			err = errors.New("the cluster took a review of a request that does not exist")
			fallthrough
		case !teleport.IsDenied(err):
			c.report.Result(what, err)
			return
		}
		refused = err
	}
	if c.Policy.SubmitAs == AsReviewer {
		refused = fmt.Errorf("either the plugin's role may not submit for %s, or none of them may review anything: %w", strings.Join(tried, ", "), refused)
	}
	c.report.Result(what, refused)
}
