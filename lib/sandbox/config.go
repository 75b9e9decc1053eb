package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/BurntSushi/toml"

	"teleport-plugins/lib/sandbox/cluster"
	"teleport-plugins/lib/sandbox/farend"
)

// shared are the sections that the configs of all plugins have.
type shared struct {
	Teleport teleportSection `toml:"teleport"`
	Log      logSection      `toml:"log"`
	Delivery deliverySection `toml:"delivery"`
}

type teleportSection struct {
	Addr            string `toml:"addr"`
	Identity        string `toml:"identity"`
	RefreshIdentity bool   `toml:"refresh_identity"`
	// RefreshInterval is short, for one wants to see it happen.
	RefreshInterval string `toml:"refresh_identity_interval"`
}

type logSection struct {
	Output   string `toml:"output"`
	Severity string `toml:"severity"`
}

type deliverySection struct {
	CatchUp string `toml:"catch_up"`
}

// WriteConfig writes the config of a plugin, named by its service, and the
// identity that the config asks for into dir, and returns the config's path. The
// identity is kept renewed until Close. Both files are for the user alone.
func (s *Sandbox) WriteConfig(dir, service string) (tomlPath string, err error) {
	v, err := s.service(service)
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", fmt.Errorf("finding the directory of the configs: %w", err)
	}
	identity := filepath.Join(dir, "teleport-"+service+".identity")
	if err := s.keepIdentity(identity, cluster.PluginUserOf(service)); err != nil {
		return "", err
	}
	var out bytes.Buffer
	enc := toml.NewEncoder(&out)
	enc.Indent = ""
	fmt.Fprintf(&out, "# Config of teleport-%s for the sandbox that runs now.\n", service)
	parts := []any{s.sharedConfig(identity), v.Config(), v.Routes(v.demoRoutes())}
	if able, ok := v.FarEnd.(farend.Presser); ok {
		parts = append(parts, map[string]any{"review": able.Review()})
	}
	for _, part := range parts {
		if err := enc.Encode(part); err != nil {
			return "", fmt.Errorf("writing the config of teleport-%s: %w", service, err)
		}
	}
	tomlPath = filepath.Join(dir, "teleport-"+service+".toml")
	if err := os.WriteFile(tomlPath, out.Bytes(), 0o600); err != nil {
		return "", fmt.Errorf("writing the config of teleport-%s: %w", service, err)
	}
	return tomlPath, nil
}

// demoRoutes are the recipients of a demonstration: one place for every role, a
// second one for one role, and for another a place and a person.
func (v service) demoRoutes() map[string][]string {
	places := v.Places()
	routes := map[string][]string{"*": places[:1], "prod-admin": places[:2], "db-admin": places[2:3]}
	if person := v.Person(cluster.Carol); person != "" {
		routes["db-admin"] = []string{places[2], person}
	}
	return routes
}

func (s *Sandbox) sharedConfig(identity string) shared {
	return shared{
		Teleport: teleportSection{
			Addr: s.cluster.Addr(), Identity: identity, RefreshIdentity: true, RefreshInterval: "10s",
		},
		Log:      logSection{Output: "stderr", Severity: "INFO"},
		Delivery: deliverySection{CatchUp: "1h"},
	}
}

// keepIdentity writes an identity and notes it for renewal.
func (s *Sandbox) keepIdentity(path, user string) error {
	if err := s.cluster.IssueIdentity(path, user, s.opts.IdentityTTL); err != nil {
		return fmt.Errorf("issuing the identity of %s: %w", user, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.identities[path] = user
	return nil
}

// RenewIdentities writes every identity of WriteConfig anew, as a program does
// that renews them. After RotateCA it is what lets plugins connect again.
func (s *Sandbox) RenewIdentities() error {
	s.mu.Lock()
	identities := maps.Clone(s.identities)
	s.mu.Unlock()
	for path, user := range identities {
		if err := s.cluster.IssueIdentity(path, user, s.opts.IdentityTTL); err != nil {
			return fmt.Errorf("renewing the identity of %s: %w", user, err)
		}
	}
	return nil
}

// renew renews the identities until ctx ends, each time before half of their time
// is over, when the plugins would begin to speak of it.
func (s *Sandbox) renew(ctx context.Context) {
	ticker := time.NewTicker(s.opts.IdentityTTL * 2 / 5)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if err := s.RenewIdentities(); err != nil {
				s.plugins.say("sandbox", err.Error())
			}
		case <-ctx.Done():
			return
		}
	}
}
