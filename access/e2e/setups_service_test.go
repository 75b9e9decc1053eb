package e2e_test

import (
	"io"
	"log"
	"maps"
	"os"
	"syscall"
	"testing"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/farend"
)

// quiet logs nothing.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// tokenKey is the key of the config that holds the token, and token puts something else
// there.
func (s *site) tokenKey() string {
	s.Helper()
	for key, value := range s.own() {
		if value == s.Service().Token() {
			return key
		}
	}
	s.Fatal("no key of the config holds the token")
	return ""
}

func (s *site) token(text string) {
	s.Helper()
	key := s.tokenKey()
	s.stands("token key", s.service.Name+"."+key)
	s.own()[key] = text
}

// tokenSetUps are those with a token that cannot be read; the words are the same for all
// services.
func tokenSetUps() []setUp {
	ends := func(name, sentence string, spoil func(s *site)) setUp {
		sentence = "{dir}/config.toml:…: {token key}: " + sentence
		return setUp{name: name, spoil: spoil, check: []string{"FAIL  config " + sentence}, start: []string{"ERROR  " + sentence}}
	}
	const do = "; name a file that holds the secret, readable for the user that runs the plugin"
	const file = `the secret file "{dir}/token" `
	at := func(make func(path string) error) func(s *site) {
		return func(s *site) {
			s.token(s.beside("token"))
			s.must(make(s.beside("token")))
		}
	}
	return []setUp{
		ends("no token file", file+"does not exist"+do, at(func(string) error { return nil })),
		ends("an empty token file", file+"is empty"+do, at(func(path string) error { return os.WriteFile(path, []byte("\n"), 0o600) })),
		ends("a folder in place of the token", file+"is a folder, not a file"+do, at(func(path string) error { return os.Mkdir(path, 0o700) })),
		ends("a pipe in place of the token", file+"is a pipe or a device, which cannot be read again when the secret changes"+do, at(func(path string) error { return syscall.Mkfifo(path, 0o600) })),
		ends("a token from a variable that is not set", `the environment variable "NOT_SET_ANYWHERE" is not set; set it in the environment of the plugin`, func(s *site) { s.token("env:NOT_SET_ANYWHERE") }),
		{name: "a token file that ends in a newline", stays: true, spoil: func(s *site) {
			token := s.Service().Token()
			s.token(s.file("token", "\ufeff"+token+"\r\n"))
		}},
		{
			name: "a token that everybody may read", stays: true, spoil: func(s *site) {
				path := s.file("token", s.Service().Token())
				s.must(os.Chmod(path, 0o644))
				s.token(path)
			},
			check: []string{`note  config {dir}/config.toml:…: {token key}: every user of this machine can read the secret file "{dir}/token"; take the permission away with chmod o-r`},
			start: []string{`WARN   {dir}/config.toml:…: {token key}: every user of this machine can read the secret file "{dir}/token"; take the permission away with chmod o-r`},
		},
	}
}

// ownSetUps are those that the description of a service brings.
func ownSetUps(t *testing.T, name string) (rows []setUp) {
	t.Helper()
	service, err := harness.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	if service.SetUps != nil {
		for _, own := range service.SetUps() {
			rows = append(rows, ownSetUp(own))
		}
	}
	return append(rows, tokenSetUps()...)
}

func ownSetUp(own farend.SetUp) setUp {
	return setUp{
		name: own.Name, check: own.Check, start: own.Start, stays: !own.Ends, ready: own.Ready,
		spoil: func(s *site) {
			if own.Spoil != nil {
				own.Spoil(s.Service(), s.own())
			}
			if len(own.Recipients) > 0 {
				s.tells(own.Recipients...)
			}
		},
	}
}

// tells has recipients told: by the config, or where annotations of roles name them, as
// the command check is asked about them.
func (s *site) tells(recipients ...string) {
	if s.service.Annotation == "" {
		maps.Copy(s.tree, s.service.Routes(map[string][]string{"*": recipients}))
		return
	}
	for _, name := range recipients {
		s.checkArgs = append(s.checkArgs, "--recipient", name)
	}
}
