package ledger

import (
	"fmt"
	"strconv"
	"strings"

	"teleport-plugins/lib/message"
)

// Key is the key of a record that holds the claim, as Claim.String writes it.
const Key = "claim"

// Bounds of a claim. A stored one beyond them is garbled, and counts as none.
const (
	MaxGeneration = 1 << 40
	maxOwner      = 100
)

// Claim says that a replica is at work on the request.
type Claim struct {
	// Owner is the replica: a random word that it chose at its start. It is
	// empty when nobody is at work.
	Owner string
	// Generation grows with each claim and outlives it, so that a claim that
	// was renewed or made again is never mistaken for one that stands still.
	Generation int
}

// Free reports that nobody claims the request.
func (c Claim) Free() bool { return c.Owner == "" }

// Next is the claim of a replica that follows on this one.
func (c Claim) Next(owner string) Claim { return Claim{Owner: owner, Generation: c.Generation + 1} }

// Released is what stays of the claim when its owner has finished.
func (c Claim) Released() Claim { return Claim{Generation: c.Generation} }

// String is the claim as it is stored: "owner.generation", or nothing if there
// never was one.
func (c Claim) String() string {
	if c == (Claim{}) {
		return ""
	}
	return c.Owner + "." + strconv.Itoa(c.Generation)
}

// ParseClaim reads a claim as it is stored.
func ParseClaim(s string) (Claim, error) {
	if s == "" {
		return Claim{}, nil
	}
	owner, gen, _ := strings.Cut(s, ".")
	n, _ := strconv.Atoi(gen) // out of bounds where it is none
	if n < 1 || n > MaxGeneration || len(owner) > maxOwner {
		return Claim{}, fmt.Errorf("key %q: %q is not a claim", Key, message.Cut(s, 40))
	}
	return Claim{Owner: owner, Generation: n}, nil
}
