// Package predicate provides the language of the conditions of access monitoring
// rules: the expression syntax of Go with a fixed set of names. [Parse] checks names
// and types once and says where and what is wrong, and [Condition.Match] evaluates
// what was parsed. The names, operators and functions are those of Teleport's
// reference pages on access monitoring rules and on login rules, whose types the
// language shares.
//
// # What a condition can ask for
//
// The types are bool, string, int, time, set (of strings) and dict (of sets,
// by string). Sets and dicts are never changed: functions return new ones.
//
//	access_request.spec.roles, .suggested_reviewers           set
//	access_request.spec.user, .request_reason                 string
//	access_request.spec.creation_time, .expiry                time
//	access_request.spec.system_annotations                    dict
//	access_request.spec.resource_labels_union,
//	                   .resource_labels_intersection          dict
//	access_request.spec.requested_resources                   list; .length is an int
//	plugin.spec.name                                          string
//	user.traits                                               dict
//
// A key that a dict does not have stands for the empty set. Labels that are not
// known, because nobody looks them up or the plugin's role may not read the
// resources, are empty dicts; a condition that negates a label then holds.
//
// Every function may be called as f(x, y), and those that work on a set, a
// dict, a time or a list of resources also as x.f(y).
package predicate
