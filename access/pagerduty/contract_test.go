package pagerduty

import (
	"testing"
	"time"

	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/access/pagerduty/pagerdutyapi/contract"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

func TestEveryCallKeepsToThePublishedDescription(t *testing.T) {
	checker := contract.New(t)
	r := newRigWith(t, "urgency = \"high\"\npriority = \"P1\"\n[pagerduty.auto_approve]\nrequire_open_incident = true\nschedules = [\"Primary\"]",
		pagerdutyapi.Options{}, checker)
	if _, err := r.api.OpenByHand("PSPAYMT", "payments are down", "PUBOB01"); err != nil {
		t.Fatal(err)
	}
	m := r.posted(t)
	for op, call := range r.calls(t, m) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
	d, err := r.oncall.Decide(t.Context(), fromAlice(), integration.Told{Posts: []plugindata.Message{m}})
	if err != nil || !approves(d) {
		t.Errorf("%+v, %v", d, err)
	}
	r.oncall.Report(t.Context(), fromAlice(), []plugindata.Message{m}, d)
	v := ended(request.Approved)
	v.Created = time.Now()
	last, err := r.tell(t.Context(), "PSDATAB", v)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.api.AddAlertByHand(last.ID, "alert"); err != nil {
		t.Fatal(err)
	}
	if got := r.found(t, last, announcement, v); len(got) != 1 {
		t.Errorf("found %q", got)
	}
	if found := r.inspected(t, ""); len(found) > 0 {
		t.Errorf("inspection: %q", found)
	}
	if n := checker.Checked(); n < 40 {
		t.Errorf("only %d requests and answers were checked", n)
	}
}
