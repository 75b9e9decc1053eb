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

// WriteConfig writes the config of a plugin, named by its service, and the identity and
// the certificates that the config asks for into dir, and returns the config's path. The
// identity is kept renewed until Close. All files are for the user alone.
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
	parts := []map[string]any{s.sharedConfig(identity), v.Config(), v.Routes(v.demoRoutes())}
	if able, ok := v.FarEnd.(farend.Presser); ok {
		parts = append(parts, map[string]any{"review": able.Review()})
	}
	config := farend.Join(parts...)
	if err := bring(config, filepath.Join(dir, "teleport-"+service+"-")); err != nil {
		return "", err
	}
	if err := enc.Encode(config); err != nil {
		return "", fmt.Errorf("writing the config of teleport-%s: %w", service, err)
	}
	tomlPath = filepath.Join(dir, "teleport-"+service+".toml")
	if err := os.WriteFile(tomlPath, out.Bytes(), 0o600); err != nil {
		return "", fmt.Errorf("writing the config of teleport-%s: %w", service, err)
	}
	return tomlPath, nil
}

// bring copies the files with certificates that a config names to where the config is: it
// may be read on another file system. prefix begins their paths.
func bring(config map[string]any, prefix string) error {
	for key, value := range config {
		if section, ok := value.(map[string]any); ok {
			if err := bring(section, prefix); err != nil {
				return err
			}
		}
		path, _ := value.(string)
		if key != "ca_file" || !filepath.IsAbs(path) {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("reading the certificates for a config: %w", err)
		}
		own := prefix + filepath.Base(path)
		if err := os.WriteFile(own, text, 0o600); err != nil {
			return fmt.Errorf("writing the certificates for a config: %w", err)
		}
		config[key] = own
	}
	return nil
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

// sharedConfig are the sections that the configs of all plugins have. The identity is
// looked at often, for one wants to see it renewed.
func (s *Sandbox) sharedConfig(identity string) map[string]any {
	return map[string]any{
		"teleport": map[string]any{"addr": s.cluster.Addr(), "identity": identity, "refresh_identity": true, "refresh_identity_interval": "10s"},
		"log":      map[string]any{"output": "stderr", "severity": "INFO"},
		// Shorter than usual, so that one need not wait to see things heal.
		"delivery": map[string]any{"catch_up": "1h", "call_timeout": "5s", "lease": "10s", "retry_max": "3s", "heartbeat": "2s"},
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
