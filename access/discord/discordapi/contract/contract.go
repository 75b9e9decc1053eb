// Package contract holds the calls of a Discord client against the OpenAPI
// description that Discord publishes.
//
// The description is not part of this repository. The environment variable
// named by published.EnvDir points at a folder that holds it, in
// discord/openapi.json; tests that need it are skipped without it.
package contract

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/sandbox/published"
	"teleport-plugins/lib/sandbox/published/openapi"
)

// base is the address under which the description knows the API.
const base = "https://discord.com/api/v10"

// Checker checks calls.
type Checker struct{ api *openapi.Description }

// Load reads the description below dir, laid out as the package says.
func Load(dir string) (*Checker, error) {
	data, err := os.ReadFile(filepath.Join(dir, "discord", "openapi.json"))
	if err != nil {
		return nil, fmt.Errorf("reading Discord's description: %w", err)
	}
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		return nil, fmt.Errorf("decoding Discord's description: %w", err)
	}
	api, err := openapi.New(tree, openapi.Formats{"snowflake": snowflake})
	if err != nil {
		return nil, fmt.Errorf("reading Discord's description: %w", err)
	}
	return &Checker{api}, nil
}

// snowflake checks the format that the description names but does not define.
func snowflake(s string) error {
	if _, err := strconv.ParseUint(s, 10, 64); err != nil {
		return fmt.Errorf("%q is no snowflake", s)
	}
	return nil
}

// ForTest loads the description from the folder named by published.EnvDir. It skips the
// test when the variable is not set and fails it when it cannot be read.
func ForTest(t testing.TB) *Checker {
	t.Helper()
	return published.Load(t, Load)
}

// CheckRequest checks a call from the simulated server's log.
func (c *Checker) CheckRequest(r discordapi.Request) error {
	req, err := request(r)
	if err != nil {
		return err
	}
	if err := c.api.Request(req, r.JSON); err != nil {
		return fmt.Errorf("the call %s: %w", r.Method, err)
	}
	return nil
}

// request builds a call anew, with a token in place of the one that the log
// left out.
func request(r discordapi.Request) (*http.Request, error) {
	verb, _, _ := strings.Cut(r.Method, " ")
	req, err := http.NewRequest(verb, base+r.Path, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("building the call %s: %w", r.Method, err)
	}
	for _, name := range []string{"Content-Type", "Accept"} {
		if v := r.Header.Get(name); v != "" {
			req.Header.Set(name, v)
		}
	}
	req.Header.Set("Authorization", "Bot token")
	return req, nil
}
