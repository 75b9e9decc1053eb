package recipient

// Requester is the section [requester]: what the person who made a request is told, where
// the service can speak to people.
type Requester struct {
	Copy      bool `toml:"copy" doc:"the requester gets the announcement too, as a receipt"`
	Decisions bool `toml:"decisions" doc:"the requester is told the decision, and how to use the access"`
	Lapses    bool `toml:"lapses" doc:"the requester is told that the request has expired without a decision"`
}

// DefaultRequester gives the section as it is when the file sets nothing.
func DefaultRequester() Requester { return Requester{Copy: true, Decisions: true, Lapses: true} }
