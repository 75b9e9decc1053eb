package farend_test

import (
	"testing"

	"go.uber.org/goleak"

	"teleport-plugins/access/mattermost/farend"
	"teleport-plugins/lib/conformance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	conformance.Run(t, farend.Service(), conformance.Options{})
}
