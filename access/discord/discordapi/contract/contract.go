//go:build contract

// Package contract holds the calls of a Discord client against the OpenAPI
// description that Discord publishes.
//
// The description is not part of this repository. The environment variable
// named by published.EnvDir points at a folder that holds it, in
// discord/openapi.json; tests that need it are skipped without it.
package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	validation "github.com/pb33f/libopenapi-validator/errors"

	"teleport-plugins/access/discord/discordapi"
	"teleport-plugins/lib/sandbox/published"
)

// base is the address under which the description knows the API.
const base = "https://discord.com/api/v10"

// Checker checks calls.
type Checker struct{ v validator.Validator }

// Load reads the description below dir, laid out as the package says. Members that
// the description does not name are faults, and formats are checked.
func Load(dir string) (*Checker, error) {
	data, err := os.ReadFile(filepath.Join(dir, "discord", "openapi.json"))
	if err != nil {
		return nil, fmt.Errorf("reading Discord's description: %w", err)
	}
	if data, err = prune(data); err != nil {
		return nil, err
	}
	doc, err := libopenapi.NewDocument(data)
	if err != nil {
		return nil, fmt.Errorf("reading Discord's description: %w", err)
	}
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions(), config.WithStrictMode(),
		config.WithCustomFormat("snowflake", isSnowflake))
	if len(errs) > 0 {
		return nil, fmt.Errorf("reading Discord's description: %w", errors.Join(errs...))
	}
	return &Checker{v}, nil
}

// operations are those that the simulated server knows, by path and verb.
func operations() map[string][]string {
	return map[string][]string{
		"/channels/{channel_id}":                               {"get"},
		"/channels/{channel_id}/messages":                      {"get", "post"},
		"/channels/{channel_id}/messages/{message_id}":         {"get", "patch", "delete"},
		"/channels/{channel_id}/messages/{message_id}/threads": {"post"},
		"/users/@me":                           {"get"},
		"/users/@me/guilds":                    {"get"},
		"/users/@me/channels":                  {"post"},
		"/users/{user_id}":                     {"get"},
		"/guilds/{guild_id}":                   {"get"},
		"/guilds/{guild_id}/channels":          {"get"},
		"/guilds/{guild_id}/members/{user_id}": {"get"},
		"/applications/@me":                    {"get"},
		"/oauth2/applications/@me":             {"get"},
		"/gateway/bot":                         {"get"},
		"/interactions/{interaction_id}/{interaction_token}/callback": {"post"},
		"/webhooks/{webhook_id}/{webhook_token}":                      {"post"},
		"/webhooks/{webhook_id}/{webhook_token}/messages/@original":   {"patch"},
	}
}

// prune drops what nobody calls, and the answers, since to prepare all of the
// description takes long.
func prune(data []byte) ([]byte, error) {
	var doc struct {
		Rest  map[string]json.RawMessage
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := errors.Join(json.Unmarshal(data, &doc), json.Unmarshal(data, &doc.Rest)); err != nil {
		return nil, fmt.Errorf("reading Discord's description: %w", err)
	}
	kept := make(map[string]map[string]json.RawMessage)
	for path, verbs := range operations() {
		kept[path] = make(map[string]json.RawMessage)
		if all := doc.Paths[path]["parameters"]; all != nil {
			kept[path]["parameters"] = all
		}
		for _, verb := range verbs {
			var op map[string]json.RawMessage
			if err := json.Unmarshal(doc.Paths[path][verb], &op); err != nil {
				return nil, fmt.Errorf("reading Discord's description of %s %s: %w", verb, path, err)
			}
			op["responses"] = json.RawMessage(`{}`)
			kept[path][verb], _ = json.Marshal(op)
		}
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return nil, fmt.Errorf("reading Discord's description: %w", err)
	}
	doc.Rest["paths"] = text
	return json.Marshal(doc.Rest)
}

// isSnowflake checks the format that the description names but does not define.
func isSnowflake(v any) error {
	if s, ok := v.(string); ok {
		if _, err := strconv.ParseUint(s, 10, 64); err != nil {
			return fmt.Errorf("%q is no snowflake", s)
		}
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
	_, faults := c.v.ValidateHttpRequestSync(req)
	return describe("the call "+r.Method, faults)
}

// request builds a call anew, with a token in place of the one that the log
// left out.
func request(r discordapi.Request) (*http.Request, error) {
	verb, _, _ := strings.Cut(r.Method, " ")
	req, err := http.NewRequest(verb, base+r.Path, bytes.NewReader(r.JSON))
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

func describe(what string, faults []*validation.ValidationError) error {
	var all []error
	for _, f := range faults {
		if len(f.SchemaValidationErrors) == 0 {
			all = append(all, fmt.Errorf("%s: %s: %s", what, f.Message, f.Reason))
		}
		for _, s := range f.SchemaValidationErrors {
			all = append(all, fmt.Errorf("%s: %s at %s", what, s.Reason, s.FieldPath))
		}
	}
	return errors.Join(all...)
}
