package farend

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"
	"go.uber.org/zap"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
)

// Least is the smallest config of the plugin that has all that its service needs.
func (s Service) Least() map[string]any {
	far := s.Simulate(Options{})
	tree := map[string]any{"teleport": map[string]any{"identity": "identity"}}
	for name, section := range far.Config() {
		keys := maps.Clone(section.(map[string]any))
		for key, value := range keys {
			if value == "" { // the address of what does not serve
				keys[key] = "http://127.0.0.1:9"
			}
		}
		tree[name] = keys
	}
	maps.Copy(tree, s.Routes(map[string][]string{"*": far.Places()[:1]}))
	return tree
}

// Parts are what the plugin is made of under its smallest config, which is written
// into a directory.
func (s Service) Parts(dir string) (plugin.Parts, error) {
	var text bytes.Buffer
	path := filepath.Join(dir, s.Name+".toml")
	if err := toml.NewEncoder(&text).Encode(s.Least()); err != nil {
		return plugin.Parts{}, fmt.Errorf("writing the smallest config of %s: %w", s.Name, err)
	}
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		return plugin.Parts{}, fmt.Errorf("writing the smallest config of %s: %w", s.Name, err)
	}
	settings := s.New()
	if _, err := config.Load(path, settings); err != nil {
		return plugin.Parts{}, err
	}
	return settings.Build(plugin.Deps{Log: zap.NewNop(), Transport: outbound.NewTransport(outbound.Options{})})
}
