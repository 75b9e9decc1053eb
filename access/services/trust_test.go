package services_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"go.uber.org/zap"

	"teleport-plugins/access/services"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/sandbox/farend"
)

// Every service can be reached behind a private authority that the key ca_file
// names, and without it the error says so.
func TestPrivateAuthorities(t *testing.T) {
	for _, s := range services.All() {
		t.Run(s.Name, func(t *testing.T) {
			end := s.Simulate(farend.Options{})
			if err := end.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = end.Close() })
			front, authority := secured(t, end.URL())
			for path, want := range map[string]string{authority: "", "": "in the key ca_file of the service's section"} {
				err := check(t, s, behind(end, front, path))
				if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("with ca_file %q: %v", path, err)
				}
			}
		})
	}
}

// secured puts TLS before an address, with an authority of its own, and returns the
// address and the file that names the authority.
func secured(t *testing.T, address string) (front, authority string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) }})
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	authority = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return server.URL, authority
}

// behind is the config of a far end that is reached at another address. One that is not
// called over HTTP has TLS and an authority of its own.
func behind(end farend.FarEnd, front, authority string) map[string]any {
	sections := end.Config()
	for _, section := range sections {
		lead(section, end.URL(), front, authority)
		if keys, ok := section.(map[string]any); ok && authority == "" && !strings.HasPrefix(end.URL(), "http") {
			delete(keys, "ca_file")
		}
	}
	sections["teleport"] = map[string]any{"addr": "localhost:3025", "identity": "/nowhere/identity"}
	sections["role_to_recipients"] = map[string]any{"*": end.Places()[0]}
	return sections
}

// lead has a section, and those in it, lead to another address, and name the authority
// beside.
func lead(section any, from, to, authority string) {
	keys, _ := section.(map[string]any)
	for key, value := range keys {
		if text, ok := value.(string); ok && strings.Contains(text, from) {
			keys[key] = strings.Replace(text, from, to, 1)
			if authority != "" {
				keys["ca_file"] = authority
			}
		}
		lead(value, from, to, authority)
	}
}

// check makes the service from a config and asks it whether it accepts us.
func check(t *testing.T, s farend.Service, sections map[string]any) error {
	t.Helper()
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).Encode(sections); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := s.New()
	if _, err := config.Load(path, settings); err != nil {
		t.Fatal(err)
	}
	agent := ""
	if s.UserAgent != nil {
		agent = s.UserAgent("1.0.0")
	}
	transport := outbound.NewTransport(outbound.Options{UserAgent: agent})
	t.Cleanup(transport.CloseIdle)
	parts, err := settings.Build(plugin.Deps{
		Log: zap.NewNop(), Transport: transport, Note: func(string, string) {},
		Traits: func(context.Context, string) (map[string][]string, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if inspector, ok := parts.Service.(plugin.Inspector); ok && s.Unproven {
		return inspector.Prove(t.Context(), s.Simulate(farend.Options{}).Places()[0])
	}
	return parts.Service.Check(t.Context())
}
