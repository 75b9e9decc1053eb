package plugindata_test

import (
	"maps"
	"reflect"
	"testing"

	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
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
		Kind: types.KindAccessRequest, Resource: "req", Plugin: "slack", Set: set, Expect: expect,
	})
}

func (s *store) content() map[string]string {
	if e := s.data.Entries()["slack"]; e != nil {
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
	set, expect, err := r.Changes(plugindata.Messages{})
	if err != nil {
		s.t.Fatal(err)
	}
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
	r.User, r.Claim = "mia", plugindata.Claim{Owner: "abc", Generation: 1}
	r.Progress.Deliveries = []plugindata.Delivery{{Recipient: "general", Unclear: true}}
	s.mustWrite(r)
	if !r.Exists() || !r.Ours() || r.Raw("claim") != "abc.1" {
		t.Errorf("after the write the record is %+v", r)
	}
	r.Claim, r.Messages = plugindata.Claim{}, []plugindata.Message{{Channel: "C1", ID: "1.1"}}
	r.Progress.Deliveries[0] = plugindata.Delivery{Recipient: "general", Channel: "C1", ID: "1.1", Shown: "PENDING.0"}
	s.mustWrite(r)
	want := map[string]string{
		"user": "mia", "messages": "C1/1.1",
		"progress": `{"deliveries":[{"recipient":"general","channel":"C1","id":"1.1","shown":"PENDING.0"}]}`,
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
	set, expect, err := r.Changes(plugindata.Messages{})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"reviews_count": "2", "user": ""}; !maps.Equal(set, want) {
		t.Errorf("set is %q, want %q", set, want)
	}
	if want := map[string]string{
		"user": "mia", "roles": "editor", "resources": "", "request_reason": "", "reviews_count": "",
		"resolution": "", "resolve_reason": "", "messages": "", "claim": "", "progress": "",
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
	if set, _, _ := r.Changes(plugindata.Messages{}); len(set) != 0 {
		t.Errorf("set is %q", set)
	}
}

func TestAWriteOfAnybodyElseIsRefused(t *testing.T) {
	for name, other := range map[string]map[string]string{
		"another replica's claim":              {"claim": "xyz.1"},
		"another replica's progress":           {"progress": `{"request":1}`},
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
			r.Claim = plugindata.Claim{Owner: "abc", Generation: 1}
			if err := s.write(r); err == nil {
				t.Error("the write was accepted")
			}
		})
	}
}

func TestOfTwoReplicasThatClaimOneWins(t *testing.T) {
	s := newStore(t, nil)
	a, b := s.record(), s.record()
	a.Claim, b.Claim = plugindata.Claim{Owner: "a", Generation: 1}, plugindata.Claim{Owner: "b", Generation: 1}
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
	if err == nil || !r.Claim.Free() || !r.Ours() {
		t.Fatalf("got %+v and %v", r, err)
	}
	r.Claim = plugindata.Claim{Owner: "abc", Generation: 1}
	s.mustWrite(r)
	if s.content()["claim"] != "abc.1" {
		t.Errorf("stored is %q", s.content())
	}
}

func TestClaims(t *testing.T) {
	for text, want := range map[string]plugindata.Claim{
		"": {}, "abc.1": {Owner: "abc", Generation: 1}, "x.123456": {Owner: "x", Generation: 123456}, ".7": {Generation: 7},
	} {
		r, err := plugindata.Decode(plugindata.Messages{}, map[string]string{"claim": text})
		if err != nil || r.Claim != want || r.Claim.String() != text {
			t.Errorf("%q is read as %+v and written as %q, %v", text, r.Claim, r.Claim, err)
		}
	}
	for _, text := range []string{"abc", "abc.0", "abc.-1", "abc.", "abc.x", "abc.1.2", "."} {
		if r, err := plugindata.Decode(plugindata.Messages{}, map[string]string{"claim": text}); err == nil || !r.Claim.Free() {
			t.Errorf("%q is read as %+v", text, r.Claim)
		}
	}
}

func TestAGenerationOutlivesItsClaim(t *testing.T) {
	first := plugindata.Claim{}.Next("abc")
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
	if r.Raw("user") != "" || r.Raw("roles") != "b" || r.Fingerprint() == before {
		t.Errorf("the record is %s", r.Fingerprint())
	}
}

func TestDeliveriesAreFoundAndChangedInPlace(t *testing.T) {
	r := &plugindata.Record{Progress: plugindata.Progress{Deliveries: []plugindata.Delivery{{Recipient: "a"}, {Recipient: "b"}}}}
	d := r.Delivery("b")
	if d == nil || d.Posted() || d.Over() {
		t.Fatalf("got %+v", d)
	}
	d.Channel, d.ID = "C1", "1.1"
	if got := r.Progress.Deliveries[1]; !got.Posted() || got.Message() != (plugindata.Message{Channel: "C1", ID: "1.1"}) {
		t.Errorf("got %+v", got)
	}
	if r.Delivery("c") != nil {
		t.Error("a recipient was found that is not there")
	}
	for _, over := range []plugindata.Delivery{{Skipped: true}, {Failed: "no such channel"}} {
		if !over.Over() {
			t.Errorf("%+v is not over", over)
		}
	}
}

func TestProgressSurvivesARoundTrip(t *testing.T) {
	s := newStore(t, nil)
	r := s.record()
	r.Progress = plugindata.Progress{
		Request: 1772357400, Decision: "on call",
		Deliveries: []plugindata.Delivery{{
			Recipient: "mia@example.org", Address: "U1", Channel: "D1", ID: "1.1", Shown: "APPROVED.2", Replies: 2,
			Requester: true, Noticed: message.Approved, Unclear: true, Reposted: true, Skipped: true, Failed: "why, \"so\"",
		}},
	}
	s.mustWrite(r)
	if got := s.record(); !reflect.DeepEqual(got.Progress, r.Progress) {
		t.Errorf("got %+v, want %+v", got.Progress, r.Progress)
	}
}
