// Package repeat finds an effect by bringing it about again, at a service where nothing
// can be looked up and a repeated call is known as such.
package repeat

import (
	"context"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// Find is the Find of such a service, an integration.Repeater: once the effect is told again, under the id that it
// had, it is known to be there. So whoever was given the beginning is given the end as
// well.
func Find(ctx context.Context, s integration.Service, to integration.Place, e integration.Effect, v request.View) ([]plugindata.Message, error) {
	m, err := s.Tell(ctx, to, e, v)
	if err != nil {
		return nil, err //nolint:wrapcheck // of the kinds of lib/outbound
	}
	return []plugindata.Message{m}, nil
}
