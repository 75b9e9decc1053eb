package teleport

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/gravitational/teleport/api/client"
	apiutils "github.com/gravitational/teleport/api/utils"
)

// reach makes a TCP connection to the cluster in the way of the client library: through
// the proxy that the environment names, if there is one. It returns neither a
// connection nor an error if it was called off.
func (o DialOptions) reach(ctx context.Context) (net.Conn, error) {
	proxy := apiutils.GetProxyURL(o.Addr)
	if proxy == nil {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", o.Addr)
		if err != nil {
			return nil, unreachable(o, err)
		}
		return conn, nil
	}
	conn, err := client.DialProxy(ctx, proxy, o.Addr)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, unreachable(o.told(), ctx.Err())
	}
	return nil, proxyFault(o, proxy, err)
}

// proxyFault says what is wrong with a proxy. The client library says in a text alone
// what the proxy answered.
func proxyFault(o DialOptions, proxy *url.URL, err error) error {
	_, answer, answered := strings.Cut(err.Error(), "unable to proxy connection: ")
	if !answered {
		var network net.Error
		if errors.As(err, &network) {
			return newFault(ErrUnreachable, err, "the proxy at %s, which HTTPS_PROXY names, is unreachable: %s", proxy.Host, whyNoConnection(err))
		}
		return newFault(ErrUnreachable, err, "what answers at %s, which HTTPS_PROXY names, is not a proxy", proxy.Host)
	}
	hint := "let it connect there, or name the host in NO_PROXY"
	if strings.HasPrefix(answer, "407") {
		hint = "write its user and password into the variable, as in http://user:password@" + proxy.Host
	}
	return newFault(ErrUnreachable, err, "the proxy at %s, which HTTPS_PROXY names, does not connect to the Teleport cluster at %s (%s); %s", proxy.Host, o.Addr, answer, hint)
}

// addr is the address without what told has added.
func (o DialOptions) addr() string {
	addr, _, _ := strings.Cut(o.Addr, " ")
	return addr
}

// told are the options with the address as sentences have it: with the proxy on the way.
func (o DialOptions) told() DialOptions {
	if proxy := apiutils.GetProxyURL(o.Addr); proxy != nil {
		o.Addr += " (through the proxy at " + proxy.Host + ")"
	}
	return o
}
