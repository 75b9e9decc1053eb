package farend_test

import (
	"reflect"
	"testing"

	"teleport-plugins/lib/sandbox/farend"
)

func TestPartsOfAConfigShareSections(t *testing.T) {
	times := map[string]any{"lease": "4s", "retry_max": "1s"}
	got := farend.Join(
		map[string]any{"delivery": times, "log": map[string]any{"output": "stderr"}}, nil,
		map[string]any{"delivery": map[string]any{"sender": "a@example.com", "lease": "6s"}, "mode": "x"},
	)
	want := map[string]any{
		"delivery": map[string]any{"lease": "6s", "retry_max": "1s", "sender": "a@example.com"},
		"log":      map[string]any{"output": "stderr"}, "mode": "x",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if len(times) != 2 || times["lease"] != "4s" {
		t.Errorf("a part was changed: %v", times)
	}
}
