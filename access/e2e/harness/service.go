package harness

import (
	"fmt"
	"slices"

	"teleport-plugins/access/services"
	"teleport-plugins/lib/sandbox/farend"
)

// Services are the names of those that there are plugins for.
func Services() (names []string) {
	for _, s := range services.All() {
		names = append(names, s.Name)
	}
	return names
}

// Find finds a service by its name.
func Find(name string) (farend.Service, error) {
	all := services.All()
	i := slices.IndexFunc(all, func(s farend.Service) bool { return s.Name == name })
	if i < 0 {
		return farend.Service{}, fmt.Errorf("the harness knows no service %q", name)
	}
	return all[i], nil
}

// Channels are three conversations (or services) that are there for everybody, as
// the config names them; none for a service that is not known.
func Channels(service string) []string {
	s, err := Find(service)
	if err != nil {
		return nil
	}
	return s.Simulate(farend.Options{}).Places()[:3]
}

// Presses reports whether people can press buttons at a service.
func Presses(service string) bool {
	s, err := Find(service)
	return err == nil && s.Presses()
}

// Decides reports whether the places of a service may decide about requests.
func Decides(service string) bool {
	s, err := Find(service)
	return err == nil && s.Decides()
}

// Blind takes from the plugin the right to look up what it has posted. It reports
// false where a service gives that right to everyone.
func (o *Options) Blind() bool {
	s, err := Find(o.Service)
	o.FarEnd.Blind = err == nil && s.CanBlind
	return o.FarEnd.Blind
}

// KeepNoCalls keeps no log of the calls of the service, which are only counted.
func (o *Options) KeepNoCalls() { o.FarEnd.KeepCalls = -1 }

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
