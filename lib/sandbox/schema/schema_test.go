package schema_test

import (
	"testing"

	"teleport-plugins/lib/sandbox/schema"
)

func TestCheck(t *testing.T) {
	s, err := schema.Compile(`{"type": "object", "required": ["at"], "properties": {"at": {"type": "string", "format": "date-time"}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		`{"at": "2026-03-02T09:30:00Z"}`: true, `{"at": "today"}`: false, `{}`: false, `[]`: false, `{"at":`: false, ``: false,
	} {
		if err := s.Check([]byte(text)); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWhatIsNoSchema(t *testing.T) {
	for _, text := range []string{"", "[", `{"type": 1}`} {
		if _, err := schema.Compile(text); err == nil {
			t.Errorf("%q is taken for a schema", text)
		}
	}
}
