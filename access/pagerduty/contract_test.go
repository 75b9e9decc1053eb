//go:build contract

package pagerduty

import (
	"testing"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/sandbox/pagerdutyapi"
	"teleport-plugins/lib/sandbox/pagerdutyapi/contract"
)

func TestEveryCallKeepsToThePublishedDescription(t *testing.T) {
	checker := contract.New(t)
	r := newRigWith(t, "urgency = \"high\"\npriority = \"P1\"\n[pagerduty.auto_approve]\nrequire_open_incident = true\nschedules = [\"Primary\"]",
		pagerdutyapi.Options{}, checker)
	if _, err := r.api.OpenByHand("PSPAYMT", "payments are down", "PUBOB01"); err != nil {
		t.Fatal(err)
	}
	m := r.posted(t)
	for op, call := range r.calls(m) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
	if d, err := r.Decide(t.Context(), fromAlice(), []plugindata.Message{m}); err != nil || !d.Approve {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := r.Post(t.Context(), "PSDATAB", ended(message.Approved)); err != nil {
		t.Error(err)
	}
	if _, found, err := r.Find(t.Context(), "PSDATAB", pending()); err != nil || !found {
		t.Errorf("found %v, %v", found, err)
	}
	if found := r.Inspect(t.Context()); len(found) > 0 {
		t.Errorf("inspection: %q", found)
	}
	if n := checker.Checked(); n < 40 {
		t.Errorf("only %d requests and answers were checked", n)
	}
}
