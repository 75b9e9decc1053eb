package teleport

import (
	"context"

	"github.com/gravitational/teleport/api/types"
)

// GetPluginData reads a plugin's record for one resource, where kind is
// [types.KindAccessRequest] or [types.KindAccessList]. It returns nil when
// there is none.
func (c *Conn) GetPluginData(ctx context.Context, kind, resource, plugin string) (map[string]string, error) {
	data, err := c.clt.GetPluginData(ctx, types.PluginDataFilter{Kind: kind, Resource: resource, Plugin: plugin})
	if err != nil {
		return nil, failed(err, "reading plugin data of %s %s", kind, resource)
	}
	for _, d := range data {
		if d.GetName() == resource {
			return entry(d, plugin), nil
		}
	}
	return nil, nil
}

func entry(d types.PluginData, plugin string) map[string]string {
	if e := d.Entries()[plugin]; e != nil {
		return e.Data
	}
	return nil
}

// UpdatePluginData writes the keys in set to a plugin's record for one
// resource, provided that the record has the values in expect; otherwise
// nothing is written and [IsConflict] holds of the error. An empty value in set
// deletes the key, an empty value in expect demands its absence, a nil expect
// demands nothing. Keys not named are left alone. The first record for an
// access request that no longer exists fails with [IsNotFound].
func (c *Conn) UpdatePluginData(ctx context.Context, kind, resource, plugin string, set, expect map[string]string) error {
	err := c.clt.UpdatePluginData(ctx, types.PluginDataUpdateParams{
		Kind: kind, Resource: resource, Plugin: plugin, Set: set, Expect: expect,
	})
	if err != nil {
		return failed(err, "writing plugin data of %s %s", kind, resource)
	}
	return nil
}
