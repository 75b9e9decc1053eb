package endpoint

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/net/http/httpguts"

	"teleport-plugins/lib/command"
	"teleport-plugins/lib/config"
)

// Section is the section of the config of an endpoint.
type Section struct {
	URL      string                   `toml:"url" doc:"web address to which events are posted"`
	Command  []string                 `toml:"command" doc:"program that is started for each event, by its whole path, and its arguments; in place of url"`
	Secret   config.SigningSecrets    `toml:"secret" doc:"what events are signed with, whsec_ and base64: the secret itself, the path of a file that holds it, or env:NAME; a list while it is replaced"`
	Headers  map[string]config.Secret `toml:"headers" doc:"further headers of each call; the values take the forms of a secret"`
	CAFile   config.Authorities       `toml:"ca_file" doc:"path of a file with certificate authorities to trust beside the system's, in PEM form"`
	Timeout  config.Duration          `toml:"timeout" default:"\"10s\"" doc:"how long the endpoint may take to answer, at most 1m"`
	Insecure bool                     `toml:"insecure" doc:"allow http:// to another machine, where everybody on the way reads requests and can forge decisions"`
}

// DefaultTimeout is how long an endpoint may take to answer where the config does not
// say; whoever has read the whole config sets it.
const DefaultTimeout = config.Duration(10 * time.Second)

// The bounds of the time that an endpoint may take.
const (
	leastTimeout = 100 * time.Millisecond
	mostTimeout  = time.Minute
)

// Validate checks the section.
func (s *Section) Validate(f *config.Faults) {
	if t := time.Duration(s.Timeout); f.Has("timeout") && (t < leastTimeout || t > mostTimeout) {
		f.Add("timeout", fmt.Sprintf("%v is not between %v and %v", t, leastTimeout, mostTimeout), `write for example "10s"`)
	}
	switch {
	case s.URL == "" && len(s.Command) == 0 && f.Has("command"):
		f.Add("command", "it names no program", `write for example ["/etc/teleport/decide.py"]`)
	case s.URL == "" && len(s.Command) == 0:
		f.Add("", "the endpoint has neither a url nor a command", "set one of the two")
	case s.URL != "" && len(s.Command) > 0:
		f.Add("command", "the endpoint has a url too", "keep one of the two; write a second endpoint for the other")
	case s.URL != "":
		s.validateURL(f)
		s.validateHeaders(f)
	default:
		s.validateCommand(f)
	}
}

func (s *Section) validateURL(f *config.Faults) {
	u, plain := f.Web("url", s.URL, "https://portal.example.com/hook")
	if u == nil {
		return
	}
	if u.User != nil {
		f.Add("url", "there are credentials in the address, where logs and proxies would show them", "put them into headers, as in headers.Authorization")
	}
	const shown = "http:// shows every request to all who are on the way, and they can forge decisions"
	switch {
	case plain && s.Insecure:
		f.Warn("url", shown, "write https://")
	case plain:
		f.Add("url", shown, "write https://, or set insecure = true if you accept that")
	}
	switch {
	case s.Secret.IsSet():
	case f.Has("secret"):
		f.Add("secret", "it is empty, so that events would not be signed", "set it, or remove the key")
	case len(s.Headers) == 0:
		f.Warn("", "events are not signed, so that the endpoint cannot know who sends them", "set secret, and have the endpoint verify the signature")
	}
}

func (s *Section) validateHeaders(f *config.Faults) {
	for name, value := range s.Headers {
		in := f.In("headers")
		switch text, err := value.Read(); {
		case !httpguts.ValidHeaderFieldName(name):
			in.Add(name, "this is not the name of a header", "write letters, digits and -")
		case slices.Contains([]string{"Content-Type", "Content-Length", "Host", "User-Agent"}, http.CanonicalHeaderKey(name)):
			Reserved(f, name)
		case err == nil && !httpguts.ValidHeaderFieldValue(text):
			in.Add(name, "the value cannot be sent, since it has line breaks or other control characters", "write it on one line")
		}
	}
}

// Reserved records that a header of the config is one that the plugin sets.
func Reserved(f *config.Faults, name string) {
	f.In("headers").Add(name, "the plugin sets this header itself", "remove it")
}

func (s *Section) validateCommand(f *config.Faults) {
	path := s.Command[0]
	if !filepath.IsAbs(path) {
		f.Add("command", "the program is not named by its whole path", `write for example ["/etc/teleport/decide.py"]`)
		return
	}
	if err := command.Executable(path); err != nil {
		f.Warn("command", err.Error(), "put the program there, and make it executable for the user that runs the plugin")
	}
	f.Guarded("command", path, "program", false)
	for key, set := range map[string]bool{"secret": s.Secret.IsSet(), "headers": len(s.Headers) > 0, "insecure": s.Insecure, "ca_file": len(s.CAFile.Certificates()) > 0} {
		if set {
			f.Warn(key, "it has no effect on a command", "remove it")
		}
	}
}
