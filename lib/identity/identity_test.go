package identity_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/identity"
)

// chat knows people by their e-mail addresses and by ids that begin with U.
func chat(text string) (string, bool) {
	return text, identity.IsEmail(text) || strings.HasPrefix(text, "U")
}

func TestWhoAUserIs(t *testing.T) {
	table := map[string]string{"ann": "UANN", "Bob": "UBOB", "eve": "UEVE", "EVE": "UEVE2", "bad": "#general", "blank": " UBLANK "}
	traits := map[string][]string{"chat": {"UTRAIT"}, "two": {"U1", "U2"}, "same": {"U1", "U1"}, "odd": {"nobody"}}
	for name, c := range map[string]struct {
		user   string
		who    identity.Section
		exact  bool
		denied error
		want   string
		why    string
	}{
		"the table":                       {user: "ann", who: identity.Section{Users: table, Trait: "chat"}, want: "UANN", why: "[identity.users]"},
		"the table, in another case":      {user: "bob", who: identity.Section{Users: table}, want: "UBOB", why: "[identity.users]"},
		"no other case where exact":       {user: "bob", who: identity.Section{Users: table}, exact: true, why: `[identity.users]: has no entry for "bob"; the name itself: "bob" is not an e-mail address`},
		"two in other cases are none":     {user: "Eve", who: identity.Section{Users: table}, why: `[identity.users]: has no entry for "Eve"; the name itself: "Eve" is not an e-mail address`},
		"the very name before other case": {user: "EVE", who: identity.Section{Users: table}, want: "UEVE2", why: "[identity.users]"},
		"an entry that is no person":      {user: "bad", who: identity.Section{Users: table, Trait: "chat"}, want: "UTRAIT", why: `the trait "chat"`},
		"blanks around an entry":          {user: "blank", who: identity.Section{Users: table}, want: "UBLANK", why: "[identity.users]"},
		"the trait before the name":       {user: "a@example.org", who: identity.Section{Trait: "chat"}, want: "UTRAIT", why: `the trait "chat"`},
		"a value that is there twice":     {user: "ann", who: identity.Section{Trait: "same"}, want: "U1", why: `the trait "same"`},
		"several values are nobody":       {user: "a@example.org", who: identity.Section{Trait: "two"}, why: `the trait "two": has 2 values for "a@example.org"`},
		"a trait that is no person":       {user: "a@example.org", who: identity.Section{Trait: "odd"}, want: "a@example.org", why: "the name itself"},
		"a trait that is not set":         {user: "a@example.org", who: identity.Section{Trait: "none"}, want: "a@example.org", why: "the name itself"},
		"a trait that cannot be read":     {user: "a@example.org", who: identity.Section{Trait: "chat"}, denied: errors.New("denied"), why: `the trait "chat": cannot be read: denied`},
		"the name":                        {user: "a@example.org", want: "a@example.org", why: "the name itself"},
		"a name that looks like an id":    {user: "UANN", why: `the name itself: "UANN" is not an e-mail address`},
		"the suffix":                      {user: "ann", who: identity.Section{Suffix: "@example.org"}, want: "ann@example.org", why: "the name with the suffix"},
		"an address gets no suffix":       {user: "a@b.org", who: identity.Section{Suffix: "@example.org"}, want: "a@b.org", why: "the name itself"},
		"a suffix that makes no address":  {user: "a b", who: identity.Section{Suffix: "@example.org"}, why: `the name itself: "a b" is not an e-mail address; the name with the suffix: "a b@example.org" is nothing that the service knows people by`},
		"capitals and a suffix, exactly":  {user: "Ann", who: identity.Section{Suffix: "@example.org"}, exact: true, why: `the name itself: "Ann" is not an e-mail address; the name with the suffix: "Ann" has capital letters, which addresses do not keep apart; add the user to [identity.users]`},
		"capitals and a suffix":           {user: "Ann", who: identity.Section{Suffix: "@example.org"}, want: "Ann@example.org", why: "the name with the suffix"},
		"a letter that looks the same":    {user: "\u212Aim", who: identity.Section{Users: map[string]string{"kim": "UKIM"}}, why: "[identity.users]: has no entry for \"\u212Aim\"; the name itself: \"\u212Aim\" is not an e-mail address"},
		"nobody":                          {user: "", why: `the name itself: "" is not an e-mail address`},
	} {
		t.Run(name, func(t *testing.T) {
			p := identity.People{Section: c.who, Known: chat, Exact: c.exact, Traits: func(context.Context, string) (map[string][]string, error) {
				return traits, c.denied
			}}
			got := p.Find(t.Context(), c.user)
			if got.Name != c.want || got.Why() != c.why {
				t.Errorf("got %q (%s), want %q (%s)", got.Name, got.Why(), c.want, c.why)
			}
			if (got.Unread != nil) != (c.denied != nil) || c.denied != nil && !errors.Is(got.Unread, c.denied) {
				t.Errorf("unread: %v", got.Unread)
			}
		})
	}
}

func TestAStrangersNameIsCutAndQuoted(t *testing.T) {
	got := identity.People{Known: chat}.Find(t.Context(), strings.Repeat("x", 5000)+"\n")
	if why := got.Why(); len(why) > 200 || strings.Contains(why, "\n") {
		t.Errorf("%d characters: %q", len(why), why)
	}
}

// settings is a config with the section and an older table and key.
type settings struct {
	Identity identity.Section `toml:"identity"`
	Old      struct {
		Users  map[string]string `toml:"users"`
		Suffix string            `toml:"suffix"`
	} `toml:"old"`
}

func (s *settings) Validate(f *config.Faults) {
	identity.Alias(f.In("old"), "suffix", s.Old.Suffix, &s.Identity.Suffix)
	s.Identity.AliasUsers(f, "old", s.Old.Users, chat, func(*config.Faults, string) {})
}

func TestOlderKeysAreAliases(t *testing.T) {
	for text, want := range map[string]string{
		"[old]\nsuffix = \"@a.org\"":                                             "@a.org",
		"[identity]\nsuffix = \"@a.org\"\n[old]\nsuffix = \"@a.org\"":            "@a.org",
		"[identity]\nsuffix = \"@a.org\"\n[old]\nsuffix = \"@b.org\"":            "c.toml:4: old.suffix: the section [identity] says something else; remove this key",
		"[identity]\nsuffix = \"a.org\"":                                         "c.toml:2: identity.suffix: it does not begin with @; write the end of the addresses, as in \"@example.com\"",
		"[identity.users]\nann = \" \"":                                          "c.toml:2: identity.users.ann: it is empty; write what the service knows the person by, or remove the line",
		"[identity.users]\nann = \"new\"\n[old.users]\nann = \"x\"\nbob = \"b\"": "",
	} {
		path := filepath.Join(t.TempDir(), "c.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var s settings
		_, err := config.Load(path, &s)
		got := s.Identity.Suffix
		if err != nil {
			got = strings.TrimSpace(strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", ""))
		}
		if got != want && !strings.HasSuffix(got, want) {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
		if len(s.Identity.Users) > 1 && (s.Identity.Users["ann"] != "new" || s.Identity.Users["bob"] != "b") {
			t.Errorf("%q gives the users %v", text, s.Identity.Users)
		}
	}
}

func TestIsEmail(t *testing.T) {
	for s, want := range map[string]bool{
		"a@example.org": true, "a.b+c@sub.example.org": true, "ä@example.org": true,
		"": false, "a": false, "a@": false, "@example.org": false, "<a@example.org>": false, "A <a@example.org>": false,
		"a@example.org,b@example.org": false, " a@example.org": false, "#general": false, "C012345678": false,
	} {
		if got := identity.IsEmail(s); got != want {
			t.Errorf("IsEmail(%q) = %v", s, got)
		}
	}
}
