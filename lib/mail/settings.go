package mail

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/mail"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/identity"
)

// The ports of RFC 8314, and the values of starttls_policy and auth.
const (
	submission  = 587
	submissions = 465

	mandatory     = "mandatory"
	opportunistic = "opportunistic"
	disabled      = "disabled"

	authAny     = ""
	authPlain   = "plain"
	authLogin   = "login"
	authCRAMMD5 = "cram-md5"
	authXOAuth2 = "xoauth2"
	authNone    = "none"
)

// Settings are the sections of the config that say whose mails are carried, and how.
type Settings struct {
	SMTP    SMTP    `toml:"smtp"`
	Mailgun Mailgun `toml:"mailgun"`
	Sender  Sender  `toml:"delivery"`
}

// DefaultSettings gives the sections as they are when the file sets nothing.
func DefaultSettings() Settings {
	return Settings{SMTP: SMTP{Port: submission, Policy: mandatory}, Mailgun: Mailgun{Region: "us"}}
}

// Validate makes sure that there is one way for mails.
func (s *Settings) Validate(f *config.Faults) {
	switch {
	case !f.Has("smtp") && !f.Has("mailgun"):
		f.Add("smtp", "there is neither the section [smtp] nor [mailgun]", `add one of them, as in [smtp] with host = "smtp.example.com"`)
	case f.Has("smtp") && f.Has("mailgun"):
		f.Warn("mailgun", "it has no effect beside [smtp]", "remove one of the two sections")
	}
}

// Sender is what the section [delivery] says of whose mails they are.
type Sender struct {
	Address string `toml:"sender" doc:"address that mails come from, as in teleport@example.com or \"Teleport <teleport@example.com>\""`
	ReplyTo string `toml:"reply_to" doc:"address that answers go to, where it is not the sender's"`
}

// Validate checks the addresses.
func (s *Sender) Validate(f *config.Faults) {
	if s.Address == "" {
		f.Add("sender", "there is no sender", write)
	}
	for _, own := range []struct{ key, text string }{{"sender", s.Address}, {"reply_to", s.ReplyTo}} {
		if _, err := address(own.text); own.text != "" && err != nil {
			f.Add(own.key, err.Error(), writeInstead(own.text))
		}
	}
}

// write is what to do where there is no address.
const write = `write for example "teleport@example.com"`

// writeInstead is what to do about a text that is not one: most often it has a name that
// ends before the address does.
func writeInstead(text string) string {
	if name, _, named := strings.Cut(text, "<"); named && strings.ContainsAny(name, `,;:()[]@\`) {
		return `put the name in quotes, as in '"Teleport, Inc." <teleport@example.com>'`
	}
	return write
}

// address reads an address, which may have a display name.
func address(text string) (*mail.Address, error) {
	a, err := mail.ParseAddress(text)
	if err != nil || !identity.IsEmail(a.Address) {
		return nil, fmt.Errorf("%q is not one e-mail address", text)
	}
	a.Address = wire(a.Address)
	return a, nil
}

// wire is an address as it goes over the wire: with a domain in ASCII (RFC 5890), which
// every server takes.
func wire(address string) string {
	local, domain := address[:strings.LastIndexByte(address, '@')+1], address[strings.LastIndexByte(address, '@')+1:]
	if ascii, err := idna.Lookup.ToASCII(domain); err == nil && !isASCII(domain) {
		return local + ascii
	}
	return address
}

// isASCII reports whether a text goes to servers of every kind.
func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > '~' })
}

// domainOf is what stands behind the @ of an address that goes over the wire.
func domainOf(a *mail.Address) string {
	return a.Address[strings.LastIndexByte(a.Address, '@')+1:]
}

// SMTP is the section [smtp].
type SMTP struct {
	Host       string             `toml:"host" doc:"name of the mail server"`
	Port       int                `toml:"port" doc:"its port; 465 stands for TLS from the first byte"`
	Username   string             `toml:"username" doc:"user to log in as; without one there is no login"`
	Password   config.Secret      `toml:"password" doc:"password: the password itself, the path of a file that holds it, or env:NAME"`
	Policy     string             `toml:"starttls_policy" doc:"\"mandatory\", \"opportunistic\" (mails may go out in clear) or \"disabled\""`
	Implicit   bool               `toml:"implicit_tls" doc:"TLS from the first byte, at any port"`
	Auth       string             `toml:"auth" doc:"way to log in: \"plain\", \"login\", \"cram-md5\", \"xoauth2\" or \"none\"; by default what the server offers"`
	Helo       string             `toml:"helo" doc:"name by which the plugin greets the server; by default this machine's, if it has a domain, or else the domain of the sender"`
	CAFile     config.Authorities `toml:"ca_file" doc:"path of a file with certificate authorities to trust beside the system's, in PEM form"`
	ClientCert string             `toml:"client_cert" doc:"path of a certificate by which the server knows the plugin, in PEM form"`
	ClientKey  string             `toml:"client_key" doc:"path of its key"`
	OAuth      OAuth              `toml:"oauth"`
}

// OAuth is the section [smtp.oauth].
type OAuth struct {
	TokenURL     string        `toml:"token_url" doc:"address at which access tokens are given out"`
	ClientID     string        `toml:"client_id" doc:"id of the application"`
	ClientSecret config.Secret `toml:"client_secret" doc:"its secret: the secret itself, the path of a file that holds it, or env:NAME"`
	RefreshToken config.Secret `toml:"refresh_token" doc:"refresh token of the mailbox, where the application has no rights of its own"`
	Scope        string        `toml:"scope" doc:"scope to ask for"`
}

// Validate checks the section, if the file has it.
func (s *SMTP) Validate(f *config.Faults) {
	if !f.Has("") {
		return
	}
	if _, _, err := net.SplitHostPort(s.Host); err == nil {
		f.Add("host", "the host has a port", "write the port as the key port")
	} else if s.Host == "" || strings.ContainsAny(s.Host, "/@[] \t\r\n") {
		f.Add("host", "this is not the name of a server", `write for example "smtp.example.com"`)
	}
	if s.Port < 1 || s.Port > 65535 {
		f.Add("port", "this is not a port", "write 587, or 465 for TLS from the first byte")
	}
	if !slices.Contains([]string{mandatory, opportunistic, disabled}, s.Policy) {
		f.Add("starttls_policy", "this policy is unknown", `write "mandatory", "opportunistic" or "disabled"`)
	}
	if s.Policy != mandatory && !s.implicit() && s.Username != "" {
		f.Warn("starttls_policy", "mails may go out in clear, and then without a login that shows the password", `write "mandatory"`)
	}
	if strings.ContainsAny(s.Helo, " \t\r\n") {
		f.Add("helo", "this is not the name of a machine", `write for example "plugins.example.com"`)
	}
	s.validateLogin(f)
	s.validateCertificate(f)
}

func (s *SMTP) validateLogin(f *config.Faults) {
	tokens := f.Has("oauth")
	switch s.Auth = strings.ToLower(s.Auth); s.Auth {
	case authXOAuth2:
		tokens = false
		s.validateOAuth(f)
	case authNone:
	case authAny, authPlain, authLogin, authCRAMMD5:
		s.validatePassword(f, tokens)
	default:
		f.Add("auth", "this way to log in is unknown", `write "plain", "login", "cram-md5", "xoauth2" or "none"`)
	}
	if tokens && (s.Password.IsSet() || s.Auth == authNone) {
		f.Warn("oauth", `it has no effect without auth = "xoauth2"`, "write that, or remove the section")
	}
}

func (s *SMTP) validatePassword(f *config.Faults, tokens bool) {
	switch missing := s.Username != "" && !s.Password.IsSet(); {
	case missing && tokens:
		f.Add("auth", "there is [smtp.oauth] in the place of a password", `write auth = "xoauth2"`)
	case missing:
		f.Add("password", "there is no password", `set the password of the user, or write auth = "none"`)
	case s.Username == "" && (s.Password.IsSet() || s.Auth != authAny):
		f.Add("username", "there is no user", `set the user to log in as, or write auth = "none"`)
	}
}

func (s *SMTP) validateOAuth(f *config.Faults) {
	if s.Username == "" {
		f.Add("username", "there is no user", "set the address of the mailbox that mails are sent from")
	}
	o := f.In("oauth")
	o.WebAddress("token_url", s.OAuth.TokenURL, "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token")
	if s.OAuth.ClientID == "" {
		o.Add("client_id", "there is no client id", "set the id of the application that is registered for the plugin")
	}
	if !s.OAuth.ClientSecret.IsSet() {
		o.Add("client_secret", "there is no client secret", "set the secret of the application")
	}
}

func (s *SMTP) validateCertificate(f *config.Faults) {
	switch {
	case s.ClientCert == "" && s.ClientKey == "":
	case s.ClientCert == "":
		f.Add("client_cert", "there is a key without a certificate", "name the file of the certificate")
	case s.ClientKey == "":
		f.Add("client_key", "there is a certificate without a key", "name the file of the key")
	default:
		if _, err := tls.LoadX509KeyPair(s.ClientCert, s.ClientKey); err != nil {
			f.Add("client_cert", "the certificate and its key cannot be used: "+err.Error(), "name files in PEM form that belong together and that the plugin can read")
		}
	}
}

// implicit reports whether there is TLS from the first byte.
func (s *SMTP) implicit() bool { return s.Implicit || s.Port == submissions }

// The addresses of Mailgun's API by region
// (https://documentation.mailgun.com/docs/mailgun/api-reference/api-overview).
const (
	apiUS = "https://api.mailgun.net"
	apiEU = "https://api.eu.mailgun.net"
)

// Mailgun is the section [mailgun].
type Mailgun struct {
	Domain     string             `toml:"domain" doc:"domain that is registered with Mailgun"`
	PrivateKey config.Secret      `toml:"private_key" doc:"API key or sending key: the key itself, the path of a file that holds it, or env:NAME"`
	Region     string             `toml:"region" doc:"region of the domain, \"us\" or \"eu\""`
	APIBase    string             `toml:"api_base" doc:"address of the API, where it is not that of the region"`
	CAFile     config.Authorities `toml:"ca_file" doc:"path of a file with certificate authorities to trust beside the system's, in PEM form"`
}

// Validate checks the section, if the file has it. APIBase is set after that.
func (m *Mailgun) Validate(f *config.Faults) {
	if !f.Has("") {
		return
	}
	if m.Domain == "" || strings.ContainsAny(m.Domain, "/@?# \t\r\n") {
		f.Add("domain", "this is not a domain", `write for example "mg.example.com"`)
	}
	if !m.PrivateKey.IsSet() {
		f.Add("private_key", "there is no key", "set the API key or sending key that Mailgun shows for the domain")
	}
	switch strings.ToLower(m.Region) {
	case "us":
	case "eu":
		if m.APIBase == "" {
			m.APIBase = apiEU
		}
	default:
		f.Add("region", "this region is unknown", `write "us" or "eu"`)
	}
	if m.APIBase == "" {
		m.APIBase = apiUS
	}
	f.WebAddress("api_base", m.APIBase, apiUS)
	m.APIBase = strings.TrimSuffix(strings.TrimSuffix(m.APIBase, "/"), "/v3")
}
