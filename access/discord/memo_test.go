package discord

import (
	"fmt"
	"reflect"
	"testing"

	"teleport-plugins/lib/request"
)

func TestARequestIsRenderedOnceForAllChannels(t *testing.T) {
	var m memo
	v := sample()
	first := m.content(v, full, "")
	if again := m.content(sample(), full, ""); again.embeds[0] != first.embeds[0] {
		t.Error("rendered twice")
	}
	for name, change := range map[string]func(*request.View){
		"state":  func(v *request.View) { v.Status = request.Denied },
		"logins": func(v *request.View) { v.Logins = map[string][]string{"db-admin": {"mallory"}} },
		"review": func(v *request.View) { v.Reviews = []request.Review{approval("bob", "")} },
	} {
		v := sample()
		change(&v)
		for _, f := range []form{full, plain, bare} {
			if got, want := m.content(v, f, ""), announcement(v, f, ""); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %+v, want %+v", name, got, want)
			}
		}
	}
}

func TestWhatIsRenderedIsNotKeptForever(t *testing.T) {
	var m memo
	for i := range 3 * memoSize {
		v := sample()
		v.ID = fmt.Sprint(i)
		m.content(v, full, "")
		m.content(v, full, "")
	}
	if len(m.all) > memoSize || len(m.keys) > memoSize {
		t.Errorf("%d and %d are kept", len(m.all), len(m.keys))
	}
}
