package repeat_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/repeat"
	"teleport-plugins/lib/request"
)

// service tells with an outcome that is given.
type service struct {
	integration.Service
	err error
}

func (s service) Tell(_ context.Context, to integration.Place, e integration.Effect, v request.View) (plugindata.Message, error) {
	return plugindata.Message{Channel: to.Address, ID: v.ID + " " + e.String()}, s.err
}

func TestFind(t *testing.T) {
	refused := &outbound.Error{Kind: outbound.Refused, Scope: outbound.ThePlace, Op: "tell"}
	token := &outbound.Error{Kind: outbound.Refused, Scope: outbound.TheToken, Op: "tell"}
	unclear := &outbound.Error{Kind: outbound.Unclear, Op: "tell", After: time.Second}
	for name, tc := range map[string]struct {
		err  error
		kind outbound.Kind // empty: found
	}{
		"taken":                {nil, ""},
		"refused":              {refused, outbound.Refused},
		"our token is no good": {token, outbound.Refused},
		"unclear":              {unclear, outbound.Unclear},
		"another error":        {errors.New("broken"), outbound.Retry},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := repeat.Find(t.Context(), service{err: tc.err}, integration.Place{Address: "here"}, integration.Effect{Kind: integration.Announce}, request.View{ID: "1"})
			switch {
			case tc.kind == "" && (err != nil || len(found) != 1 || found[0] != plugindata.Message{Channel: "here", ID: "1 announce.0"}):
				t.Errorf("got %v, %v", found, err)
			case tc.kind != "" && (found != nil || err == nil || outbound.KindOf(err) != tc.kind):
				t.Errorf("got %v, %v", found, err)
			}
		})
	}
	if refused.Kind != outbound.Refused {
		t.Error("the error of the service was changed")
	}
}
