package farend

import "teleport-plugins/lib/document"

// Decider is a FarEnd whose places may answer what they are told with a decision.
type Decider interface {
	// Decide has the places answer: what is returned is sent as JSON, and nothing if it
	// is nil.
	Decide(by func(place string, d document.Event) any)
}

// Guards confine what the places of a Decider decide.
type Guards struct {
	// Roles are those about which they may decide.
	Roles []string
	// Spare is a place without which requests can be approved.
	Spare string
}

// Decides reports whether the places of a service may decide.
func (s Service) Decides() bool {
	_, ok := s.Simulate(Options{}).(Decider)
	return ok
}
