package pagerduty

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/request"
)

// How far back incidents without a key are looked for: from before the request
// was made, for clocks that differ, but not beyond what PagerDuty searches, six
// months.
const (
	clockSkew   = time.Hour
	searchReach = 150 * 24 * time.Hour
)

// candidate is an incident that names a request's id. Its age is 0 for the
// request itself, negative for an earlier request that had the same id, and
// positive for a later one.
type candidate struct {
	pagerduty.Incident
	age int
}

func (c candidate) own() bool { return c.age == 0 }

// find lists the incidents on a service that name the request's id, oldest first,
// open or resolved. One to which people added alerts has lost its key, and is
// looked for among the service's incidents of that time.
func (s *service) find(ctx context.Context, address string, v request.View) ([]candidate, error) {
	o := pagerduty.ListIncidentsOptions{IncidentKey: key(v.ID), DateRange: "all"}
	list, err := s.candidates(ctx, address, v, o)
	if err != nil || slices.ContainsFunc(list, candidate.own) {
		return list, err
	}
	since := time.Now().Add(-searchReach)
	if from := v.Created.Add(-clockSkew); from.After(since) {
		since = from
	}
	keyless, err := s.candidates(ctx, address, v, pagerduty.ListIncidentsOptions{Since: since.UTC().Format(time.RFC3339)})
	return append(list, keyless...), err
}

// maxProofs bounds the incidents without a key that one look-up examines. Those of
// access requests are few: people have to add an alert to each.
const maxProofs = 20

// candidates lists those incidents among the listed ones that name the request's id.
func (s *service) candidates(ctx context.Context, address string, v request.View, o pagerduty.ListIncidentsOptions) (found []candidate, err error) {
	o.ServiceIDs = []string{address}
	list, err := s.incidents(ctx, o)
	if err != nil {
		return nil, err
	}
	proofs := 0
	for _, in := range list {
		// Answers are not trusted to fit the question: an unknown filter is ignored.
		keyless := in.IncidentKey == "" && strings.HasPrefix(in.Title, titleStart)
		if in.ID == "" || in.Service.ID != address || in.IncidentKey != key(v.ID) && !keyless {
			continue
		}
		if keyless {
			proofs++
		}
		if proofs > maxProofs {
			return nil, &outbound.Error{Kind: outbound.Retry, Op: "GET /incidents", Err: fmt.Errorf("more than %d incidents about access requests have lost their keys", maxProofs)}
		}
		age, ours, err := s.examine(ctx, in, v)
		if err != nil {
			return nil, err
		}
		if ours {
			s.owned.Put(ownership{in.ID, v.ID}, struct{}{})
			found = append(found, candidate{in, age})
		}
	}
	return found, nil
}

// examine reports whether an incident names the request's id, and its age as a
// candidate.
func (s *service) examine(ctx context.Context, in pagerduty.Incident, v request.View) (age int, ours bool, err error) {
	if in.IncidentKey != "" && v.Created.IsZero() {
		return 0, in.IncidentKey == key(v.ID), nil // nothing is known by which to tell requests apart
	}
	text, err := s.text(ctx, in.ID)
	if outbound.KindOf(err) == outbound.Gone {
		err = &outbound.Error{Kind: outbound.Retry, Op: opIncident, Err: err} // listed a moment ago
	}
	if err != nil {
		return 0, false, err
	}
	if in.IncidentKey != key(v.ID) && !names(text, v.ID) {
		return 0, false, nil
	}
	return ageOf(in, text, v.Created), true, nil
}

// ageOf compares the creation of the request that an incident was opened for with
// that of ours. Incidents that do not say, such as those of Teleport's own plugin,
// count as ours unless they were opened before our request was made.
func ageOf(in pagerduty.Incident, text string, created time.Time) int {
	if created.IsZero() {
		return 0
	}
	if of, ok := createdIn(text); ok {
		return cmp.Compare(of.Unix(), created.Unix())
	}
	if opened, err := time.Parse(time.RFC3339, in.CreatedAt); err == nil && opened.Before(created.Add(-clockSkew)) {
		return -1
	}
	return 0
}
