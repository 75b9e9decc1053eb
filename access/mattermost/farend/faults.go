package farend

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"teleport-plugins/lib/sandbox/farend"
)

// sockets are those that were ever seen to listen for presses, by their inodes.
type sockets struct {
	mu   sync.Mutex
	seen map[string]bool
}

// Connected counts the processes that listen for presses, and how many ever did. They
// share one address, so the kernel is asked; where it does not say, it is one at most.
func (m *Mattermost) Connected() (now, ever int) {
	if m.away.Load() || m.hook == "" {
		return 0, int(m.returns.Load())
	}
	found := listening(m.hook)
	s := &m.sockets
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = make(map[string]bool)
	}
	for _, inode := range found {
		s.seen[inode] = true
	}
	return len(found), len(s.seen) + int(m.returns.Load())
}

// listening finds the sockets that listen at an address, as proc(5) lists them.
func listening(address string) (inodes []string) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	table, err := os.Open("/proc/net/tcp")
	if err != nil {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = conn.Close()
			return []string{"some"}
		}
		return nil
	}
	defer table.Close() //nolint:errcheck // it was read
	var number int
	_, _ = fmt.Sscan(port, &number)
	for lines := bufio.NewScanner(table); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) > 9 && f[3] == "0A" && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", number)) {
			inodes = append(inodes, f[9])
		}
	}
	return inodes
}

// accounts are what accounts can be that decide nothing.
var standings = map[string]func(*account){
	"a guest":            func(a *account) { a.roles = "system_guest" },
	"a bot":              func(a *account) { a.bot = true },
	"a deactivated user": func(a *account) { a.deleted = 1700000000000 },
}

// Standings are what accounts can be that decide nothing.
func (m *Mattermost) Standings() []string { return slices.Sorted(maps.Keys(standings)) }

// Become changes an account.
func (m *Mattermost) Become(person, standing string) error {
	change := standings[standing]
	if change == nil {
		return fmt.Errorf("nobody can be %s", standing)
	}
	err := fmt.Errorf("%q is nobody here", person)
	m.Change(func() {
		if a := find(m.w.accounts, func(a *account) bool { return a.email == person }); a != nil {
			change(a)
			err = nil
		}
	})
	return err
}

// Disturbances are those of the way from the server to the plugin.
func (m *Mattermost) Disturbances() []farend.Disturbance {
	return []farend.Disturbance{{
		Name: "the plugin cannot be reached for two seconds", Loses: true, Within: time.Second, For: 2 * time.Second,
		Begin: func() { m.away.Store(true) },
		End: func() {
			m.returns.Add(1)
			m.away.Store(false)
		},
	}}
}

// changes are what events of presses can be changed to that no button makes.
var changes = map[string]func(m *Mattermost, e map[string]any){
	"a message that the plugin did not post": func(_ *Mattermost, e map[string]any) { e["post_id"] = "aaaaaaaaaaaaaaaaaaaaaaaaaa" },
	"the message in another channel":         func(_ *Mattermost, e map[string]any) { e["channel_id"] = "aaaaaaaaaaaaaaaaaaaaaaaaaa" },
	"no message":                             func(_ *Mattermost, e map[string]any) { delete(e, "post_id") },
	"nobody":                                 func(_ *Mattermost, e map[string]any) { delete(e, "user_id") },
	"a person whom Mattermost does not know": func(_ *Mattermost, e map[string]any) { e["user_id"] = "aaaaaaaaaaaaaaaaaaaaaaaaaa" },
	"no context":                             func(_ *Mattermost, e map[string]any) { delete(e, "context") },
	"a context without a seal": func(_ *Mattermost, e map[string]any) {
		text, _, _ := strings.Cut(sealOf(e), ".")
		reseal(e, text)
	},
	"a seal of another secret": func(_ *Mattermost, e map[string]any) {
		text, mac, _ := strings.Cut(sealOf(e), ".")
		reseal(e, text+"."+strings.ToUpper(mac))
	},
	"a context that was changed under its seal": func(_ *Mattermost, e map[string]any) {
		text, mac, _ := strings.Cut(sealOf(e), ".")
		reseal(e, text[:len(text)-4]+"AAAA."+mac)
	},
	"a context that is a number": func(_ *Mattermost, e map[string]any) { e["context"] = 7 },
	"a button's seal for a dialog": func(_ *Mattermost, e map[string]any) {
		e["type"], e["state"], e["submission"] = "dialog_submission", sealOf(e), map[string]any{"reason": "because"}
	},
	"nothing that can be read": func(_ *Mattermost, e map[string]any) { e["user_id"] = []string{"press"} },
}

// sealOf is the text by which the plugin knows its button.
func sealOf(e map[string]any) string {
	context, _ := e["context"].(map[string]any)
	text, _ := context["teleport_access_request"].(string)
	return text
}

func reseal(e map[string]any, text string) {
	e["context"] = map[string]any{"teleport_access_request": text}
}

// Forgeries are calls of the plugin that no button makes.
func (m *Mattermost) Forgeries() (all []farend.Forgery) {
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		all = append(all, farend.Forgery{Name: name, Send: func(ctx context.Context, p farend.Press) error {
			event, address, err := m.pressed(p)
			if err != nil {
				return err
			}
			changes[name](m, event)
			_, _, err = m.call(ctx, address, event)
			return err
		}})
	}
	return append(all,
		farend.Forgery{Name: "a dialog that was opened for another person", Send: m.stolen(func(e map[string]any) {
			e["user_id"] = m.accountOf("carol@example.com")
		})},
		farend.Forgery{Name: "a dialog's seal for a button", Send: m.stolen(func(e map[string]any) {
			e["type"], e["context"] = "button", map[string]any{"teleport_access_request": e["state"]}
		})},
	)
}

func (m *Mattermost) accountOf(email string) (id string) {
	m.Look(func() { id = find(m.w.accounts, func(a *account) bool { return a.email == email }).id })
	return id
}

// stolen has a person open a dialog, and sends it off otherwise than they would.
func (m *Mattermost) stolen(change func(event map[string]any)) func(ctx context.Context, p farend.Press) error {
	return func(ctx context.Context, p farend.Press) error {
		p.Verdict = "deny" // which asks for a reason, where anything does
		event, address, err := m.pressed(p)
		if err == nil {
			_, _, err = m.call(ctx, address, event)
		}
		if err != nil {
			return err
		}
		var t trigger
		m.Look(func() { t = m.w.triggers[event["trigger_id"].(string)] })
		if t.dialog == nil {
			return errors.New("the plugin has asked for no reason")
		}
		forged := submission(t, t.user, "because")
		forged["post_id"] = event["post_id"]
		change(forged)
		_, _, err = m.call(ctx, address, forged)
		return err
	}
}
