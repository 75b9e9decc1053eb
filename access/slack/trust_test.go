package slack

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
)

// Socket Mode is reached past the transport, and trusts the same authorities.
func TestSocketModeTrustsThePrivateAuthority(t *testing.T) {
	var server *httptest.Server
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "apps.connections.open") {
			fmt.Fprintf(w, `{"ok":true,"url":%q}`, strings.Replace(server.URL, "https:", "wss:", 1))
			return
		}
		if conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil); err == nil {
			_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello"}`))
			_ = conn.Close()
		}
	}))
	defer server.Close()
	transport := outbound.NewTransport(outbound.Options{})
	defer transport.CloseIdle()
	c := &Config{Slack: Section{Token: config.NewSecret("xoxb-1"), APIURL: server.URL + "/api/"}}
	c.Review.AppToken = config.NewSecret("xapp-1")
	parts, err := c.Build(plugin.Deps{Log: zap.NewNop(), Transport: transport, Note: func(string, string) {}})
	if err == nil {
		err = transport.Trust([]*x509.Certificate{server.Certificate()})
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := (&listener{service: parts.Service.(*service)}).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	<-s.ends
	s.reading.Wait()
	_ = s.ws.Close()
}
