package email_test

import (
	"bufio"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/mail"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"teleport-plugins/lib/outbound"
	"teleport-plugins/lib/request"
)

// postfix is a Postfix of its own, with a mailbox for each address that it knows.
type postfix struct {
	testing.TB
	dir  string
	port int
	ca   string
}

// startPostfix starts one, where the program is installed and may be started.
func startPostfix(t *testing.T) *postfix {
	t.Helper()
	program := "/usr/sbin/postfix"
	if _, err := os.Stat(program); err != nil || os.Geteuid() != 0 {
		t.Skip("not tried before a real mail server: it takes Postfix, which install/test/postfix.sh installs, and root")
	}
	dir, err := os.MkdirTemp("", "postfix")
	if err != nil {
		t.Fatal(err)
	}
	p := &postfix{TB: t, dir: dir, ca: filepath.Join(dir, "chain.pem")}
	owner, err := user.Lookup("postfix")
	p.must(err)
	p.port = freePort(t)
	words := strings.NewReplacer("{dir}", dir, "{port}", fmt.Sprintf("127.0.0.1:%d", p.port), "{policy}", greylist(t), "{uid}", owner.Uid, "{gid}", owner.Gid)
	p.must(os.Chmod(dir, 0o755)) //nolint:gosec // Postfix runs as another user
	for _, name := range []string{"main.cf", "master.cf"} {
		text, err := os.ReadFile(filepath.Join("testdata", "postfix", name))
		p.must(err)
		p.must(os.WriteFile(filepath.Join(dir, name), []byte(words.Replace(string(text))), 0o644)) //nolint:gosec // the same
	}
	p.must(os.WriteFile(p.ca, chain(t), 0o600))
	for _, name := range []string{"log", "queue", "data", "mail"} {
		p.must(os.Mkdir(filepath.Join(dir, name), 0o755)) //nolint:gosec // the same
	}
	p.must(exec.Command("chown", "postfix", filepath.Join(dir, "data"), filepath.Join(dir, "mail")).Run())
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(dir, "log", "mail.log"))
			t.Logf("Postfix says:\n%s", text)
		}
		_ = exec.Command(program, "-c", dir, "stop").Run()
		_ = os.RemoveAll(dir)
	})
	if out, err := exec.Command(program, "-c", dir, "start").CombinedOutput(); err != nil {
		t.Fatalf("starting Postfix: %v\n%s", err, out)
	}
	p.until("Postfix listens", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.port))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return p
}

func (p *postfix) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// until waits for another program.
func (p *postfix) until(what string, done func() bool) {
	p.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.Fatalf("it did not come to that: %s", what)
		}
	}
}

// freePort is a port at which nothing listens.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it is free then
	return l.Addr().(*net.TCPAddr).Port
}

// chain is a key and a certificate for this machine, which is its own authority.
func chain(t testing.TB) []byte {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	cert := s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})...)
}

// greylist answers the questions of Postfix (SMTPD_POLICY_README): the first mail to one
// address is to come again, all others are let in. It returns its address.
func greylist(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var once sync.Once
	answer := func(recipient string) (action string) {
		action = "DUNNO"
		if recipient == "grey@example.com" {
			once.Do(func() { action = "DEFER Greylisted, please try again in 2 seconds" })
		}
		return action
	}
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close() //nolint:errcheck // it was read
				recipient := ""
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					name, value, _ := strings.Cut(lines.Text(), "=")
					switch name {
					case "recipient":
						recipient = value
					case "":
						_, _ = fmt.Fprintf(conn, "action=%s\n\n", answer(recipient))
					}
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close() }) // Postfix closes the connections as it ends
	return l.Addr().String()
}

// mailbox are the mails of a mailbox, the oldest first.
func (p *postfix) mailbox(name string) (mails []*mail.Message) {
	p.Helper()
	list, err := filepath.Glob(filepath.Join(p.dir, "mail", name, "new", "*"))
	p.must(err)
	for _, path := range list {
		f, err := os.Open(path)
		p.must(err)
		p.Cleanup(func() { _ = f.Close() })
		m, err := mail.ReadMessage(f)
		p.must(err)
		mails = append(mails, m)
	}
	return mails
}

// Mails go through a real mail server: encrypted, as one conversation, past a grey list,
// and back to the sender where they cannot be delivered.
func TestPostfix(t *testing.T) {
	p := startPostfix(t)
	key := filepath.Join(p.dir, "ca.pem")
	text, err := os.ReadFile(p.ca)
	p.must(err)
	p.must(os.WriteFile(key, text[strings.Index(string(text), "-----BEGIN CERTIFICATE"):], 0o600))
	r := &rig{TB: t, service: build(t, section{
		"smtp":     section{"host": "127.0.0.1", "port": p.port, "ca_file": key, "helo": "plugins.example.com"},
		"delivery": section{"sender": "Teleport <teleport@example.com>"},
	}).Service}
	p.must(r.service.Check(t.Context()))

	v := reviewed(pending())
	m, err := r.tell(oncall, announce, v)
	p.must(err)
	_, err = r.tell(oncall, review, v, m)
	p.must(err)
	p.until("both mails are in the mailbox", func() bool { return len(p.mailbox("oncall")) == 2 })
	for _, got := range p.mailbox("oncall") {
		if !strings.Contains(got.Header.Get("Received"), "with ESMTPS") || got.Header.Get("Auto-Submitted") != "auto-generated" {
			t.Errorf("it came with %v", got.Header)
		}
		first := got.Header.Get("Message-Id") == "<"+m.ID+">"
		if !first && got.Header.Get("In-Reply-To") != "<"+m.ID+">" {
			t.Errorf("it is in another conversation: %v", got.Header)
		}
	}

	p.refuses(r, v)
	p.comesBack(r, v)
}

// refuses tries those who are not told, or not at once.
func (p *postfix) refuses(r *rig, v request.View) {
	p.Helper()
	if _, err := r.tell("nobody@example.com", announce, v); outbound.KindOf(err) != outbound.Refused || outbound.ScopeOf(err) != outbound.ThePlace || !strings.Contains(err.Error(), "550 5.1.1") {
		p.Errorf("nobody of that name: %v", err)
	}
	if _, err := r.tell("x@example.net", announce, v); outbound.ScopeOf(err) != outbound.ThePlace || !strings.Contains(err.Error(), "Relay access denied; the mail server takes mail for this address only after a login") {
		p.Errorf("no relay: %v", err)
	}
	if _, err := r.tell("grey@example.com", announce, v); outbound.KindOf(err) != outbound.Wait || outbound.AfterOf(err) != 2*time.Second || outbound.ScopeOf(err) != outbound.ThePlace {
		p.Errorf("a grey list: %v, after %v", err, outbound.AfterOf(err))
	}
	_, err := r.tell("grey@example.com", announce, v)
	p.must(err)
	p.until("the mail is past the grey list", func() bool { return len(p.mailbox("grey")) == 1 })
}

// comesBack sends a mail that is taken and cannot be delivered.
func (p *postfix) comesBack(r *rig, v request.View) {
	p.Helper()
	broken, err := r.tell("broken@example.com", announce, v)
	p.must(err)
	p.until("the mail came back", func() bool { return len(p.mailbox("teleport")) == 1 })
	back, err := io.ReadAll(p.mailbox("teleport")[0].Body)
	p.must(err)
	if !strings.Contains(string(back), broken.ID) || !strings.Contains(string(back), "Action: failed") {
		p.Errorf("what came back is\n%s", back)
	}
}
