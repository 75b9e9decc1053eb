package chat_test

import (
	"slices"
	"testing"

	"teleport-plugins/lib/sandbox/chat"
)

func TestALogHoldsTheNewestVersionsInOrder(t *testing.T) {
	var l chat.Log[string]
	put := func(number int64, text string) { l.Put(number, &text) }
	put(10, "a")
	put(30, "c")
	before := l.Find(10)
	put(20, "b")
	put(10, "A")
	if got := l.Newest(0); !slices.Equal(got, []string{"A", "b", "c"}) {
		t.Errorf("the log holds %q", got)
	}
	if got := l.Newest(2); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("the newest two are %q", got)
	}
	if *before != "a" || *l.Find(10) != "A" || l.Find(11) != nil {
		t.Error("a version that was read has changed, or one is found that is not there")
	}
	var numbers []int64
	for n := range l.Backward() {
		if numbers = append(numbers, n); len(numbers) == 2 {
			break
		}
	}
	if !slices.Equal(numbers, []int64{30, 20}) {
		t.Errorf("backward they are %v", numbers)
	}
}
