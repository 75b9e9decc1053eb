package hook_test

import (
	"slices"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/hook"
)

// That nobody has called is stated until the service does, or the end.
func TestWhoCalls(t *testing.T) {
	core, logged := observer.New(zap.WarnLevel)
	var noted []string
	c := &hook.Callers{Note: func(text string) { noted = append(noted, text) }, Awaited: "none yet", Log: zap.New(core)}
	end := serve(t, hook.Options{Endpoint: hook.Endpoint{Listen: free(t)}, Handler: saying("x"), Callers: c})
	for range 3 {
		c.Stranger("who is this?", zap.String("person", "x"))
		c.Known()
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"none yet", "", ""}; !slices.Equal(noted, want) {
		t.Errorf("noted was %q, want %q", noted, want)
	}
	if n := logged.FilterMessage("who is this?").Len(); n != 1 {
		t.Errorf("%d lines about strangers in a minute", n)
	}
}
