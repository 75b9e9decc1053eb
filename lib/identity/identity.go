// Package identity provides the answer to who a Teleport user is at the service that
// requests are carried to: an e-mail address, or an id of the service's own.
package identity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/message"
)

// Section is the section [identity].
type Section struct {
	Users  map[string]string `toml:"users" doc:"Teleport user to what the service knows the person by: an e-mail address, or an id of the service"`
	Trait  string            `toml:"trait" doc:"trait of Teleport users that holds what the service knows them by; the plugin's role needs user: read for it"`
	Suffix string            `toml:"suffix" doc:"what makes a Teleport user name an e-mail address, as in @example.com, where nothing else says who the user is"`
}

// Alias takes over what an older key of the config says, at most one of two that
// contradict each other; f is the collector at the section of the older key.
func Alias(f *config.Faults, key, older string, into *string) {
	switch {
	case older == "" || older == *into:
	case *into != "":
		f.Add(key, "the section [identity] says something else", "remove this key")
	default:
		*into = older
	}
}

// AliasUsers takes over the users of an older table, which is that of the section with
// the name; those of [identity.users] count before them. wrong is called for each of
// them whom the service cannot know, with the collector at the table; f is that at the
// whole config.
func (s *Section) AliasUsers(f *config.Faults, section string, older map[string]string, known func(text string) (name string, ok bool), wrong func(at *config.Faults, user string)) {
	for name, users := range map[string]map[string]string{"identity": s.Users, section: older} {
		for user, text := range users {
			if _, ok := known(text); !ok {
				wrong(f.In(name).In("users"), user)
			}
		}
	}
	users := maps.Clone(older)
	if users == nil {
		users = make(map[string]string)
	}
	maps.Copy(users, s.Users)
	s.Users = users
}

// IsSet reports whether the section says anything.
func (s Section) IsSet() bool { return len(s.Users) > 0 || s.Trait != "" || s.Suffix != "" }

// Validate checks what the section says by itself.
func (s *Section) Validate(f *config.Faults) {
	for user, name := range s.Users {
		if strings.TrimSpace(name) == "" {
			f.In("users").Add(user, "it is empty", "write what the service knows the person by, or remove the line")
		}
	}
	s.Trait, s.Suffix = strings.TrimSpace(s.Trait), strings.TrimSpace(s.Suffix)
	if s.Suffix != "" && !strings.HasPrefix(s.Suffix, "@") {
		f.Add("suffix", "it does not begin with @", `write the end of the addresses, as in "@example.com"`)
	}
}

// People finds who Teleport users are at a service. It is safe for concurrent use.
type People struct {
	Section
	// Traits reads the traits of a Teleport user; a user whom the cluster does not know
	// has none.
	Traits func(ctx context.Context, user string) (map[string][]string, error)
	// Known makes of what a source says the name by which the service knows a person;
	// false where it cannot be one.
	Known func(text string) (name string, ok bool)
	// Exact takes Teleport user names in [identity.users] only as they are written.
	// Without it one in other letter case counts where no other does.
	Exact bool
}

// The sources, as operators read them.
const (
	fromUsers  = "[identity.users]"
	fromName   = "the name itself"
	fromSuffix = "the name with the suffix"
)

// Person is what was found out about a Teleport user.
type Person struct {
	// Name is what the service knows the person by, or empty.
	Name string
	// Steps are the sources that were asked, in their order.
	Steps []Step
	// Unread is why the traits could not be read, so that it is not known who it is.
	Unread error
}

// Step is what one source says.
type Step struct {
	Source string `json:"source"`
	// Says is the value, or why there is none.
	Says  string `json:"says"`
	Found bool   `json:"found"`
}

// Why says where the name is from, or why there is none.
func (p Person) Why() string {
	var said []string
	for _, s := range p.Steps {
		if s.Found {
			return s.Source
		}
		said = append(said, s.Source+": "+s.Says)
	}
	return strings.Join(said, "; ")
}

// Find asks the sources one after the other: the table, the trait, the name of the
// user, the name with the suffix. The first that says who the person is counts; one
// that names several people ends the search, since none of them can be trusted, and so
// does one that cannot be read: what comes after it may be somebody else.
func (p People) Find(ctx context.Context, user string) (found Person) {
	for _, source := range []func(context.Context, string) (step Step, name string, err error){p.byTable, p.byTrait, p.byName, p.bySuffix} {
		step, name, err := source(ctx, user)
		if step.Source == "" {
			continue
		}
		step.Found = name != ""
		found.Steps = append(found.Steps, step)
		if err != nil && !errors.Is(err, errSeveral) {
			found.Unread = err
		}
		if err != nil {
			return found
		}
		if step.Found {
			found.Name = name
			return found
		}
	}
	return found
}

var errSeveral = errors.New("several people")

// shown is a stranger's text as operators read it.
func shown(text string) string { return strconv.Quote(message.Cut(text, 100)) }

func (p People) byTable(_ context.Context, user string) (Step, string, error) {
	if len(p.Users) == 0 {
		return Step{}, "", nil
	}
	text, ok := p.entry(user)
	if !ok {
		return Step{Source: fromUsers, Says: "has no entry for " + shown(user)}, "", nil
	}
	return p.judge(fromUsers, text)
}

// ascii reports whether a text has no letter that is another one's other case elsewhere.
func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}

// entry is the line of the table for a user.
func (p People) entry(user string) (text string, ok bool) {
	if text, ok = p.Users[user]; ok || p.Exact {
		return text, ok
	}
	var like []string
	for name := range p.Users {
		if ascii(user) && ascii(name) && strings.EqualFold(name, user) {
			like = append(like, name)
		}
	}
	if len(like) != 1 {
		return "", false
	}
	return p.Users[like[0]], true
}

// Listed is what [identity.users] says that the service knows a user by, or empty.
func (p People) Listed(user string) string {
	text, _ := p.entry(user)
	name, ok := p.Known(strings.TrimSpace(text))
	if !ok {
		return ""
	}
	return name
}

// judge asks whether the service can know somebody by a text.
func (p People) judge(source, text string) (Step, string, error) {
	name, ok := p.Known(strings.TrimSpace(text))
	if !ok {
		return Step{Source: source, Says: shown(text) + " is nothing that the service knows people by"}, "", nil
	}
	return Step{Source: source, Says: name}, name, nil
}

func (p People) byTrait(ctx context.Context, user string) (Step, string, error) {
	if p.Trait == "" || p.Traits == nil {
		return Step{}, "", nil
	}
	source := "the trait " + shown(p.Trait)
	traits, err := p.Traits(ctx, user)
	if err != nil {
		return Step{Source: source, Says: "cannot be read: " + err.Error()}, "", fmt.Errorf("reading the traits of the Teleport user %s: %w", shown(user), err)
	}
	values := slices.Compact(slices.Sorted(slices.Values(traits[p.Trait])))
	switch len(values) {
	case 0:
		return Step{Source: source, Says: "is not set for " + shown(user)}, "", nil
	case 1:
		return p.judge(source, values[0])
	}
	return Step{Source: source, Says: fmt.Sprintf("has %d values for %s", len(values), shown(user))}, "", errSeveral
}

func (p People) byName(_ context.Context, user string) (Step, string, error) {
	name, ok := p.Known(user)
	if !ok || !strings.Contains(name, "@") { // an id of the service that is a user's name is a coincidence
		return Step{Source: fromName, Says: shown(user) + " is not an e-mail address"}, "", nil
	}
	return Step{Source: fromName, Says: name}, name, nil
}

func (p People) bySuffix(_ context.Context, user string) (Step, string, error) {
	if p.Suffix == "" {
		return Step{}, "", nil
	}
	if p.Exact && user != strings.ToLower(user) { // addresses do not tell it from another user's
		return Step{Source: fromSuffix, Says: shown(user) + " has capital letters, which addresses do not keep apart; add the user to [identity.users]"}, "", nil
	}
	return p.judge(fromSuffix, user+p.Suffix)
}

// IsEmail reports whether a text is an e-mail address and nothing else.
func IsEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// ByEmail is the Known of a service that knows people by their e-mail addresses.
func ByEmail(text string) (name string, ok bool) { return text, IsEmail(text) }
