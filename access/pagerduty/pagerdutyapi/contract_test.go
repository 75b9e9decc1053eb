package pagerdutyapi_test

import (
	"net/http"
	"strings"
	"testing"

	"teleport-plugins/access/pagerduty/pagerdutyapi"
	"teleport-plugins/access/pagerduty/pagerdutyapi/contract"
)

func TestTheVendorsClientAndTheAccountKeepToThePublication(t *testing.T) {
	checker := contract.New(t)
	s, c := started(t, pagerdutyapi.Options{}, checker)
	lifeOfAnIncident(t, s, c)
	if n := checker.Checked(); n < 20 {
		t.Errorf("checked only %d requests and answers", n)
	}
}

func TestTheCheckerSeesWhatIsWrong(t *testing.T) {
	checker := contract.NewUnattended(t)
	s, _ := started(t, pagerdutyapi.Options{}, nil)
	for name, tc := range map[string]struct{ verb, path, body, from string }{
		"no From":           {"POST", "/incidents", `{"incident":{"type":"incident","title":"x","service":{"id":"P","type":"service_reference"}}}`, ""},
		"no title":          {"POST", "/incidents", `{"incident":{"type":"incident","service":{"id":"P","type":"service_reference"}}}`, bot},
		"a wrong urgency":   {"POST", "/incidents", `{"incident":{"type":"incident","title":"x","urgency":"middling","service":{"id":"P","type":"service_reference"}}}`, bot},
		"an unknown field":  {"POST", "/incidents", `{"incident":{"type":"incident","title":"x","sevrice":1,"service":{"id":"P","type":"service_reference"}}}`, bot},
		"an unknown query":  {"GET", "/incidents?incidentkey=x", "", ""},
		"an unknown status": {"PUT", "/incidents", `{"incidents":[{"id":"P","type":"incident","status":"done"}]}`, bot},
	} {
		before := len(checker.Faults())
		req, err := http.NewRequestWithContext(t.Context(), tc.verb, s.URL()+tc.path, strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range headers() {
			req.Header.Set(k, v)
		}
		req.Header.Del("From")
		if tc.from != "" {
			req.Header.Set("From", tc.from)
		}
		resp, err := checker.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if len(checker.Faults()) == before {
			t.Errorf("%s: nothing was found", name)
		}
	}
}
