package farend_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/access/email/farend"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/sandbox/cluster"
	sim "teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/fault"
)

// The command check says in one sentence what is wrong with the way for mails, and accuses
// nothing else.
func TestCheckNamesWhatIsWrong(t *testing.T) {
	keyed := func(key string, value any) func(*farend.Office, map[string]any) {
		return func(_ *farend.Office, smtp map[string]any) { smtp[key] = value }
	}
	fails := func(f fault.Fault) func(*farend.Office, map[string]any) {
		return func(far *farend.Office, _ map[string]any) { far.Faults().Add(f) }
	}
	for name, tc := range map[string]struct {
		traits     farend.Traits
		spoil      func(far *farend.Office, smtp map[string]any)
		recipients []string
		want       []string
	}{
		"nothing":                {},
		"a port that is closed":  {farend.Traits{}, keyed("port", 1), nil, []string{"Email credentials: SMTP connect: nothing listens at 127.0.0.1:1 (connection refused)"}},
		"a password that is old": {farend.Traits{}, keyed("password", "old"), nil, []string{"Email credentials: not accepted: SMTP AUTH: 535 5.7.8 Authentication failed; see username, password and auth in [smtp]"}},
		"no STARTTLS":            {farend.Traits{NoTLS: true}, nil, nil, []string{"Email credentials: not accepted: SMTP STARTTLS: the server does not offer STARTTLS; use a port at which"}},
		"a foreign certificate":  {farend.Traits{Foreign: true}, nil, nil, []string{"Email credentials: not accepted: SMTP STARTTLS: the server's certificate is for another name; see that"}},
		"a name it does not like": {farend.Traits{}, fails(fault.Fault{Method: "EHLO", Effect: fault.Refuse, Code: "550 5.7.1 who are you"}), nil, []string{
			"Email credentials: not accepted: SMTP EHLO: 550 5.7.1 who are you; set helo in [smtp]",
		}},
		"a sender it does not like": {farend.Traits{}, fails(fault.Fault{Method: "MAIL", Effect: fault.Refuse, Code: "553 5.7.1 not yours"}), nil, []string{
			"Email credentials: not accepted: SMTP MAIL FROM: 553 5.7.1 not yours; see that the login may send as the address delivery.sender",
		}},
		"a recipient who is gone": {farend.Traits{}, nil, []string{"oncall@example.com", "gone@example.com"}, []string{
			"recipient gone@example.com: SMTP RCPT TO: 550 5.1.1 User unknown; see that the address exists",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far := farend.New(sim.Options{}, tc.traits)
			if err := far.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = far.Close() })
			tree := far.Config()
			if tc.spoil != nil {
				tc.spoil(far, tree["smtp"].(map[string]any))
			}
			if tc.recipients == nil {
				tc.recipients = far.Places()[:1]
			}
			faults := checked(t, sim.Join(tree, map[string]any{"role_to_recipients": map[string]any{"*": tc.recipients}}))
			if len(faults) != len(tc.want) || slices.ContainsFunc(tc.want, func(want string) bool { return !strings.HasPrefix(faults[0], want) }) {
				t.Errorf("check says %q, want %q", faults, tc.want)
			}
		})
	}
}

// checked are the faults that the command check finds.
func checked(t *testing.T, sections map[string]any) (faults []string) {
	t.Helper()
	c, err := cluster.Start(cluster.Options{WebProxyAddr: "teleport.example.com:443"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	path := configure(t, c, sections)
	var out bytes.Buffer
	plugin.Run(farend.Service().Integration, []string{"check", "-c", path}, &out, &out)
	for line := range strings.Lines(out.String()) {
		if fault, ok := strings.CutPrefix(line, "FAIL "); ok {
			faults = append(faults, strings.TrimSpace(fault))
		}
	}
	if !strings.Contains(out.String(), "Email") {
		t.Errorf("check prints %s", out.String())
	}
	return faults
}
