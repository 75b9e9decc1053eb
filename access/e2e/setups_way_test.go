package e2e_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"time"

	"teleport-plugins/lib/sandbox/fault"
	"teleport-plugins/lib/teleport"
)

// closed is a port of this machine that no program is given by chance.
const closed = "127.0.0.1:1"

// page answers everything with a page for people.
func page(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html><body>Welcome to our portal.</body></html>")
	}
}

// serve serves until the test ends, and has a word stand for the address.
func (s *site) serve(word string, h http.Handler, secure bool) (addr string) {
	s.Helper()
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = secure
	server.Config.ErrorLog = quiet()
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	s.Cleanup(server.Close)
	addr = server.Listener.Addr().String()
	s.stands(word, addr)
	return addr
}

// silent is the address of a program that takes connections and says nothing.
func (s *site) silent() string {
	s.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	s.Cleanup(func() { _ = l.Close() })
	s.stands("silent", l.Addr().String())
	return l.Addr().String()
}

// proxied leads the way to the cluster through a proxy, which gives this answer.
func (s *site) proxied(host string) {
	s.teleport()["addr"] = host
	s.env = append(s.env, "HTTPS_PROXY=http://"+s.stand["proxy"])
}

// waySetUps are those in which something else than the cluster answers, or nothing.
func waySetUps() []setUp {
	// lost is a row in which both commands say the same of the connection.
	lost := func(name, addr, sentence string, spoil func(s *site)) setUp {
		return setUp{
			name: name, spoil: spoil, stays: true,
			check: []string{"FAIL  connection to Teleport at " + addr + ": " + sentence},
			start: []string{"ERROR  Not connected to Teleport: " + sentence + ` condition:"connected to Teleport"`},
			ready: "failed connected to Teleport: " + sentence,
		}
	}
	to := func(addr string) func(s *site) { return func(s *site) { s.teleport()["addr"] = addr } }
	const far = "cluster.invalid:443"
	return []setUp{
		lost("a cluster whose port is closed", closed, "the Teleport cluster at "+closed+" is unreachable: connection refused", to(closed)),
		lost("a cluster whose name nobody knows", far, "the Teleport cluster at "+far+" is unreachable: no address is known for host cluster.invalid", to(far)),
		{
			name: "a cluster that is silent", spoil: func(s *site) {
				s.teleport()["addr"] = s.silent()
				s.checkArgs = []string{"--timeout=2s"}
			},
			stays: true, waits: teleport.DefaultDialTimeout,
			check: []string{"FAIL  connection to Teleport at {silent}: no answer within 2s"},
			start: []string{`ERROR  Not connected to Teleport: the Teleport cluster at {silent} did not answer within 10s condition:"connected to Teleport"`},
			ready: "failed connected to Teleport: the Teleport cluster at {silent} did not answer within 10s",
		},
		lost("a web server in place of the cluster", "{web}", "{web} does not answer as a Teleport Auth Service or Proxy does: it speaks plain HTTP, without TLS", func(s *site) {
			s.teleport()["addr"] = s.serve("web", page(200), false)
		}),
		lost("a web page over TLS in place of the cluster", "{web}", "{web} does not answer as a Teleport Auth Service or Proxy does: it is another server", func(s *site) {
			s.teleport()["addr"] = s.serve("web", page(200), true)
		}),
		lost("the service in place of the cluster", "{api host}", "{api host} does not answer as a Teleport Auth Service or Proxy does: it speaks plain HTTP, without TLS", func(s *site) {
			s.teleport()["addr"] = s.stand["api host"]
		}),
		lost("a proxy to the cluster that is not there", far, "the proxy at "+closed+", which HTTPS_PROXY names, is unreachable: connection refused", func(s *site) {
			s.stands("proxy", closed)
			s.proxied(far)
		}),
		lost("a proxy to the cluster that wants a password", far, "the proxy at {proxy}, which HTTPS_PROXY names, does not connect to the Teleport cluster at "+far+" (407 Proxy Authentication Required); write its user and password into the variable, as in http://user:password@{proxy}", func(s *site) {
			s.serve("proxy", page(http.StatusProxyAuthRequired), false)
			s.proxied(far)
		}),
		lost("a proxy that does not let the cluster through", far, "the proxy at {proxy}, which HTTPS_PROXY names, does not connect to the Teleport cluster at "+far+" (403 Forbidden); let it connect there, or name the host in NO_PROXY", func(s *site) {
			s.serve("proxy", page(http.StatusForbidden), false)
			s.proxied(far)
		}),
		lost("a proxy to the cluster that shows a page", far, far+" (through the proxy at {proxy}) does not answer as a Teleport Auth Service or Proxy does: it does not speak TLS", func(s *site) {
			s.serve("proxy", page(http.StatusOK), false)
			s.proxied(far)
		}),
		{
			name: "a cluster without a port", spoil: to("cluster.invalid"),
			check: []string{
				`note  config {dir}/config.toml:…: teleport.addr: "cluster.invalid" is not of the form host:port; write for example teleport.example.com:443 for a Proxy Service or auth.example.com:3025 for an Auth Service`,
				`FAIL  connection to Teleport at cluster.invalid: the Teleport address "cluster.invalid" is not host:port (an Auth Service listens on port 3025, a Proxy on 443 or 3080)`,
			},
			start: []string{
				`WARN   {dir}/config.toml:…: teleport.addr: "cluster.invalid" is not of the form host:port; write for example teleport.example.com:443 for a Proxy Service or auth.example.com:3025 for an Auth Service`,
				`ERROR  the Teleport address "cluster.invalid" is not host:port (an Auth Service listens on port 3025, a Proxy on 443 or 3080)`,
			},
		},
		{
			name: "a proxy that is not an address", spoil: func(s *site) { s.env = []string{"HTTPS_PROXY=://nonsense"} }, stays: true,
			check: []string{"note  config environment: HTTPS_PROXY: this is not the address of a proxy, so that calls fail or go past it; write for example http://proxy.example.com:3128, or remove the variable"},
			start: []string{"WARN   environment: HTTPS_PROXY: this is not the address of a proxy, so that calls fail or go past it; write for example http://proxy.example.com:3128, or remove the variable"},
		},
	}
}

// serviceSetUps are those in which something else than the service answers, or nothing.
// The words are the same for all services.
func serviceSetUps() []setUp {
	// lost is a row in which both commands say the same of the service.
	lost := func(name, sentence string, spoil func(s *site)) setUp {
		return setUp{
			name: name, spoil: spoil, stays: true,
			check: []string{"FAIL  {title} credentials: " + sentence},
			start: []string{"ERROR  Not accepted by the service: it did not answer the last check: " + sentence + ` condition:"accepted by the service"`},
			ready: "failed accepted by the service: it did not answer the last check: " + sentence,
		}
	}
	gateway := func(status int) func(s *site) {
		return func(s *site) {
			s.Service().Faults().Add(fault.Fault{Effect: fault.Gateway, HTTPStatus: status})
		}
	}
	return []setUp{
		lost("a service that is not there", "…: nothing listens at "+closed+" (connection refused)", func(s *site) { s.leads("http://" + closed) }),
		lost("a service whose name nobody knows", "…: no address is known for the host service.invalid", func(s *site) { s.leads("https://service.invalid") }),
		lost("http for https", "…: the answer is not … (HTTP status 400); write https:// in place of http:// in the config if the server speaks TLS", func(s *site) {
			s.leads("http://" + s.serve("web", page(200), true))
		}),
		lost("https for http", "…: the server does not speak TLS; write http:// in place of https:// in the config if that is right, or the address of a server that does", func(s *site) {
			s.leads("https://" + s.stand["api host"])
		}),
		lost("a service with a private authority", "…: the server's certificate is signed by an authority that is not known here; name the file with the certificates of the authority in the key ca_file of the service's section (or in SSL_CERT_FILE or SSL_CERT_DIR)", func(s *site) {
			s.leads("https://" + s.serve("web", page(200), true))
		}),
		lost("a gateway that fails", "…: the answer is not … (HTTP status 502); …", gateway(502)),
		lost("a gateway that forbids", "…: the answer is not … (HTTP status 403); …", gateway(403)),
		lost("a proxy to the service that is not there", "…: the proxy that the environment names cannot be reached: nothing listens at "+closed+" (connection refused); correct or remove HTTPS_PROXY and HTTP_PROXY, or name the host in NO_PROXY", func(s *site) {
			s.leads("https://service.invalid")
			s.env = []string{"HTTPS_PROXY=http://" + closed, "NO_PROXY=127.0.0.1"}
		}),
		lost("a proxy to the service that wants a password", "…: the proxy at {proxy}, which the environment names, does not connect to the service (407 Proxy Authentication Required); write the user and the password of the proxy into HTTPS_PROXY or HTTP_PROXY, as in user:password@proxy.example.com:3128", func(s *site) {
			s.leads("https://service.invalid")
			s.env = []string{"HTTPS_PROXY=http://" + s.serve("proxy", page(http.StatusProxyAuthRequired), false)}
		}),
		{
			name: "a proxy in plain HTTP that wants a password", spoil: func(s *site) {
				s.leads("http://service.invalid")
				s.env = []string{"HTTP_PROXY=http://" + s.serve("proxy", page(http.StatusProxyAuthRequired), false)}
			},
			stays: true,
			check: []string{"note  config {dir}/config.toml:…: {api key}: " + plain, "FAIL  {title} credentials: " + wantsPassword},
			start: []string{
				"WARN   {dir}/config.toml:…: {api key}: " + plain,
				"ERROR  Not accepted by the service: it did not answer the last check: " + wantsPassword + ` condition:"accepted by the service"`,
			},
			ready: "failed accepted by the service: it did not answer the last check: " + wantsPassword,
		},
		lost("a proxy to the service that shows a page", "…: the server does not speak TLS; write http:// in place of https:// in the config if that is right, or the address of a server that does", func(s *site) {
			s.leads("https://service.invalid")
			s.env = []string{"HTTPS_PROXY=http://" + s.serve("proxy", page(http.StatusOK), false)}
		}),
		lost("a page in place of the service", "…: the answer is not …; …", func(s *site) { s.leads("http://" + s.serve("web", page(200), false)) }),
		{
			name: "a service that hangs", spoil: func(s *site) {
				s.Service().Faults().Add(fault.Fault{Effect: fault.Hang})
				s.tree["delivery"] = map[string]any{"call_timeout": "2s"}
			},
			stays: true, waits: 2 * time.Second,
			check: []string{"FAIL  {title} credentials: …: no answer within 2s"},
			start: []string{`ERROR  Not accepted by the service: it did not answer the last check: …: no answer within 2s condition:"accepted by the service"`},
			ready: "failed accepted by the service: it did not answer the last check: …: no answer within 2s",
		},
		{
			name: "a pipe in place of the authorities of the service", spoil: func(s *site) {
				s.own()["ca_file"] = s.beside("ca.pem")
				s.must(syscall.Mkfifo(s.beside("ca.pem"), 0o600))
			},
			check: []string{"FAIL  config {dir}/config.toml:…: {name}.ca_file: " + pipe},
			start: []string{"ERROR  {dir}/config.toml:…: {name}.ca_file: " + pipe},
		},
		{
			name: "authorities of the service that are none", spoil: func(s *site) { s.own()["ca_file"] = s.file("ca.pem", "nothing") },
			check: []string{`FAIL  config {dir}/config.toml:…: {name}.ca_file: the file "{dir}/ca.pem" holds no certificates in PEM form; name a file with the certificates of the authorities in PEM form, readable for the user that runs the plugin`},
			start: []string{`ERROR  {dir}/config.toml:…: {name}.ca_file: the file "{dir}/ca.pem" holds no certificates in PEM form; name a file with the certificates of the authorities in PEM form, readable for the user that runs the plugin`},
		},
	}
}

const pipe = `the file "{dir}/ca.pem" is a pipe, and nobody writes into it; name a file with the certificates of the authorities in PEM form, readable for the user that runs the plugin`

// What is said of a proxy on the way in plain HTTP.
const (
	plain         = "http:// shows the credentials and every message to all who are on the way; write https://"
	wantsPassword = "…: the answer is not … (HTTP status 407); write the user and the password of the proxy into HTTPS_PROXY or HTTP_PROXY, as in user:password@proxy.example.com:3128"
)

// leads has the config lead to another address than that of the service.
func (s *site) leads(address string) {
	s.Helper()
	for key, value := range s.own() {
		if value == s.stand["api"] {
			s.own()[key] = address
			s.stands("api key", s.service.Name+"."+key)
			return
		}
	}
	s.Fatal("no key of the config leads to the service")
}
