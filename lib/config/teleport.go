package config

import (
	"fmt"
	"net"
	"strings"
	"time"
)

const (
	defaultAddr            = "localhost:3025"
	defaultRefreshInterval = Duration(time.Minute)
)

// Teleport is the section [teleport]: where the cluster is and how the plugin
// proves who it is.
type Teleport struct {
	// Addr is the host:port of an Auth Service or a Proxy Service. After Load
	// it is never empty.
	Addr string `toml:"addr" doc:"host:port of the Proxy Service (443 or 3080) or the Auth Service (3025)"`
	// AuthServer is an old name of Addr; after Load it is empty.
	AuthServer string `toml:"auth_server" deprecated:"write addr instead" doc:"old name of addr, used only where addr is not set"`
	// Identity is the path of an identity file; it excludes the three below.
	Identity string `toml:"identity" doc:"path of an identity file, as tbot or tctl auth sign write it"`
	// ClientKey is the path of a private key in PEM form.
	ClientKey string `toml:"client_key" doc:"path of the private key, when there is no identity file"`
	// ClientCrt is the path of the certificate of ClientKey.
	ClientCrt string `toml:"client_crt" doc:"path of the certificate that belongs to client_key"`
	// RootCAs is the path of the certificates of the cluster's authorities.
	RootCAs string `toml:"root_cas" doc:"path of the certificates of the cluster's authorities"`
	// RefreshIdentity tells to take up a renewed identity file without a
	// restart. After Load it is true with an identity, unless the file says
	// otherwise.
	RefreshIdentity bool `toml:"refresh_identity" default:"true with identity, else false" doc:"take up a renewed identity file without a restart"`
	// RefreshIdentityInterval is how often the identity file is looked at
	// even when the system reports no change. After Load it is positive.
	RefreshIdentityInterval Duration `toml:"refresh_identity_interval" doc:"how often to look at the identity file"`
}

// DefaultTeleport gives the section as it is when the file sets nothing.
func DefaultTeleport() Teleport {
	return Teleport{Addr: defaultAddr, RefreshIdentityInterval: defaultRefreshInterval}
}

// Validate checks that there is exactly one whole set of credentials, and
// completes the address and the refresh.
func (t *Teleport) Validate(f *Faults) {
	t.validateAddr(f)
	t.validateCredentials(f)
	t.validateRefresh(f)
	f.Guarded("identity", t.Identity, "identity file", true)
	f.Guarded("client_key", t.ClientKey, "private key", true)
	f.Guarded("client_crt", t.ClientCrt, "certificate", false)
	f.Guarded("root_cas", t.RootCAs, "file of certificate authorities", false)
}

func (t *Teleport) validateAddr(f *Faults) {
	key := "addr"
	if t.AuthServer != "" && (!f.Has("addr") || t.Addr == "") {
		t.Addr, key = t.AuthServer, "auth_server"
	}
	t.AuthServer = ""
	if t.Addr == "" {
		t.Addr = defaultAddr
	}
	if _, _, err := net.SplitHostPort(t.Addr); err != nil || strings.Contains(t.Addr, "/") {
		f.Warn(key, fmt.Sprintf("%q is not of the form host:port", t.Addr),
			"write for example teleport.example.com:443 for a Proxy Service or auth.example.com:3025 for an Auth Service")
	}
}

func (t *Teleport) validateCredentials(f *Faults) {
	given, missing := t.trio(f)
	switch {
	case len(given) > 0 && len(missing) > 0:
		do := "give all three or none"
		if f.Has("identity") {
			do = "remove what is given, since identity is set, or remove identity and give all three"
		}
		f.Add(given[0], fmt.Sprintf("%s without %s", strings.Join(given, " and "), strings.Join(missing, " and ")), do)
	case len(given) == 0 && t.Identity == "" && !f.broken("identity"):
		f.Add("", "there are no credentials for the cluster", "set identity, or client_key, client_crt and root_cas")
	}
	if t.Identity != "" && t.ClientCrt != "" {
		f.Add("identity", "identity and client_crt exclude each other", "keep identity, or keep client_key, client_crt and root_cas")
	}
}

// trio tells which of the three paths are given and which are missing.
func (t *Teleport) trio(f *Faults) (given, missing []string) {
	for _, k := range []struct{ key, value string }{
		{"client_key", t.ClientKey}, {"client_crt", t.ClientCrt}, {"root_cas", t.RootCAs},
	} {
		// A value of the wrong type has its fault already; it counts as given.
		if k.value != "" || f.broken(k.key) {
			given = append(given, k.key)
		} else {
			missing = append(missing, k.key)
		}
	}
	return given, missing
}

func (t *Teleport) validateRefresh(f *Faults) {
	switch {
	case !f.Has("refresh_identity"):
		t.RefreshIdentity = t.Identity != ""
	case t.RefreshIdentity && t.Identity == "":
		f.Add("refresh_identity", "there is no identity to refresh", "set identity, or remove refresh_identity")
	}
	switch {
	case t.RefreshIdentityInterval < 0:
		f.Add("refresh_identity_interval", "the interval is negative", `write a positive duration, as in "1m"`)
	case t.RefreshIdentityInterval == 0:
		t.RefreshIdentityInterval = defaultRefreshInterval
	}
}
