package farend

// SetUp is a set-up at which something is wrong on the side of the service, and what the
// plugin says about it. In sentences, words in braces stand for what differs from run to
// run, such as {api} for the address of the API, and … for any text.
type SetUp struct {
	Name string
	// Spoil spoils the simulated service, or the section of the config that leads to it;
	// may be nil.
	Spoil func(far FarEnd, section map[string]any)
	// Recipients are named in place of the usual one, if there are any.
	Recipients []string
	// Check are the lines of the command check that are neither ok nor skipped, and Start
	// the warnings and errors of the command start.
	Check, Start []string
	// Ends says that start ends with exit code 1. Otherwise it goes on, and Ready is what
	// its readiness says; empty where it is ready.
	Ends  bool
	Ready string
}

// Revoked is the set-up with a token that the service does not take any more.
func Revoked(check, start string) SetUp {
	return SetUp{
		Name: "a token that was revoked", Spoil: func(far FarEnd, _ map[string]any) { far.RefuseToken(true) },
		Ends: true, Check: []string{check}, Start: []string{start},
	}
}

// Keyed puts another value into the section of the service.
func Keyed(key string, value any) func(FarEnd, map[string]any) {
	return func(_ FarEnd, section map[string]any) { section[key] = value }
}
