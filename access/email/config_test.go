package email_test

import (
	"strings"
	"testing"
	"time"

	"teleport-plugins/access/email"
	"teleport-plugins/lib/recipient"
	sim "teleport-plugins/lib/sandbox/farend"
)

// section is a table of a config.
type section = map[string]any

// least are the smallest sections of a config by mail server.
func least() section {
	return section{
		"smtp":     section{"host": "smtp.example.com", "username": "teleport", "password": "x"},
		"delivery": section{"sender": "teleport@example.com"},
	}
}

func TestConfig(t *testing.T) {
	smtp := func(more section) section { return section{"smtp": more} }
	gun := func(more section) section {
		return sim.Join(section{"smtp": nil}, section{"mailgun": sim.Join(section{"domain": "mg.example.com", "private_key": "key-1"}, more)})
	}
	for name, tc := range map[string]struct {
		more        section
		fault, warn string
	}{
		"least":                  {},
		"mailgun":                {more: gun(nil)},
		"mailgun in Europe":      {more: gun(section{"region": "EU"})},
		"both":                   {more: section{"mailgun": section{"domain": "mg.example.com", "private_key": "key-1"}}, warn: "mailgun: it has no effect beside [smtp]"},
		"neither":                {more: section{"smtp": nil}, fault: "there is neither the section [smtp] nor [mailgun]"},
		"no host":                {more: smtp(section{"host": ""}), fault: "smtp.host: this is not the name of a server"},
		"a port in the host":     {more: smtp(section{"host": "smtp.example.com:25"}), fault: "smtp.host: the host has a port"},
		"a web address":          {more: smtp(section{"host": "https://smtp.example.com"}), fault: "smtp.host"},
		"no port":                {more: smtp(section{"port": 0}), fault: "smtp.port: this is not a port"},
		"an unknown policy":      {more: smtp(section{"starttls_policy": "always"}), fault: "smtp.starttls_policy: this policy is unknown"},
		"an optional policy":     {more: smtp(section{"starttls_policy": "opportunistic"}), warn: "smtp.starttls_policy: mails may go out in clear"},
		"the same with TLS":      {more: smtp(section{"starttls_policy": "disabled", "port": 465})},
		"no password":            {more: smtp(section{"password": ""}), fault: "smtp.password: there is no password"},
		"no user":                {more: smtp(section{"username": ""}), fault: "smtp.username: there is no user"},
		"no login":               {more: smtp(section{"username": "", "password": ""})},
		"a login that is off":    {more: smtp(section{"password": "", "auth": "none"})},
		"an unknown login":       {more: smtp(section{"auth": "ntlm"}), fault: "smtp.auth: this way to log in is unknown"},
		"a name with a blank":    {more: smtp(section{"helo": "a b"}), fault: "smtp.helo"},
		"a key alone":            {more: smtp(section{"client_key": "/x"}), fault: "smtp.client_cert: there is a key without a certificate"},
		"a certificate alone":    {more: smtp(section{"client_cert": "/x"}), fault: "smtp.client_key: there is a certificate without a key"},
		"a missing certificate":  {more: smtp(section{"client_cert": "/x", "client_key": "/y"}), fault: "smtp.client_cert: the certificate and its key cannot be used"},
		"tokens":                 {more: smtp(section{"auth": "xoauth2", "oauth": section{"token_url": "https://login.example.com/token", "client_id": "1", "client_secret": "s"}})},
		"tokens unannounced":     {more: smtp(section{"password": "", "oauth": section{"client_id": "1"}}), fault: `smtp.auth: there is [smtp.oauth] in the place of a password; write auth = "xoauth2"`},
		"tokens for nothing":     {more: smtp(section{"oauth": section{"client_id": "1"}}), warn: `smtp.oauth: it has no effect without auth = "xoauth2"`},
		"a host in brackets":     {more: smtp(section{"host": "[::1]"}), fault: "smtp.host: this is not the name of a server"},
		"a host of version 6":    {more: smtp(section{"host": "::1"})},
		"tokens from nowhere":    {more: smtp(section{"auth": "xoauth2"}), fault: "smtp.oauth.client_secret: there is no client secret"},
		"no domain":              {more: gun(section{"domain": ""}), fault: "mailgun.domain: this is not a domain"},
		"no key":                 {more: gun(section{"private_key": ""}), fault: "mailgun.private_key: there is no key"},
		"an unknown region":      {more: gun(section{"region": "asia"}), fault: "mailgun.region: this region is unknown"},
		"no sender":              {more: section{"delivery": section{"sender": ""}}, fault: "delivery.sender: there is no sender"},
		"a sender with a name":   {more: section{"delivery": section{"sender": "Teleport <t@example.com>"}}},
		"a name with a comma":    {more: section{"delivery": section{"sender": "Teleport, Inc <t@example.com>"}}, fault: `delivery.sender: "Teleport, Inc <t@example.com>" is not one e-mail address; put the name in quotes`},
		"a name for answers":     {more: section{"delivery": section{"reply_to": "IT (x): <t@example.com"}}, fault: "delivery.reply_to"},
		"a name in quotes":       {more: section{"delivery": section{"sender": `"Teleport, Inc." <t@example.com>`}}},
		"two senders":            {more: section{"delivery": section{"sender": "a@example.com, b@example.com"}}, fault: "is not one e-mail address"},
		"a sender with a header": {more: section{"delivery": section{"sender": "a@example.com\r\nBcc: b@example.com"}}, fault: "is not one e-mail address"},
		"answers to nowhere":     {more: section{"delivery": section{"reply_to": "it"}}, fault: "delivery.reply_to"},
		"two lists":              {more: section{"delivery": section{"recipients": []string{"a@example.com"}}}, fault: "delivery.recipients: it says the same as [role_to_recipients]"},
		"a display name":         {more: section{"role_to_recipients": section{"*": "Alice <a@example.com>"}}, warn: "does not look like a valid email"},
		"a channel":              {more: section{"role_to_recipients": section{"dev": []string{"a@example.com", "general"}}}, warn: `role_to_recipients.dev: "general" does not look like`},
	} {
		t.Run(name, func(t *testing.T) {
			_, report, err := load(t, sim.Join(least(), tc.more))
			warnings := ""
			for _, w := range report.Warnings {
				warnings += w.String() + "\n"
			}
			if (err == nil) != (tc.fault == "") || err != nil && !strings.Contains(err.Error(), tc.fault) {
				t.Errorf("fault %v, want %q", err, tc.fault)
			}
			if (warnings == "") != (tc.warn == "") && tc.fault == "" || !strings.Contains(warnings, tc.warn) {
				t.Errorf("warnings %s, want %q", warnings, tc.warn)
			}
		})
	}
}

// Files that were written for Teleport's own plugin load, keys in any of its spellings.
func TestConfigsOfTeleportsOwnPlugin(t *testing.T) {
	old := section{"Host": "smtp.example.com", "PORT": 465, "username": "teleport", "Password": "x"}
	c, report, err := load(t, section{"smtp": old, "delivery": section{"Sender": "t@example.com", "recipients": []string{"a@example.com", "b@example.com"}}, "role_to_recipients": nil})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.RoleToRecipients[recipient.Anyone]; len(got) != 2 || c.SMTP.Port != 465 || c.SMTP.Host != "smtp.example.com" {
		t.Errorf("got %+v, %v", c.SMTP, got)
	}
	if len(report.Warnings) != 1 || !strings.Contains(report.Warnings[0].String(), "delivery.recipients: this key is deprecated") {
		t.Errorf("warnings %v", report.Warnings)
	}
}

func TestMailServersHaveMoreTime(t *testing.T) {
	for name, tc := range map[string]struct {
		times       section
		call, lease time.Duration
	}{
		"usual":   {nil, 30 * time.Second, time.Minute},
		"a call":  {section{"call_timeout": "12s"}, 12 * time.Second, 30 * time.Second},
		"a lease": {section{"lease": "40s"}, 20 * time.Second, 40 * time.Second},
		"both":    {section{"call_timeout": "2s", "lease": "4s"}, 2 * time.Second, 4 * time.Second},
	} {
		c, _, err := load(t, sim.Join(least(), section{"delivery": tc.times}))
		if err != nil || time.Duration(c.Delivery.CallTimeout) != tc.call || time.Duration(c.Delivery.Lease) != tc.lease {
			t.Errorf("%s: %v and %v, %v", name, c.Delivery.CallTimeout, c.Delivery.Lease, err)
		}
	}
}

func TestExampleBuilds(t *testing.T) {
	if parts := build(t, least()); parts.Service == nil || parts.Router == nil {
		t.Errorf("got %+v", parts)
	}
	if email.Integration().Example == "" {
		t.Error("there is no example")
	}
}
