package farend_test

import (
	"testing"

	"go.uber.org/goleak"

	"teleport-plugins/access/email/farend"
	"teleport-plugins/lib/conformance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	conformance.Run(t, farend.Service(), conformance.Options{})
}

func TestConformanceOfMailgun(t *testing.T) {
	conformance.Run(t, farend.Mailgun(), conformance.Options{})
}
