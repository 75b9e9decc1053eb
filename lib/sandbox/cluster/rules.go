package cluster

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"
	headerv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/header/v1"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
	"google.golang.org/protobuf/proto"

	rulesv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/accessmonitoringrules/v1"
)

// Rule describes an access monitoring rule on access requests.
type Rule struct {
	// Name is the rule's name.
	Name string `json:"name"`
	// Condition is the predicate, for example
	// contains_any(access_request.spec.roles, set("editor")).
	Condition string `json:"condition"`
	// Plugin is the name of the plugin that notifies.
	Plugin string `json:"plugin"`
	// Recipients are in the plugin's own notation.
	Recipients []string `json:"recipients"`
}

// PutRule adds a rule, or replaces the one of the same name.
func (c *Cluster) PutRule(r Rule) error {
	_, err := c.putRule(&rulesv1.AccessMonitoringRule{
		Kind: types.KindAccessMonitoringRule, Version: types.V1,
		Metadata: &headerv1.Metadata{Name: r.Name},
		Spec: &rulesv1.AccessMonitoringRuleSpec{
			Subjects:     []string{types.KindAccessRequest},
			Condition:    r.Condition,
			Notification: &rulesv1.Notification{Name: r.Plugin, Recipients: r.Recipients},
		},
	}, anyRule)
	return err
}

// DeleteRule deletes a rule.
func (c *Cluster) DeleteRule(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.rules.remove(name) {
		return trace.NotFound("access monitoring rule %q is not found", name)
	}
	c.publish(deletion(types.KindAccessMonitoringRule, types.V1, name))
	return nil
}

// anyRule, newRule and knownRule say what must hold of the rule that is there
// for putRule to write.
func anyRule(string, bool) error { return nil }

func newRule(name string, exists bool) error {
	if exists {
		return trace.AlreadyExists("access monitoring rule %q already exists", name)
	}
	return nil
}

func knownRule(name string, exists bool) error {
	if !exists {
		return trace.NotFound("access monitoring rule %q is not found", name)
	}
	return nil
}

func (c *Cluster) putRule(r *rulesv1.AccessMonitoringRule, check func(name string, exists bool) error) (*rulesv1.AccessMonitoringRule, error) {
	if err := checkRule(r); err != nil {
		return nil, err
	}
	r = proto.Clone(r).(*rulesv1.AccessMonitoringRule)
	r.Metadata.Revision = uuid.NewString()
	name := r.GetMetadata().GetName()
	c.mu.Lock()
	defer c.mu.Unlock()
	_, exists := c.rules.get(name)
	if err := check(name, exists); err != nil {
		return nil, err
	}
	c.rules.put(name, r)
	c.publish(rulePut(r))
	return r, nil
}

func checkRule(r *rulesv1.AccessMonitoringRule) error {
	spec := r.GetSpec()
	switch {
	case r.GetKind() != types.KindAccessMonitoringRule:
		return trace.BadParameter("the kind must be %s", types.KindAccessMonitoringRule)
	case r.GetVersion() != types.V1:
		return trace.BadParameter("the version must be %s", types.V1)
	case r.GetMetadata().GetName() == "":
		return trace.BadParameter("the rule has no name")
	case len(spec.GetSubjects()) == 0:
		return trace.BadParameter("the rule has no subjects")
	case spec.GetCondition() == "":
		return trace.BadParameter("the rule has no condition")
	case spec.GetNotification() != nil && spec.GetNotification().GetName() == "":
		return trace.BadParameter("the rule's notification has no name")
	}
	return nil
}

// rulesService answers the calls of AccessMonitoringRulesService.
type rulesService struct {
	rulesv1.UnimplementedAccessMonitoringRulesServiceServer
	c *Cluster
}

// CreateAccessMonitoringRule adds a rule that is not there.
func (s *rulesService) CreateAccessMonitoringRule(ctx context.Context, req *rulesv1.CreateAccessMonitoringRuleRequest) (*rulesv1.AccessMonitoringRule, error) {
	if err := s.c.require(ctx, types.KindAccessMonitoringRule, types.VerbCreate); err != nil {
		return nil, err
	}
	return s.c.putRule(req.Rule, newRule)
}

// UpdateAccessMonitoringRule replaces a rule that is there.
func (s *rulesService) UpdateAccessMonitoringRule(ctx context.Context, req *rulesv1.UpdateAccessMonitoringRuleRequest) (*rulesv1.AccessMonitoringRule, error) {
	if err := s.c.require(ctx, types.KindAccessMonitoringRule, types.VerbUpdate); err != nil {
		return nil, err
	}
	return s.c.putRule(req.Rule, knownRule)
}

// UpsertAccessMonitoringRule adds or replaces a rule.
func (s *rulesService) UpsertAccessMonitoringRule(ctx context.Context, req *rulesv1.UpsertAccessMonitoringRuleRequest) (*rulesv1.AccessMonitoringRule, error) {
	if err := s.c.require(ctx, types.KindAccessMonitoringRule, types.VerbCreate, types.VerbUpdate); err != nil {
		return nil, err
	}
	return s.c.putRule(req.Rule, anyRule)
}

// GetAccessMonitoringRule returns a rule.
func (s *rulesService) GetAccessMonitoringRule(ctx context.Context, req *rulesv1.GetAccessMonitoringRuleRequest) (*rulesv1.AccessMonitoringRule, error) {
	if err := s.c.require(ctx, types.KindAccessMonitoringRule, types.VerbRead); err != nil {
		return nil, err
	}
	s.c.mu.RLock()
	defer s.c.mu.RUnlock()
	r, ok := s.c.rules.get(req.Name)
	if !ok {
		return nil, trace.NotFound("access monitoring rule %q is not found", req.Name)
	}
	return r, nil
}

// DeleteAccessMonitoringRule deletes a rule.
func (s *rulesService) DeleteAccessMonitoringRule(ctx context.Context, req *rulesv1.DeleteAccessMonitoringRuleRequest) (*emptyResponse, error) {
	if err := s.c.require(ctx, types.KindAccessMonitoringRule, types.VerbDelete); err != nil {
		return nil, err
	}
	if err := s.c.DeleteRule(req.Name); err != nil {
		return nil, err
	}
	return &emptyResponse{}, nil
}

// ListAccessMonitoringRules returns a page of all rules.
func (s *rulesService) ListAccessMonitoringRules(ctx context.Context, req *rulesv1.ListAccessMonitoringRulesRequest) (*rulesv1.ListAccessMonitoringRulesResponse, error) {
	page, next, err := s.list(ctx, req.PageSize, req.PageToken, func(*rulesv1.AccessMonitoringRule) bool { return true })
	if err != nil {
		return nil, err
	}
	return &rulesv1.ListAccessMonitoringRulesResponse{Rules: page, NextPageToken: next}, nil
}

// ListAccessMonitoringRulesWithFilter returns a page of the rules that have all
// the subjects and notify through the named plugin.
func (s *rulesService) ListAccessMonitoringRulesWithFilter(ctx context.Context, req *rulesv1.ListAccessMonitoringRulesWithFilterRequest) (*rulesv1.ListAccessMonitoringRulesWithFilterResponse, error) {
	page, next, err := s.list(ctx, req.PageSize, req.PageToken, func(r *rulesv1.AccessMonitoringRule) bool {
		if name := req.NotificationName; name != "" && r.GetSpec().GetNotification().GetName() != name {
			return false
		}
		return !slices.ContainsFunc(req.Subjects, func(s string) bool { return !slices.Contains(r.GetSpec().GetSubjects(), s) })
	})
	if err != nil {
		return nil, err
	}
	return &rulesv1.ListAccessMonitoringRulesWithFilterResponse{Rules: page, NextPageToken: next}, nil
}

func (s *rulesService) list(ctx context.Context, size int64, token string, match func(*rulesv1.AccessMonitoringRule) bool) ([]*rulesv1.AccessMonitoringRule, string, error) {
	if err := s.c.require(ctx, types.KindAccessMonitoringRule, types.VerbList, types.VerbRead); err != nil {
		return nil, "", err
	}
	s.c.mu.RLock()
	defer s.c.mu.RUnlock()
	page, next := s.c.rules.page(span{start: token, limit: cmp.Or(int(size), defaultPage)}, match)
	return page, next, nil
}
