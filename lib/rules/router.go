// Package rules provides the choice of recipients by the access monitoring rules that
// administrators keep in the cluster.
//
// A rule has a condition, in the language of [predicate], and recipients. The union
// of the recipients of all matching rules takes the place of the routing that the
// config describes; if no rule matches, or what the rules need cannot be found out,
// the router names nobody and the config decides.
package rules

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"
	"go.uber.org/zap"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/rules/predicate"
	"teleport-plugins/lib/teleport"
)

const (
	// callTime bounds each of the calls that may be made for one request:
	// reading the rules, or waiting for somebody else to have read them, and
	// looking up what the conditions mention.
	callTime = 5 * time.Second
	// pause is how long after a failed reading a request may cause another.
	pause = 10 * time.Second
)

// Cluster is what a router asks of the cluster; [teleport.Conn] implements it.
// Errors are told apart by [teleport.IsDenied] and [teleport.IsUnimplemented].
type Cluster interface {
	// ListRules calls fn with each rule that notifies the named plugin about
	// access requests.
	ListRules(ctx context.Context, plugin string, fn func(*rulesv1.AccessMonitoringRule) error) error
	// UserTraits reads the traits of a user.
	UserTraits(ctx context.Context, user string) (map[string][]string, error)
}

// Options tell New what a router needs.
type Options struct {
	// Plugin is the name by which rules address the plugin.
	Plugin  string
	Cluster Cluster
	// Labels returns the labels of each resource of the request, by the
	// request's id, as [teleport.Conn.ResourceLabels] does. It is asked only if a condition
	// mentions labels. Nil, and a refusal, stand for no labels.
	Labels func(ctx context.Context, request string) ([]map[string]string, error)
	// Note, if not nil, is told what the plugin has to do without, under a
	// name; the empty text takes it back.
	Note func(name, text string)
	// Otherwise is the routing of the config, or nil. Its recipients are told beside
	// those of a rule that cannot be understood, since that rule may not concern the
	// request.
	Otherwise integration.Router
	Log       *zap.Logger
}

// Router chooses recipients by the rules of one plugin. It is safe for
// concurrent use.
type Router struct {
	Options
	rules atomic.Pointer[[]rule] // nil until they were read for the first time

	loading chan struct{} // held by the one who reads the rules
	retryAt time.Time     // after a failed reading; guarded by loading

	mu       sync.Mutex
	told     map[string]bool // problems of the rules as they were last read
	refusals map[string]bool // permissions whose lack was logged
}

// rule is a rule that names recipients.
type rule struct {
	name       string
	condition  predicate.Condition
	recipients []string
	// unclear says that the condition cannot be understood: it may hold for any
	// request.
	unclear bool
}

// New makes a router. It makes no calls: the rules are read by the first
// Reload, or for the first request if that comes earlier.
func New(o Options) *Router {
	return &Router{
		Options: o, loading: make(chan struct{}, 1),
		told: make(map[string]bool), refusals: make(map[string]bool),
	}
}

// Reload reads all rules anew. On an error the earlier rules hold, and the next
// request causes another try. A cluster that has no such rules, or does not let
// the plugin read them, is no error: there are no rules then, which is logged
// once.
func (r *Router) Reload(ctx context.Context) error {
	select {
	case r.loading <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-r.loading }()
	return r.reload(ctx)
}

// reload is Reload for the holder of loading.
func (r *Router) reload(ctx context.Context) error {
	var rules []rule
	problems := make(map[string]problem)
	err := r.Cluster.ListRules(ctx, r.Plugin, func(m *rulesv1.AccessMonitoringRule) error {
		if rule, ok := read(m, problems); ok {
			rules = append(rules, rule)
		}
		return nil
	})
	switch {
	case teleport.IsUnimplemented(err):
		rules = nil
		r.lack("", "The cluster has no access monitoring rules; recipients are chosen by the config alone", err)
	case teleport.IsDenied(err):
		rules = nil
		r.lack("not used; add the rule "+permission, "The plugin's role may not read access monitoring rules; recipients are chosen by the config alone. To use them add the rule "+permission, err)
	case err != nil:
		r.retryAt = time.Now().Add(pause)
		return fmt.Errorf("loading the access monitoring rules of %s: %w", r.Plugin, err)
	default:
		r.tell(problems, rules)
	}
	slices.SortStableFunc(rules, func(a, b rule) int { return cmp.Compare(a.name, b.name) })
	r.rules.Store(&rules)
	r.retryAt = time.Time{}
	r.Log.Debug("Loaded the access monitoring rules", zap.Int("rules", len(rules)))
	return nil
}

// permission is what a role needs for a plugin to read rules.
const permission = "access_monitoring_rule: list, read"

// read takes what is needed of a rule. A rule without recipients is for others:
// the cluster itself reviews automatically.
func read(m *rulesv1.AccessMonitoringRule, problems map[string]problem) (rule, bool) {
	spec, name := m.GetSpec(), m.GetMetadata().GetName()
	var recipients []string
	for _, name := range spec.GetNotification().GetRecipients() {
		if name = strings.TrimSpace(name); strings.Trim(name, "#") != "" {
			recipients = append(recipients, name)
		}
	}
	if len(recipients) == 0 {
		return rule{}, false
	}
	condition, err := predicate.Parse(spec.GetCondition())
	if err != nil {
		problems[name+"\n"+err.Error()] = problem{name, "An access monitoring rule cannot be understood; its recipients are notified of every request", err}
	}
	if number := unknownField(spec); number != 0 {
		problems[fmt.Sprintf("%s\n%d", name, number)] = problem{
			name, "An access monitoring rule has settings that this version does not know, such as a schedule; it is used as if it had none",
			fmt.Errorf("field %d of the rule's spec", number),
		}
	}
	return rule{name, condition, recipients, err != nil}, true
}

// Recipients returns the recipients of all rules that the request matches, each
// once, in the order of the rules' names. Where it cannot be told whether a rule
// matches, rather too many hear of the request than too few: its recipients do, and, if
// no other rule matches, those of the config. It returns none if no rule matches or if
// what a rule needs to know cannot be found out.
func (r *Router) Recipients(ctx context.Context, v request.View) integration.Choices {
	var list integration.Choosing
	rules, err := r.current(ctx)
	if err != nil {
		list.AddAll(integration.Choices{{Why: "the access monitoring rules cannot be read: " + err.Error(), Blind: true}})
	}
	env, err := r.environment(ctx, rules, v)
	if err != nil {
		r.Log.Warn("The access monitoring rules cannot be applied to a request; its recipients are chosen by the config",
			zap.String("request_id", v.ID), zap.Error(err))
		return integration.Choices{{Why: "the access monitoring rules cannot be applied: " + err.Error(), Blind: true}}
	}
	var matched, unclear []string
	for _, rule := range rules {
		holds, clear := r.matches(rule, env)
		switch {
		case !clear:
			unclear = append(unclear, rule.name)
		case !holds:
			continue
		default:
			matched = append(matched, rule.name)
		}
		why := "the access monitoring rule " + strconv.Quote(rule.name)
		if !clear {
			why += ", of which it cannot be told whether it matches"
		}
		for _, name := range rule.recipients {
			list.Add(name, why)
		}
	}
	if len(unclear) > 0 && len(matched) == 0 && r.Otherwise != nil {
		list.AddAll(r.Otherwise.Recipients(ctx, v))
	}
	r.Log.Debug("Applied the access monitoring rules", zap.String("request_id", v.ID),
		zap.Int("rules", len(rules)), zap.Strings("matching", matched), zap.Strings("unclear", unclear))
	return list.Choices
}

// matches says whether a rule's condition holds, and whether that can be told.
func (r *Router) matches(rule rule, env predicate.Environment) (holds, clear bool) {
	if rule.unclear {
		return false, false
	}
	holds, err := rule.condition.Match(env)
	if err != nil && r.once(rule.name) {
		r.Log.Warn("An access monitoring rule cannot be applied to a request; its recipients are notified in any case",
			zap.String("rule", rule.name), zap.String("request_id", env.Request.ID), zap.Error(err))
	}
	return holds, err == nil
}

// current returns the rules. If the last reading failed, or there was none yet,
// it reads them first: a request that comes right after the start must not be
// routed as if there were no rules.
func (r *Router) current(ctx context.Context) (rules []rule, err error) {
	if err = r.refresh(ctx); err != nil {
		r.Log.Warn("Could not load the access monitoring rules", zap.Error(err))
	}
	if loaded := r.rules.Load(); loaded != nil {
		rules = *loaded
	}
	return rules, err
}

// refresh reads the rules if that is due.
func (r *Router) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	select {
	case r.loading <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-r.loading }()
	failed := !r.retryAt.IsZero()
	if failed && time.Now().Before(r.retryAt) || !failed && r.rules.Load() != nil {
		return nil
	}
	return r.reload(ctx)
}

// environment looks up what any of the rules mentions.
func (r *Router) environment(ctx context.Context, rules []rule, v request.View) (predicate.Environment, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	env := predicate.Environment{Request: v, Plugin: r.Plugin}
	if slices.ContainsFunc(rules, func(r rule) bool { return r.condition.UsesTraits() }) {
		traits, err := r.Cluster.UserTraits(ctx, v.User)
		if err := r.permitted("traits of users", "user: read", err); err != nil {
			return env, err
		}
		env.Traits = traits
	}
	if r.Labels != nil && len(v.Resources) > 0 &&
		slices.ContainsFunc(rules, func(r rule) bool { return r.condition.UsesLabels() }) {
		labels, refused := r.Labels(ctx, v.ID)
		if err := r.permitted("labels of resources", "node, app, db, kube_cluster: list, read (by review_requests.preview_as_roles)", refused); err != nil {
			return env, err
		}
		if refused == nil { // those of some resources would say wrong things about all
			env.Labels = labels
		}
	}
	return env, nil
}
