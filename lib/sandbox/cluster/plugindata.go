package cluster

import (
	"fmt"
	"maps"
	"time"

	"github.com/gogo/protobuf/proto"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
)

const (
	// MaxPluginData is the size, in bytes, above which a record is refused.
	MaxPluginData = 1_000_000
	// dataGrace is how much longer than the access of its request a record
	// lives, so that it can be read when the request is gone.
	dataGrace = time.Hour
	// listDataLife is how long a record of an access list lives after each
	// write.
	listDataLife = 14 * 24 * time.Hour
)

// dataKey names a plugin data resource; it holds the entries of all plugins.
type dataKey struct{ kind, resource string }

func (k dataKey) expiryKey(t time.Time) string { return timeKey(t) + "/" + k.kind + "/" + k.resource }

// PluginData returns a copy of what a plugin has recorded for a request; nil
// when there is nothing.
func (c *Cluster) PluginData(id, plugin string) map[string]string {
	return c.recordOf(types.KindAccessRequest, id, plugin)
}

// AccessListData returns a copy of what a plugin has recorded for an access list;
// nil when there is nothing.
func (c *Cluster) AccessListData(name, plugin string) map[string]string {
	return c.recordOf(types.KindAccessList, name, plugin)
}

func (c *Cluster) recordOf(kind, resource, plugin string) map[string]string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	data, ok := c.pluginData[dataKey{kind, resource}]
	if !ok || data.Spec.Entries[plugin] == nil {
		return nil
	}
	return maps.Clone(data.Spec.Entries[plugin].Data)
}

// SetPluginData writes keys into the record of a plugin for a request, as
// another program with the same plugin name does: without looking at what is
// there. An empty value deletes a key.
func (c *Cluster) SetPluginData(id, plugin string, set map[string]string) error {
	err := c.writeData(types.PluginDataUpdateParams{Kind: types.KindAccessRequest, Resource: id, Plugin: plugin, Set: set})
	if err != nil {
		return fmt.Errorf("writing plugin data of %s for %s: %w", plugin, id, err)
	}
	return nil
}

// BeforeWrite lets the hook run in each UpdatePluginData call before the write
// is tried, so that a test can put another writer between the caller's read and
// its write. The hook may call the cluster. Nil ends it.
func (c *Cluster) BeforeWrite(hook func(resource, plugin string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beforeWrite = hook
}

// writeData applies an update to a copy of the record and replaces it.
func (c *Cluster) writeData(p types.PluginDataUpdateParams) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writeDataLocked(p)
}

// writeDataLocked is writeData; c.mu must be held.
func (c *Cluster) writeDataLocked(p types.PluginDataUpdateParams) error {
	key := dataKey{p.Kind, p.Resource}
	old, exists := c.pluginData[key]
	next, err := c.nextData(key, old)
	if err != nil {
		return err
	}
	if err := next.Update(p); err != nil {
		return trace.Wrap(err)
	}
	if next.Size() > MaxPluginData {
		return trace.BadParameter("the plugin data is too large, the limit is %d bytes", MaxPluginData)
	}
	if exists {
		c.dataExpiry.remove(key.expiryKey(old.Expiry()))
	}
	c.pluginData[key] = next
	c.dataExpiry.put(key.expiryKey(next.Expiry()), key)
	c.changed()
	c.wakeForExpiry()
	return nil
}

// nextData returns the copy that an update may change. The first write for an
// access request needs the request.
func (c *Cluster) nextData(key dataKey, old *types.PluginDataV3) (*types.PluginDataV3, error) {
	var next *types.PluginDataV3
	if old != nil {
		next = proto.Clone(old).(*types.PluginDataV3)
	} else {
		fresh, err := types.NewPluginData(key.resource, key.kind)
		if err != nil {
			return nil, trace.Wrap(err)
		}
		next = fresh.(*types.PluginDataV3)
	}
	switch {
	case key.kind == types.KindAccessList:
		next.SetExpiry(time.Now().UTC().Add(listDataLife))
	case old == nil:
		rec, ok := c.requests.byID[key.resource]
		if !ok {
			return nil, requestNotFound(key.resource)
		}
		next.SetExpiry(rec.request.GetAccessExpiry().Add(dataGrace))
	}
	return next, nil
}

// readData returns the records that match, shared.
func (c *Cluster) readData(f types.PluginDataFilter) []*types.PluginDataV3 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if f.Resource != "" {
		if data, ok := c.pluginData[dataKey{f.Kind, f.Resource}]; ok && hasEntry(f, data) {
			return []*types.PluginDataV3{data}
		}
		return nil
	}
	var out []*types.PluginDataV3
	for key, data := range c.pluginData {
		if key.kind == f.Kind && hasEntry(f, data) {
			out = append(out, data)
		}
	}
	return out
}

func hasEntry(f types.PluginDataFilter, data *types.PluginDataV3) bool {
	_, ok := data.Spec.Entries[f.Plugin]
	return ok || f.Plugin == ""
}

// removeExpiredData is removeExpired for plugin data. c.mu must be held.
func (c *Cluster) removeExpiredData(now time.Time) time.Duration {
	for {
		expiry, key, ok := c.dataExpiry.first()
		if !ok {
			return time.Hour
		}
		if left := c.pluginData[key].Expiry().Sub(now); left > 0 {
			return min(left, time.Hour)
		}
		delete(c.pluginData, key)
		c.dataExpiry.remove(expiry)
	}
}
