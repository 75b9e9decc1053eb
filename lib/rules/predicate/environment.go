package predicate

import (
	"maps"
	"slices"
	"sync"

	"teleport-plugins/lib/request"
)

// Environment is what a condition is evaluated against.
type Environment struct {
	// Request is the access request.
	Request request.View
	// Plugin is the name of the plugin that asks.
	Plugin string
	// Traits are those of the requester, if the condition mentions them.
	Traits map[string][]string
	// Labels hold the labels of each requested resource, if the condition
	// mentions them and they are known.
	Labels []map[string]string
}

// scope is one evaluation: the environment, and what is worked out of it once.
type scope struct {
	Environment
	union, intersection func() dict
}

func newScope(env Environment) *scope {
	return &scope{
		Environment:  env,
		union:        sync.OnceValue(func() dict { return labelUnion(env.Labels) }),
		intersection: sync.OnceValue(func() dict { return labelIntersection(env.Labels) }),
	}
}

// labelUnion gives for each key all values that any resource has.
func labelUnion(labels []map[string]string) dict {
	d := make(dict)
	for _, resource := range labels {
		for key, value := range resource {
			if d[key] == nil {
				d[key] = make(set)
			}
			d[key][value] = struct{}{}
		}
	}
	return d
}

// labelIntersection gives the labels that all resources share; without
// resources there are none.
func labelIntersection(labels []map[string]string) dict {
	d := make(dict)
	if len(labels) == 0 {
		return d
	}
	for key, value := range labels[0] {
		if everyHas(labels, key, value) {
			d[key] = newSet(value)
		}
	}
	return d
}

// everyHas reports whether there are resources and each carries the label.
func everyHas(labels []map[string]string, key, value string) bool {
	for _, resource := range labels {
		if got, ok := resource[key]; !ok || got != value {
			return false
		}
	}
	return len(labels) > 0
}

// variable is a name of the language and where its value comes from.
type variable struct {
	kind           kind
	value          func(*scope) any
	traits, labels bool // what must be looked up for it
}

// variables are the names by which a condition reaches the request.
func variables() map[string]variable {
	return map[string]variable{
		"access_request.spec.roles":               {kind: kindSet, value: func(s *scope) any { return newSet(s.Request.Roles...) }},
		"access_request.spec.suggested_reviewers": {kind: kindSet, value: func(s *scope) any { return newSet(s.Request.SuggestedReviewers...) }},
		"access_request.spec.system_annotations":  {kind: kindDict, value: func(s *scope) any { return newDict(s.Request.Annotations) }},
		"access_request.spec.user":                {kind: kindString, value: func(s *scope) any { return s.Request.User }},
		"access_request.spec.request_reason":      {kind: kindString, value: func(s *scope) any { return s.Request.Reason }},
		"access_request.spec.creation_time":       {kind: kindTime, value: func(s *scope) any { return s.Request.Created }},
		"access_request.spec.expiry":              {kind: kindTime, value: func(s *scope) any { return s.Request.Expires }},
		"access_request.spec.resource_labels_union": {
			kind: kindDict, labels: true, value: func(s *scope) any { return s.union() },
		},
		"access_request.spec.resource_labels_intersection": {
			kind: kindDict, labels: true, value: func(s *scope) any { return s.intersection() },
		},
		"access_request.spec.requested_resources": {kind: kindResources, labels: true, value: func(s *scope) any {
			return resources{count: len(s.Request.Resources), labels: s.Labels}
		}},
		"plugin.spec.name": {kind: kindString, value: func(s *scope) any { return s.Plugin }},
		"user.traits":      {kind: kindDict, traits: true, value: func(s *scope) any { return newDict(s.Traits) }},
	}
}

func names[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
