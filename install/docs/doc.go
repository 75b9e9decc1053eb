// Package docs holds the tests that keep the documentation true: what the guides
// quote must exist, what they show must work, and what the programs can do must be
// in the reference.
package docs
