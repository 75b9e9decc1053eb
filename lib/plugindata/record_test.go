package plugindata_test

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// store is the cluster's plugin data for one request, with the semantics of the
// real one.
type store struct {
	t    *testing.T
	data types.PluginData
}

func newStore(t *testing.T, content map[string]string) *store {
	t.Helper()
	data, err := types.NewPluginData("req", types.KindAccessRequest)
	if err != nil {
		t.Fatal(err)
	}
	s := &store{t, data}
	if err := s.update(content, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *store) update(set, expect map[string]string) error {
	return s.data.Update(types.PluginDataUpdateParams{
		Kind: types.KindAccessRequest, Resource: "req", Plugin: "example", Set: set, Expect: expect,
	})
}

func (s *store) content() map[string]string {
	if e := s.data.Entries()["example"]; e != nil {
		return maps.Clone(e.Data)
	}
	return nil
}

func (s *store) record() *plugindata.Record {
	s.t.Helper()
	r, err := plugindata.Decode(plugindata.Messages{}, s.content())
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// write writes the record's changes and tells the record.
func (s *store) write(r *plugindata.Record) error {
	s.t.Helper()
	set, expect := r.Changes()
	if err := s.update(set, expect); err != nil {
		return err
	}
	r.Stored(set)
	return nil
}

func (s *store) mustWrite(r *plugindata.Record) {
	s.t.Helper()
	if err := s.write(r); err != nil {
		s.t.Fatal(err)
	}
}

func TestARecordIsCreatedChangedAndReadBack(t *testing.T) {
	s := newStore(t, nil)
	r := s.record()
	if r.Exists() || r.Ours() {
		t.Error("a record is there before it was written")
	}
	r.User, r.Claim = "mia", ledger.Claim{Owner: "abc", Generation: 1}
	r.Progress.Deliveries = []plugindata.Delivery{{Recipient: "general", Doubt: map[string]plugindata.Doubt{"announce.0": {Tries: 1}}}}
	s.mustWrite(r)
	if !r.Exists() || !r.Ours() || s.content()["claim"] != "abc.1" {
		t.Errorf("after the write the record is %+v", r)
	}
	r.Claim, r.Messages = ledger.Claim{}, []plugindata.Message{{Channel: "C1", ID: "1.1"}}
	r.Progress.Deliveries[0] = plugindata.Delivery{Recipient: "general", Posts: []plugindata.Post{
		{Channel: "C1", ID: "1.1", Shown: request.Version{Status: request.Pending}},
	}}
	s.mustWrite(r)
	want := map[string]string{
		"user": "mia", "messages": "C1/1.1",
		"deliveries": `{"deliveries":[{"recipient":"general","posts":[{"channel":"C1","id":"1.1","shown":{"status":"PENDING"}}]}]}`,
	}
	if got := s.content(); !maps.Equal(got, want) {
		t.Errorf("stored is %q, want %q", got, want)
	}
	again := s.record()
	if !reflect.DeepEqual(again, r) || again.Fingerprint() != r.Fingerprint() {
		t.Errorf("read back is %+v, want %+v", again, r)
	}
}

func TestOnlyWhatChangedIsSet(t *testing.T) {
	s := newStore(t, map[string]string{"user": "mia", "roles": "editor", "max_duration": "kept"})
	r := s.record()
	r.ReviewsCount, r.User = 2, ""
	set, expect := r.Changes()
	if want := map[string]string{"reviews_count": "2", "user": ""}; !maps.Equal(set, want) {
		t.Errorf("set is %q, want %q", set, want)
	}
	if want := map[string]string{
		"user": "mia", "roles": "editor", "resources": "", "request_reason": "", "reviews_count": "",
		"resolution": "", "resolve_reason": "", "messages": "", "adopted": "", "claim": "", "deliveries": "",
	}; !maps.Equal(expect, want) {
		t.Errorf("expect is %q, want %q", expect, want)
	}
	s.mustWrite(r)
	if want := map[string]string{"roles": "editor", "max_duration": "kept", "reviews_count": "2"}; !maps.Equal(s.content(), want) {
		t.Errorf("stored is %q, want %q", s.content(), want)
	}
}

func TestNothingChangedIsNothingSet(t *testing.T) {
	r := newStore(t, map[string]string{"user": "mia", "claim": "abc.3", "messages": "C1/1.1"}).record()
	if set, _ := r.Changes(); len(set) != 0 {
		t.Errorf("set is %q", set)
	}
}

func TestAWriteOfAnybodyElseIsRefused(t *testing.T) {
	for name, other := range map[string]map[string]string{
		"another replica's claim":              {"claim": "xyz.1"},
		"another replica's progress":           {"deliveries": `{"request":1}`},
		"Teleport's own plugin's messages":     {"messages": "C9/9.9"},
		"Teleport's own plugin's first record": {"user": "mia"},
		"a record that was removed":            {"roles": ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, map[string]string{"roles": "editor"})
			r := s.record()
			if err := s.update(other, nil); err != nil {
				t.Fatal(err)
			}
			r.Claim = ledger.Claim{Owner: "abc", Generation: 1}
			if err := s.write(r); err == nil {
				t.Error("the write was accepted")
			}
		})
	}
}

func TestOfTwoReplicasThatClaimOneWins(t *testing.T) {
	s := newStore(t, nil)
	a, b := s.record(), s.record()
	a.Claim, b.Claim = ledger.Claim{Owner: "a", Generation: 1}, ledger.Claim{Owner: "b", Generation: 1}
	s.mustWrite(a)
	if err := s.write(b); err == nil {
		t.Error("both claims were accepted")
	}
}

func TestKeysThatWeDoNotKnowMayChangeUnderUs(t *testing.T) {
	s := newStore(t, map[string]string{"user": "mia"})
	r := s.record()
	if err := s.update(map[string]string{"max_duration": "2026"}, nil); err != nil {
		t.Fatal(err)
	}
	r.ReviewsCount = 1
	s.mustWrite(r)
}

func TestAGarbledClaimIsReplacedOnlyIfItIsStillThere(t *testing.T) {
	s := newStore(t, map[string]string{"claim": "garbage"})
	r, err := plugindata.Decode(plugindata.Messages{}, s.content())
	if err == nil || !r.Claim.Free() || r.Ours() {
		t.Fatalf("got %+v and %v", r, err)
	}
	r.Claim = ledger.Claim{Owner: "abc", Generation: 1}
	s.mustWrite(r)
	if s.content()["claim"] != "abc.1" {
		t.Errorf("stored is %q", s.content())
	}
}

func TestARecordOfOneKeyIsThere(t *testing.T) {
	if r := newStore(t, map[string]string{"user": "mia"}).record(); !r.Exists() || r.Ours() {
		t.Error("it is not, or is taken for ours")
	}
	fresh, s := plugindata.New(plugindata.Messages{}), newStore(t, nil)
	fresh.User = "mia"
	s.mustWrite(fresh)
	if !fresh.Exists() || !maps.Equal(s.content(), map[string]string{"user": "mia"}) {
		t.Errorf("stored is %q", s.content())
	}
}

func TestProgressThatCannotBeReadIsGarbled(t *testing.T) {
	for text, want := range map[string]bool{"": false, `{"request":1}`: false, "[": true, `{"request":"x"}`: true} {
		r, err := plugindata.Decode(plugindata.Messages{}, map[string]string{"deliveries": text, "claim": "garbage"})
		if r.Garbled != want || err == nil {
			t.Errorf("%q is garbled: %v, want %v", text, r.Garbled, want)
		}
	}
}

func TestErrorsQuoteTheBeginningOfWhatCannotBeRead(t *testing.T) {
	long := strings.Repeat("0123456789", 10)
	for _, key := range []string{"claim", "reviews_count"} {
		_, err := plugindata.Decode(plugindata.Messages{}, map[string]string{key: long})
		if want := fmt.Sprintf("%q", message.Cut(long, 40)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in: %v", want, err)
		}
	}
}

func TestClaims(t *testing.T) {
	for text, want := range map[string]ledger.Claim{
		"": {}, "abc.1": {Owner: "abc", Generation: 1}, "x.123456": {Owner: "x", Generation: 123456}, ".7": {Generation: 7},
		strings.Repeat("x", 100) + ".1099511627776": {Owner: strings.Repeat("x", 100), Generation: 1 << 40},
	} {
		r, err := plugindata.Decode(plugindata.Messages{}, map[string]string{"claim": text})
		if err != nil || r.Claim != want || r.Claim.String() != text {
			t.Errorf("%q is read as %+v and written as %q, %v", text, r.Claim, r.Claim, err)
		}
	}
	for _, text := range []string{"abc", "abc.0", "abc.-1", "abc.", "abc.x", "abc.1.2", ".", "abc.9223372036854775807", ".1099511627777", strings.Repeat("x", 101) + ".1"} {
		if r, err := plugindata.Decode(plugindata.Messages{}, map[string]string{"claim": text}); err == nil || !r.Claim.Free() {
			t.Errorf("%q is read as %+v", text, r.Claim)
		}
	}
}

func TestAGenerationOutlivesItsClaim(t *testing.T) {
	first := ledger.Claim{}.Next("abc")
	free := first.Released()
	if second := free.Next("abc"); first.Free() || !free.Free() || second == first || second.Generation != 2 {
		t.Errorf("%q, %q, %q", first, free, second)
	}
}

func TestStoredDoesNotChangeTheMapThatWasRead(t *testing.T) {
	data := map[string]string{"user": "mia", "roles": "a"}
	r, err := plugindata.Decode(plugindata.Messages{}, data)
	if err != nil {
		t.Fatal(err)
	}
	before := r.Fingerprint()
	r.Stored(map[string]string{"user": "", "roles": "b"})
	if data["user"] != "mia" || data["roles"] != "a" {
		t.Errorf("the map is now %q", data)
	}
	if r.Fingerprint() != `"roles"="b";` || r.Fingerprint() == before {
		t.Errorf("the record is %s", r.Fingerprint())
	}
}

func TestDeliveriesAreFoundAndChangedInPlace(t *testing.T) {
	p := plugindata.Progress{Deliveries: []plugindata.Delivery{{Recipient: "a"}, {Recipient: "b"}}}
	d := p.Delivery("b")
	if d == nil || d.Posted() || d.Message() != (plugindata.Message{}) {
		t.Fatalf("got %+v", d)
	}
	m := plugindata.Message{Channel: "C1", ID: "1.1"}
	d.Posts = []plugindata.Post{{Channel: m.Channel, ID: m.ID}}
	if got := p.Deliveries[1]; !got.Posted() || got.Message() != m || !got.Has(m) {
		t.Errorf("got %+v", got)
	}
	if p.Delivery("c") != nil {
		t.Error("a recipient was found that is not there")
	}
}

func TestACloneSharesNothing(t *testing.T) {
	d := plugindata.Delivery{Posts: []plugindata.Post{{ID: "1"}}, Doubt: map[string]plugindata.Doubt{"announce.0": {Tries: 1}}}
	c := d.Clone()
	c.Posts[0].ID, c.Doubt["announce.0"] = "2", plugindata.Doubt{Tries: 2}
	if d.Posts[0].ID != "1" || d.Doubt["announce.0"].Tries != 1 {
		t.Errorf("the delivery is now %+v", d)
	}
}

func TestProgressSurvivesARoundTrip(t *testing.T) {
	s := newStore(t, nil)
	r := s.record()
	r.Progress = plugindata.Progress{
		Request: 1772357400, Aim: request.Version{Status: request.Approved, Reviews: 2}, Decided: []string{"on call"},
		Deliveries: []plugindata.Delivery{{
			Recipient: "mia@example.org", Address: "U1", Generation: 1, Reviews: 2, Ended: request.Approved, Begun: 3,
			Posts:     []plugindata.Post{{Channel: "D1", ID: "1.1", Shown: request.Version{Status: request.Denied, Reviews: 1}, Unsure: true, Fixed: true}},
			Requester: true, Noticed: request.Approved, Doubt: map[string]plugindata.Doubt{"review.1": {Tries: 2}}, Skipped: true,
		}},
	}
	s.mustWrite(r)
	r.Adopted = true
	s.mustWrite(r)
	if got := s.record(); !reflect.DeepEqual(got.Progress, r.Progress) || !got.Adopted {
		t.Errorf("got %+v, adopted %v, want %+v", got.Progress, got.Adopted, r.Progress)
	}
}

// Whoever may write plugin data can write ours.
func TestWhatARecordSaysIsBroughtWithinItsBounds(t *testing.T) {
	many := make([]string, 300)
	for i := range many {
		many[i] = fmt.Sprintf(`{"recipient":"r%d"}`, i)
	}
	for name, c := range map[string]struct {
		text string
		want []plugindata.Delivery
	}{
		"negative counts":               {`[{"recipient":"a","reviews":-1,"begun":-5,"generation":-1}]`, []plugindata.Delivery{{Recipient: "a"}}},
		"counts that cannot be":         {`[{"recipient":"a","reviews":2147483647,"generation":9}]`, []plugindata.Delivery{{Recipient: "a"}}},
		"no name, and a name twice":     {`[{"address":"x"},{"recipient":"a"},{"recipient":"a","address":"y"}]`, []plugindata.Delivery{{Recipient: "a"}}},
		"a name that is too long":       {`[{"recipient":"` + strings.Repeat("x", 2000) + `"}]`, nil},
		"a message twice, one of none":  {`[{"recipient":"a","posts":[{"channel":"c","id":"1"},{"channel":"c","id":"1"},{"channel":"c"}]}]`, []plugindata.Delivery{{Recipient: "a", Posts: []plugindata.Post{{Channel: "c", ID: "1"}}}}},
		"a message of two recipients":   {`[{"recipient":"a","posts":[{"channel":"c","id":"1"}]},{"recipient":"b","posts":[{"channel":"c","id":"1"}]}]`, []plugindata.Delivery{{Recipient: "a", Posts: []plugindata.Post{{Channel: "c", ID: "1"}}}, {Recipient: "b"}}},
		"tries that cannot be":          {`[{"recipient":"a","doubt":{"announce.0":{"tries":-3}}}]`, []plugindata.Delivery{{Recipient: "a", Doubt: map[string]plugindata.Doubt{"announce.0": {Tries: 1}}}}},
		"what shows a count of reviews": {`[{"recipient":"a","posts":[{"channel":"c","id":"1","shown":{"status":"X","reviews":-7}}]}]`, []plugindata.Delivery{{Recipient: "a", Posts: []plugindata.Post{{Channel: "c", ID: "1", Shown: request.Version{Status: "X"}}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := plugindata.Decode(plugindata.Messages{}, map[string]string{"deliveries": `{"deliveries":` + c.text + `}`})
			if err != nil {
				t.Fatal(err)
			}
			for i := range r.Progress.Deliveries {
				if d := &r.Progress.Deliveries[i]; len(d.Posts) == 0 {
					d.Posts = nil
				}
			}
			if len(r.Progress.Deliveries) != len(c.want) || len(c.want) > 0 && !reflect.DeepEqual(r.Progress.Deliveries, c.want) {
				t.Errorf("got %+v, want %+v", r.Progress.Deliveries, c.want)
			}
		})
	}
	r, err := plugindata.Decode(plugindata.Messages{}, map[string]string{"deliveries": `{"deliveries":[` + strings.Join(many, ",") + `]}`})
	if err != nil || len(r.Progress.Deliveries) != 101 {
		t.Errorf("%d recipients, %v", len(r.Progress.Deliveries), err)
	}
}

// What two sides say of a recipient loses nothing of either.
func TestTwoSidesAreJoined(t *testing.T) {
	pending, denied := request.Version{Status: request.Pending}, request.Version{Status: request.Denied}
	post := func(id string, shown request.Version) plugindata.Post {
		return plugindata.Post{Channel: "c", ID: id, Shown: shown}
	}
	for name, c := range map[string]struct{ a, b, want plugindata.Delivery }{
		"one has announced": {
			plugindata.Delivery{},
			plugindata.Delivery{Address: "c", Posts: []plugindata.Post{post("1", pending)}, Begun: 1},
			plugindata.Delivery{Address: "c", Posts: []plugindata.Post{post("1", pending)}, Begun: 1},
		},
		"both have announced": {
			plugindata.Delivery{Posts: []plugindata.Post{post("1", pending)}},
			plugindata.Delivery{Posts: []plugindata.Post{post("2", pending)}},
			plugindata.Delivery{Posts: []plugindata.Post{post("1", pending), post("2", pending)}},
		},
		"who was last is not known": {
			plugindata.Delivery{Posts: []plugindata.Post{post("1", pending)}},
			plugindata.Delivery{Posts: []plugindata.Post{post("1", denied)}},
			plugindata.Delivery{Posts: []plugindata.Post{{Channel: "c", ID: "1", Unsure: true}}},
		},
		"one is ahead": {
			plugindata.Delivery{Reviews: 3, Noticed: request.Denied},
			plugindata.Delivery{Reviews: 1, Ended: request.Denied, Doubt: map[string]plugindata.Doubt{"review.1": {Tries: 2}}},
			plugindata.Delivery{Reviews: 3, Noticed: request.Denied, Ended: request.Denied, Doubt: map[string]plugindata.Doubt{"review.1": {Tries: 2}}},
		},
		"either is sure of nothing": {
			plugindata.Delivery{Posts: []plugindata.Post{{ID: "1", Unsure: true}, {ID: "2"}, {ID: "3"}}},
			plugindata.Delivery{Posts: []plugindata.Post{{ID: "3"}, {ID: "2", Unsure: true}, {ID: "1"}}},
			plugindata.Delivery{Posts: []plugindata.Post{{ID: "1", Unsure: true}, {ID: "2", Unsure: true}, {ID: "3"}}},
		},
		"either cannot change a message": {
			plugindata.Delivery{Posts: []plugindata.Post{{ID: "1", Fixed: true}, {ID: "2"}, {ID: "3"}}},
			plugindata.Delivery{Posts: []plugindata.Post{{ID: "3"}, {ID: "2", Fixed: true}, {ID: "1"}}},
			plugindata.Delivery{Posts: []plugindata.Post{{ID: "1", Fixed: true}, {ID: "2", Fixed: true}, {ID: "3"}}},
		},
		"we have skipped it":   {plugindata.Delivery{Skipped: true}, plugindata.Delivery{}, plugindata.Delivery{Skipped: true}},
		"they have skipped it": {plugindata.Delivery{}, plugindata.Delivery{Skipped: true}, plugindata.Delivery{Skipped: true}},
		"nobody has":           {plugindata.Delivery{}, plugindata.Delivery{}, plugindata.Delivery{}},
		"both are in doubt of one thing": {
			plugindata.Delivery{Doubt: map[string]plugindata.Doubt{"review.1": {Tries: 3, Claim: 5}, "review.2": {Tries: 1, Claim: 7}}},
			plugindata.Delivery{Doubt: map[string]plugindata.Doubt{"review.1": {Tries: 2, Claim: 6}, "review.2": {Tries: 2, Claim: 6}}},
			plugindata.Delivery{Doubt: map[string]plugindata.Doubt{"review.1": {Tries: 3, Claim: 6}, "review.2": {Tries: 2, Claim: 7}}},
		},
		"what was in doubt before and is settled": {
			plugindata.Delivery{Doubt: map[string]plugindata.Doubt{"review.0": {Tries: 1, Claim: 4}, "review.1": {Tries: 1, Claim: 5}}},
			plugindata.Delivery{Reviews: 1},
			plugindata.Delivery{Reviews: 1, Doubt: map[string]plugindata.Doubt{"review.1": {Tries: 1, Claim: 5}}},
		},
		"one has seen that the message was removed": {
			plugindata.Delivery{Posts: []plugindata.Post{post("1", pending)}},
			plugindata.Delivery{Generation: 1, Posts: []plugindata.Post{post("2", pending)}},
			plugindata.Delivery{Generation: 1, Posts: []plugindata.Post{post("2", pending)}},
		},
		"the other has seen it": {
			plugindata.Delivery{Generation: 1},
			plugindata.Delivery{Posts: []plugindata.Post{post("1", pending)}},
			plugindata.Delivery{Generation: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.a.Clone()
			got.Join(c.b, 5)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// A web address may hold a secret: whoever has one for a name in a record is
// nobody's recipient, and not in the record that is written next.
func TestWebAddressesInRecordsAreNoRecipients(t *testing.T) {
	const secret = "https://hooks.example.com/T0/SECRET"
	for name, content := range map[string]map[string]string{
		"of the oldest kind": {"user": "alice", "channel_id": secret, "timestamp": "1.2"},
		"of ours":            {"deliveries": `{"request":1,"deliveries":[{"recipient":"` + secret + `"},{"recipient":"ops","address":"` + secret + `"}]}`},
	} {
		r := newStore(t, content).record()
		if len(r.Messages) != 0 || len(r.Progress.Deliveries) != 0 {
			t.Errorf("%s: %+v, %+v", name, r.Messages, r.Progress.Deliveries)
		}
		set, _ := r.Changes()
		if text := fmt.Sprint(set); strings.Contains(text, "SECRET") {
			t.Errorf("%s: %s is written", name, text)
		}
	}
}
