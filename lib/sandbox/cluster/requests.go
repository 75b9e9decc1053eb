package cluster

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
)

const (
	// MaxReason is the longest reason of a request, in bytes; a real cluster
	// refuses longer ones.
	MaxReason = 4096
	// DefaultTTL is how long a request waits for a decision.
	DefaultTTL = time.Hour
	// DefaultMaxDuration is how long access lasts.
	DefaultMaxDuration = 12 * time.Hour
)

// CreateParams describe an access request. User, and Roles, Resources or Confined, are
// required.
type CreateParams struct {
	User               string
	Roles              []string
	Resources          []types.ResourceID
	Reason             string
	SuggestedReviewers []string
	// Annotations are the system annotations; those of the requested roles
	// when nil.
	Annotations map[string][]string
	// TTL is how long the request waits for a decision; DefaultTTL when zero.
	TTL time.Duration
	// MaxDuration is how long access lasts, from the creation on;
	// DefaultMaxDuration when zero.
	MaxDuration time.Duration
	// AssumeStart is when access begins; at once when nil.
	AssumeStart *time.Time
	// ID is the request's name; a new UUID when empty.
	ID string
	// Created is the creation time; now when zero.
	Created time.Time
	// Records are what plugins have recorded of the request before anybody hears
	// of it, by the plugin's name.
	Records map[string]map[string]string
	// Confined are resources beside Resources to which less than full access is
	// asked for, as on clusters newer than the pinned API.
	Confined []Confined
	// LongTerm marks a request for long-term access, as on such clusters.
	LongTerm bool
}

// record is a request in the store. The request itself is never changed but
// replaced, so readers and the wire may hold it without a lock.
type record struct {
	request *types.AccessRequestV3
}

// requestStore holds the requests in every order in which they are listed.
type requestStore struct {
	byID     map[string]*record
	names    index[*record]
	created  index[*record]
	states   index[*record]
	expiries index[*record]
}

func newRequestStore() requestStore { return requestStore{byID: make(map[string]*record)} }

func createdKey(r *types.AccessRequestV3) string {
	return timeKey(r.GetCreationTime()) + "/" + r.GetName()
}
func stateKey(r *types.AccessRequestV3) string  { return r.GetState().String() + "/" + r.GetName() }
func expiryKey(r *types.AccessRequestV3) string { return timeKey(r.Expiry()) + "/" + r.GetName() }

func (s *requestStore) add(r *types.AccessRequestV3) {
	rec := &record{request: r}
	s.byID[r.GetName()] = rec
	s.names.put(r.GetName(), rec)
	s.created.put(createdKey(r), rec)
	s.states.put(stateKey(r), rec)
	s.expiries.put(expiryKey(r), rec)
}

func (s *requestStore) replace(rec *record, next *types.AccessRequestV3) {
	if old, key := stateKey(rec.request), stateKey(next); old != key {
		s.states.remove(old)
		s.states.put(key, rec)
	}
	if old, key := expiryKey(rec.request), expiryKey(next); old != key {
		s.expiries.remove(old)
		s.expiries.put(key, rec)
	}
	rec.request = next
}

func (s *requestStore) remove(rec *record) {
	r := rec.request
	delete(s.byID, r.GetName())
	s.names.remove(r.GetName())
	s.created.remove(createdKey(r))
	s.states.remove(stateKey(r))
	s.expiries.remove(expiryKey(r))
}

// CreateRequest creates a request and returns its id.
func (c *Cluster) CreateRequest(p CreateParams) (id string, err error) {
	r := &types.AccessRequestV3{
		Metadata: types.Metadata{Name: p.ID},
		Spec: types.AccessRequestSpecV3{
			User:                 p.User,
			Roles:                p.Roles,
			RequestedResourceIDs: p.Resources,
			RequestReason:        p.Reason,
			SuggestedReviewers:   p.SuggestedReviewers,
			SystemAnnotations:    maps.Clone(p.Annotations),
			Created:              p.Created,
		},
	}
	now := time.Now().UTC()
	r.SetExpiry(now.Add(cmp.Or(p.TTL, DefaultTTL)))
	r.SetMaxDuration(now.Add(cmp.Or(p.MaxDuration, DefaultMaxDuration)))
	if p.AssumeStart != nil {
		r.SetAssumeStartTime(*p.AssumeStart)
	}
	if err := newerFields(r, p); err != nil {
		return "", fmt.Errorf("creating a request of %s: %w", p.User, err)
	}
	created, err := c.create(r, p.Records)
	if err != nil {
		return "", fmt.Errorf("creating a request of %s: %w", p.User, err)
	}
	return created.GetName(), nil
}

// create validates and completes a request, which from then on belongs to the
// store, and stores it unless it is a dry run.
func (c *Cluster) create(r *types.AccessRequestV3, records map[string]map[string]string) (*types.AccessRequestV3, error) {
	if len(r.GetRequestReason()) > MaxReason {
		return nil, trace.BadParameter("the request reason is too long, the limit is %d bytes", MaxReason)
	}
	if r.GetName() == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, trace.Wrap(err, "choosing an id")
		}
		r.SetName(id.String())
	}
	if err := r.CheckAndSetDefaults(); err != nil {
		return nil, trace.Wrap(err)
	}
	if err := setTimes(r, time.Now().UTC()); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, exists := c.requests.byID[r.GetName()]; exists {
		return nil, trace.AlreadyExists("access request %q already exists", r.GetName())
	}
	c.applyRoles(r)
	if r.GetDryRun() {
		return r, nil
	}
	r.SetRevision(uuid.NewString())
	c.requests.add(r)
	for plugin, set := range records {
		err := c.writeDataLocked(types.PluginDataUpdateParams{
			Kind: types.KindAccessRequest, Resource: r.GetName(), Plugin: plugin, Set: set,
		})
		if err != nil {
			return nil, err
		}
	}
	c.publish(requestPut(r))
	c.wakeForExpiry()
	return r, nil
}

func setTimes(r *types.AccessRequestV3, now time.Time) error {
	if r.GetCreationTime().IsZero() {
		r.SetCreationTime(now)
	}
	if r.GetMaxDuration().IsZero() {
		r.SetMaxDuration(now.Add(DefaultMaxDuration))
	}
	if r.GetAccessExpiry().IsZero() {
		r.SetAccessExpiry(r.GetMaxDuration())
	}
	if r.GetSessionTLL().IsZero() {
		r.SetSessionTLL(r.GetAccessExpiry())
	}
	if r.Expiry().IsZero() {
		r.SetExpiry(now.Add(DefaultTTL))
	}
	if start := r.GetAssumeStartTime(); start != nil {
		return trace.Wrap(types.ValidateAssumeStartTime(*start, r.GetAccessExpiry(), r.GetCreationTime()))
	}
	return nil
}

// applyRoles gives a request the annotations and thresholds of its roles. c.mu
// must be held.
func (c *Cluster) applyRoles(r *types.AccessRequestV3) {
	annotations := r.GetSystemAnnotations()
	fromRoles := annotations == nil
	if fromRoles {
		annotations = make(map[string][]string)
	}
	var thresholds []types.AccessReviewThreshold
	mapping := make(map[string]types.ThresholdIndexSets)
	for _, name := range r.GetRoles() {
		var spec RoleSpec
		if known, ok := c.roles[name]; ok {
			spec = known.spec
		}
		if fromRoles {
			mergeAnnotations(annotations, spec.Annotations)
		}
		var i int
		thresholds, i = addThreshold(thresholds, spec)
		mapping[name] = types.ThresholdIndexSets{Sets: []types.ThresholdIndexSet{{Indexes: []uint32{uint32(i)}}}}
	}
	if len(thresholds) == 0 {
		thresholds, _ = addThreshold(nil, RoleSpec{})
	}
	r.SetSystemAnnotations(annotations)
	r.SetThresholds(thresholds)
	r.SetRoleThresholdMapping(mapping)
}

func mergeAnnotations(into, from map[string][]string) {
	for key, values := range from {
		for _, v := range values {
			if !slices.Contains(into[key], v) {
				into[key] = append(into[key], v)
			}
		}
	}
}

func addThreshold(to []types.AccessReviewThreshold, spec RoleSpec) ([]types.AccessReviewThreshold, int) {
	t := types.AccessReviewThreshold{Approve: uint32(cmp.Or(spec.Approve, 1)), Deny: uint32(cmp.Or(spec.Deny, 1))}
	for i := range to {
		if to[i].IsEqual(&t) {
			return to, i
		}
	}
	return append(to, t), len(to)
}

// modify replaces a request by a changed copy and tells the watchers.
func (c *Cluster) modify(id string, change func(*types.AccessRequestV3) error) (*types.AccessRequestV3, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rec, ok := c.requests.byID[id]
	if !ok {
		return nil, requestNotFound(id)
	}
	next := rec.request.Copy().(*types.AccessRequestV3)
	if err := change(next); err != nil {
		return nil, trace.Wrap(err)
	}
	if next.GetState().IsResolved() && rec.request.GetState().IsPending() {
		// A decided request lives as long as the access that it gives.
		next.SetExpiry(next.GetAccessExpiry())
	}
	next.SetRevision(uuid.NewString())
	c.requests.replace(rec, next)
	c.publish(requestPut(next))
	c.wakeForExpiry()
	return next, nil
}

func requestNotFound(id string) error {
	return trace.NotFound("access request %q is not found", id)
}

// Delete deletes a request, as an administrator may at any time.
func (c *Cluster) Delete(id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deleteLocked(id)
}

// Expire ends a request now, as its expiry would. Watchers see a deletion.
func (c *Cluster) Expire(id string) error { return c.Delete(id) }

func (c *Cluster) deleteLocked(id string) error {
	rec, ok := c.requests.byID[id]
	if !ok {
		return requestNotFound(id)
	}
	c.requests.remove(rec)
	c.publish(deletion(types.KindAccessRequest, types.V3, id))
	return nil
}

// Request returns a request. It is shared and must not be changed.
func (c *Cluster) Request(id string) (*types.AccessRequestV3, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	rec, ok := c.requests.byID[id]
	if !ok {
		return nil, false
	}
	return rec.request, true
}

// Requests returns all requests in the order of their creation. They are shared
// and must not be changed.
func (c *Cluster) Requests() []*types.AccessRequestV3 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]*types.AccessRequestV3, 0, len(c.requests.created.entries))
	for _, e := range c.requests.created.entries {
		out = append(out, e.val.request)
	}
	return out
}

// reap removes requests and plugin data when they expire, until ctx ends.
func (c *Cluster) reap(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-c.wakeReaper:
		}
		timer.Reset(c.removeExpired(time.Now()))
	}
}

// wakeForExpiry lets the reaper look again at what expires next.
func (c *Cluster) wakeForExpiry() {
	select {
	case c.wakeReaper <- struct{}{}:
	default:
	}
}

// removeExpired removes what has expired by now and returns how long it takes
// until there is more to do.
func (c *Cluster) removeExpired(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := time.Hour
	for {
		_, rec, ok := c.requests.expiries.first()
		if !ok {
			break
		}
		if left := rec.request.Expiry().Sub(now); left > 0 {
			next = min(next, left)
			break
		}
		// It is there: the index named it under the same lock.
		_ = c.deleteLocked(rec.request.GetName())
	}
	return min(next, c.removeExpiredData(now))
}
