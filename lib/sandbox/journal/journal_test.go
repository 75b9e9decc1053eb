package journal_test

import (
	"fmt"
	"testing"
	"time"

	"teleport-plugins/lib/sandbox/journal"
)

func TestWhatHappensAgainIsCounted(t *testing.T) {
	j, now := journal.New(10), time.Now()
	j.Now = func() time.Time { return now }
	post := journal.Entry{Part: journal.Service, Name: "example", Text: "post"}
	j.Add(post)
	first, rev := j.After(0)
	j.Add(journal.Entry{Part: journal.Plugin, Name: "example", Text: "post"})
	post.Times, post.Detail = 3, "the newest"
	j.Add(post)
	changed, _ := j.After(rev)
	if len(first) != 1 || len(changed) != 2 {
		t.Fatalf("at first %+v, then %+v", first, changed)
	}
	if e := changed[0]; e.ID != first[0].ID || e.Times != 4 || e.Detail != "the newest" || !e.At.Equal(first[0].At) {
		t.Errorf("what happened again is %+v", e)
	}
	if e := changed[1]; e.Part != journal.Plugin || e.Times != 1 {
		t.Errorf("what another part did is %+v", e)
	}
	_, rev = j.After(0)
	now = now.Add(time.Minute)
	j.Add(post)
	if changed, _ := j.After(rev); len(changed) != 1 || changed[0].ID == first[0].ID {
		t.Errorf("what happened much later is %+v", changed)
	}
}

func TestTheOldestEntriesGo(t *testing.T) {
	j := journal.New(3)
	for i := range 5 {
		j.Add(journal.Entry{Part: journal.Sandbox, Text: fmt.Sprint(i)})
	}
	kept, rev := j.After(0)
	if len(kept) != 3 || kept[0].Text != "2" || kept[2].Text != "4" || rev != 5 {
		t.Errorf("kept are %+v at %d", kept, rev)
	}
	if more, _ := j.After(rev); len(more) != 0 {
		t.Errorf("after the newest there is %+v", more)
	}
}
