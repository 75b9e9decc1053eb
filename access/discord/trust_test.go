package discord

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"

	"teleport-plugins/lib/identity"
	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/plugin"
)

// The gateway is reached past the transport, and trusts the same authorities.
func TestTheGatewayTrustsThePrivateAuthority(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil); err == nil {
			_ = conn.Close()
		}
	}))
	defer server.Close()
	transport := outbound.NewTransport(outbound.Options{})
	if err := transport.Trust([]*x509.Certificate{server.Certificate()}); err != nil {
		t.Fatal(err)
	}
	s := newService(Section{APIURL: defaultAPI}, &identity.People{Known: known}, plugin.Deps{Log: zap.NewNop(), Transport: transport})
	c, err := s.open(t.Context(), strings.Replace(server.URL, "https:", "wss:", 1))
	if err != nil {
		t.Fatal(err)
	}
	<-c.read
	_ = c.conn.Close()
}
