package config

// Ignored takes any value, a whole table too, and does nothing with it. It stands
// for settings of earlier releases; with a deprecated tag their use is one
// warning.
type Ignored struct{}

// UnmarshalTOML accepts everything.
func (*Ignored) UnmarshalTOML(any) error { return nil }
