package config

import (
	"net/netip"
	"net/url"
	"strings"
)

// WebAddress checks the base address of a service's API. standard is the address
// that the service itself has, for the advice.
func (f *Faults) WebAddress(key, text, standard string) {
	u, plain := f.Web(key, text, standard)
	if u == nil {
		return
	}
	if own, _ := url.Parse(standard); own != nil && strings.EqualFold(u.Hostname(), own.Hostname()) &&
		!strings.HasPrefix(strings.TrimSuffix(u.Path, "/")+"/", strings.TrimSuffix(own.Path, "/")+"/") {
		f.Add(key, "this leads to the service's web site and not to its API", "write "+standard)
	}
	if plain {
		f.Warn(key, "http:// shows the credentials and every message to all who are on the way", "write https://")
	}
}

// Web reads a web address; nil stands for one that is a fault. plain says that all who
// are on the way can read what is sent there.
func (f *Faults) Web(key, text, example string) (u *url.URL, plain bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		f.Add(key, "this is not a web address", "write for example "+example)
		return nil, false
	}
	return u, u.Scheme == "http" && !loopback(u.Hostname())
}

// loopback tells whether a host is this machine.
func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && address.Unmap().IsLoopback()
}
