package webhook

import (
	"context"
	"encoding/pem"
	"sync/atomic"
	"testing"

	"github.com/gravitational/trace"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/config/configtest"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secret is one of the form that the standard has.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// least is what every config has, after which sections can follow.
const least = "[teleport]\naddr = \"localhost:3025\"\nidentity = \"/nowhere/identity\"\n\n[role_to_recipients]\n\"*\" = \"portal\"\n\n"

// load reads a config whose sections follow the least one.
func load(t *testing.T, sections string) (*Config, config.Report, error) {
	t.Helper()
	c := Integration().New().(*Config)
	report, err := configtest.Load(t, "webhook.toml", least+sections, c)
	return c, report, err
}

// rig is a service with its log.
type rig struct {
	*service
	config *Config
	deps   plugin.Deps
	logs   *observer.ObservedLogs
}

// build makes the service of a config.
func build(t *testing.T, sections string, change func(*plugin.Deps)) rig {
	t.Helper()
	c, _, err := load(t, sections)
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	d := plugin.Deps{Log: zap.New(core), Transport: outbound.NewTransport(outbound.Options{UserAgent: "teleport-webhook/test"})}
	t.Cleanup(d.Transport.CloseIdle)
	if change != nil {
		change(&d)
	}
	parts, err := c.Build(d)
	if err != nil {
		t.Fatal(err)
	}
	return rig{parts.Service.(*service), c, d, logs}
}

// errDenied is what the cluster says of what the plugin's role may not read.
var errDenied = trace.AccessDenied("access denied")

func traitsOf(asked *atomic.Int32, traits map[string][]string, err error) func(context.Context, string) (map[string][]string, error) {
	return func(context.Context, string) (map[string][]string, error) {
		asked.Add(1)
		return traits, err
	}
}

func labelsOf(labels []map[string]string, err error) func(context.Context, string) ([]map[string]string, error) {
	return func(context.Context, string) ([]map[string]string, error) { return labels, err }
}

func pemOf(raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}
