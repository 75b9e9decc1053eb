package discord

import (
	"fmt"
	"reflect"
	"testing"

	"teleport-plugins/lib/message"
)

func TestARequestIsRenderedOnceForAllChannels(t *testing.T) {
	var m memo
	v := request()
	first := m.content(v, full, "")
	if again := m.content(request(), full, ""); again.embeds[0] != first.embeds[0] {
		t.Error("rendered twice")
	}
	for name, change := range map[string]func(*message.View){
		"state":  func(v *message.View) { v.Status = message.Denied },
		"logins": func(v *message.View) { v.Logins = map[string][]string{"db-admin": {"mallory"}} },
		"review": func(v *message.View) { v.Reviews = []message.Review{approval("bob", "")} },
	} {
		v := request()
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
		v := request()
		v.ID = fmt.Sprint(i)
		m.content(v, full, "")
		m.content(v, full, "")
	}
	if len(m.all) > memoSize || len(m.keys) > memoSize {
		t.Errorf("%d and %d are kept", len(m.all), len(m.keys))
	}
}
