package farend_test

import (
	"testing"

	"go.uber.org/goleak"

	"teleport-plugins/access/slack/farend"
	"teleport-plugins/access/slack/slackapi/contract"
	"teleport-plugins/lib/conformance"
	sandbox "teleport-plugins/lib/sandbox/farend"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keepsContract holds what the plugin has sent against Slack's descriptions.
func keepsContract(t *testing.T, far sandbox.FarEnd) {
	contract.Keep(t, far.(*farend.Workspace).Requests())
}

func TestConformance(t *testing.T) {
	conformance.Run(t, farend.Service(), conformance.Options{After: keepsContract})
}

// An app that may not read its conversations tells one recipient after another.
func TestConformanceWithoutTheScopeToReadHistory(t *testing.T) {
	conformance.Run(t, farend.Service(), conformance.Options{
		FarEnd: sandbox.Options{Blind: true}, Except: []string{conformance.LostAnswer}, After: keepsContract,
	})
}
