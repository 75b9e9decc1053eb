package teleport

import (
	"context"
	"errors"
	"testing"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/trace"
)

// pong answers every ping alike.
type pong struct {
	resp proto.PingResponse
	err  error
}

func (p pong) Ping(context.Context) (proto.PingResponse, error) { return p.resp, p.err }

func TestProbeJudgesTheServersVersion(t *testing.T) {
	cases := []struct {
		version string
		kind    error
		want    string // the error, or the warning
	}{
		{"6.0.9", ErrServerTooOld, "the Teleport cluster runs version 6.0.9 and 6.1.0 is the oldest that is supported"},
		{"6.1.0-beta.1", nil, "the Teleport cluster runs version 6.1.0-beta.1, older than version 14, the oldest that this plugin is tested with"},
		{"6.1.0", nil, "the Teleport cluster runs version 6.1.0, older than version 14, the oldest that this plugin is tested with"},
		{"13.9.9", nil, "the Teleport cluster runs version 13.9.9, older than version 14, the oldest that this plugin is tested with"},
		{"14.2.3", nil, ""},
		{"17.2.0-dev.3", nil, ""},
		{"18.1.0", nil, ""},
		{"19.0.0", nil, ""},
		{"20.0.0", nil, "the Teleport cluster runs version 20.0.0, newer than version 19, the newest that this plugin supports; upgrade the plugin"},
		{"", nil, `the Teleport cluster reports a version that is not understood: ""`},
		{"latest", nil, `the Teleport cluster reports a version that is not understood: "latest"`},
	}
	for _, tc := range cases {
		info, err := Probe(t.Context(), pong{resp: proto.PingResponse{ServerVersion: tc.version}})
		switch {
		case tc.kind != nil:
			wantFault(t, err, tc.kind, tc.want)
		case err != nil || info.Warning != tc.want:
			t.Errorf("%q: warning %q, error %v; want %q", tc.version, info.Warning, err, tc.want)
		}
	}
}

func TestProbeOfAServerThatDoesNotAnswer(t *testing.T) {
	_, err := Probe(t.Context(), pong{err: trace.NotImplemented("unknown method Ping")})
	wantFault(t, err, ErrServerTooOld, "the Teleport cluster is older than 6.1.0, the oldest that is supported")
	_, err = Probe(t.Context(), pong{err: trace.AccessDenied("locked")})
	wantFault(t, err, ErrDenied, "the Teleport cluster denies access to this identity \\(locked\\); see whether .*")
	_, err = Probe(t.Context(), pong{err: trace.ConnectionProblem(nil, "gone")})
	if !isUnavailable(err) || errors.Is(err, ErrDenied) {
		t.Errorf("got %v", err)
	}
}

func TestProbeGivesTheWebAddressOnlyWhereRequestsAreReviewedInIt(t *testing.T) {
	for addr, want := range map[string]string{
		"proxy.example.com:443":         "https://proxy.example.com",
		"proxy.example.com:3080":        "https://proxy.example.com:3080",
		"https://proxy.example.com:443": "https://proxy.example.com",
		"http://proxy.example.com:443/": "http://proxy.example.com:443",
		"proxy.example.com":             "https://proxy.example.com",
		"":                              "",
	} {
		for _, advanced := range []bool{true, false} {
			info, err := Probe(t.Context(), pong{resp: proto.PingResponse{
				ServerVersion: "17.0.0", ProxyPublicAddr: addr,
				ServerFeatures: &proto.Features{AdvancedAccessWorkflows: advanced},
			}})
			expected := want
			if !advanced {
				expected = ""
			}
			if err != nil || info.WebProxyAddr != expected || info.AdvancedAccessWorkflows != advanced {
				t.Errorf("%q, advanced %t: got %+v, %v", addr, advanced, info, err)
			}
		}
	}
}
