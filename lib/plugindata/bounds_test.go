package plugindata_test

import (
	"fmt"
	"strings"
	"testing"

	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// list joins a pattern with the numbers below n, by commas.
func list(n int, pattern string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(pattern, i)
	}
	return strings.Join(items, ",")
}

func TestAnEffectIsInDoubtFromItsBeginningUntilItIsRefuted(t *testing.T) {
	d := plugindata.Delivery{Recipient: "a"}
	d.Doubted("x", ledger.Claim{Generation: 3})
	d.Doubted("x", ledger.Claim{Generation: 4})
	d.Doubted("y", ledger.Claim{Generation: 4})
	if d.Begun != 3 || d.Doubt["x"] != (plugindata.Doubt{Tries: 2, Claim: 4}) || d.Doubt["y"] != (plugindata.Doubt{Tries: 1, Claim: 4}) {
		t.Errorf("in doubt is %+v", d)
	}
	d.Refuted("x")
	if d.Begun != 1 || len(d.Doubt) != 1 || d.Doubt["y"].Tries != 1 {
		t.Errorf("in doubt is still %+v", d)
	}
	d.Begun = 0 // somebody else's record
	d.Refuted("y")
	if d.Begun != 0 || len(d.Doubt) != 0 {
		t.Errorf("in doubt is at last %+v", d)
	}
}

func TestBoundsOfARecordAreBelievedAndNothingBeyondThem(t *testing.T) {
	name, long := strings.Repeat("x", 1000), strings.Repeat("x", 1001)
	for text, want := range map[string]bool{
		`{"recipient":"` + name + `"}`:                                                               true,
		`{"recipient":"` + long + `"}`:                                                               false,
		`{"recipient":"a","address":"` + name + `"}`:                                                 true,
		`{"recipient":"a","address":"` + long + `"}`:                                                 false,
		`{"recipient":"a","posts":[{"channel":"` + name + `","id":"` + name + `"}]}`:                 true,
		`{"recipient":"a","posts":[{"channel":"c","id":"` + long + `"}]}`:                            false,
		`{"recipient":"a","posts":[{"channel":"` + long + `","id":"1"}]}`:                            false,
		`{"recipient":"a","generation":2,"reviews":10000,"begun":10000}`:                             true,
		`{"recipient":"a","reviews":10001}`:                                                          false,
		`{"recipient":"a","begun":10001}`:                                                            false,
		`{"recipient":"a","generation":3}`:                                                           false,
		`{"recipient":"a","doubt":{"x":{"tries":1000,"claim":1099511627776}}}`:                       true,
		`{"recipient":"a","doubt":{"x":{"tries":1001}}}`:                                             false,
		`{"recipient":"a","doubt":{"x":{"tries":1,"claim":1099511627777}}}`:                          false,
		`{"recipient":"a","posts":[{"channel":"","id":"1","shown":{"status":"x","reviews":10000}}]}`: true,
		`{"recipient":"a","posts":[{"id":"1","shown":{"status":"x","reviews":10001}}]}`:              false,
		`{"recipient":"a","posts":[` + list(20, `{"channel":"c","id":"%d"}`) + `]}`:                  true,
		`{"recipient":"a","posts":[` + list(21, `{"channel":"c","id":"%d"}`) + `]}`:                  false,
		`{"recipient":"a","doubt":{` + list(100, `"%03d":{"tries":1}`) + `}}`:                        true,
		`{"recipient":"a","doubt":{` + list(101, `"%03d":{"tries":1}`) + `}}`:                        false,
	} {
		stored := `{"deliveries":[` + text + `]}`
		r, err := plugindata.Decode(plugindata.Messages{}, map[string]string{"deliveries": stored})
		if err != nil {
			t.Fatal(err)
		}
		if set, _ := r.Changes(); len(set) == 0 != want {
			t.Errorf("%.90q… of %d bytes is believed: %v, want %v", text, len(text), len(set) == 0, want)
		}
	}
}

func TestBoundsOfAWholeRecord(t *testing.T) {
	for text, want := range map[string]plugindata.Progress{
		`{"request":-1}`:                         {},
		`{"request":1}`:                          {Request: 1},
		`{"aim":{"status":"x","reviews":10000}}`: {Aim: request.Version{Status: "x", Reviews: 10000}},
		`{"aim":{"status":"x","reviews":10001}}`: {Aim: request.Version{Status: "x"}},
	} {
		r, err := plugindata.Decode(plugindata.Messages{}, map[string]string{"deliveries": text})
		if err != nil || r.Progress.Request != want.Request || r.Progress.Aim != want.Aim {
			t.Errorf("%s is read as %+v, %v", text, r.Progress, err)
		}
	}
	r, err := plugindata.Decode(plugindata.Messages{}, map[string]string{"deliveries": `{"decided":[` + list(21, `"%d"`) + `]}`})
	if err != nil || len(r.Progress.Decided) != 20 {
		t.Errorf("%d deciders, %v", len(r.Progress.Decided), err)
	}
}
