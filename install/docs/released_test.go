package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"teleport-plugins/access/services"
	"teleport-plugins/lib/config"
)

var pathInConfig = regexp.MustCompile(`(?m)^([A-Za-z_]+) = "(/[^"]+)"`)

// A config that a released version of Teleport's own plugin took is taken here, with
// warnings at most: whoever moves over changes nothing beforehand.
func TestConfigsOfReleasedVersionsLoad(t *testing.T) {
	found := 0
	for _, s := range services.All() {
		files, err := filepath.Glob(filepath.Join("../../access", s.Name, "testdata/released/*.toml"))
		if err != nil {
			t.Fatal(err)
		}
		found += len(files)
		for _, file := range files {
			t.Run(s.Name+"/"+strings.TrimSuffix(filepath.Base(file), ".toml"), func(t *testing.T) {
				raw, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				dir := t.TempDir()
				text := pathInConfig.ReplaceAllStringFunc(string(raw), func(line string) string {
					part := pathInConfig.FindStringSubmatch(line)
					path := filepath.Join(dir, filepath.Base(part[2]))
					if err := os.WriteFile(path, []byte(secretFor(part[1])+"\n"), 0o600); err != nil {
						t.Fatal(err)
					}
					return part[1] + ` = "` + path + `"`
				})
				path := filepath.Join(dir, "config.toml")
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				report, err := config.Load(path, s.New())
				if err != nil {
					t.Error(err)
				}
				for _, w := range report.Warnings {
					t.Log(w)
				}
			})
		}
	}
	if found < 16 {
		t.Errorf("%d configs were found", found)
	}
}
