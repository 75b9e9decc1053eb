// Command write brings the values of all charts, and their schemas, up to date with what
// they have in common and with the configs of the plugins:
//
//	go run ./install/helm/write
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"teleport-plugins/access/services"
	"teleport-plugins/install/helm"
	"teleport-plugins/lib/config"
)

func main() {
	for _, s := range services.All() {
		if err := write(s.Name, config.Keys(s.New())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func write(service string, keys []config.Key) error {
	dir := filepath.Join("access", service, "chart")
	values, err := os.ReadFile(filepath.Join(dir, "values.yaml"))
	if err != nil {
		return fmt.Errorf("reading the values: %w", err)
	}
	text, err := helm.Values(string(values), service)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	old, err := os.ReadFile(filepath.Join(dir, "values.schema.json"))
	if err != nil {
		return fmt.Errorf("reading the schema: %w", err)
	}
	schema, err := helm.Schema(old, keys)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	for name, content := range map[string][]byte{"values.yaml": []byte(text), "values.schema.json": schema} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
	}
	return nil
}
