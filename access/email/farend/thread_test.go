package farend_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/access/email/farend"
	"teleport-plugins/lib/plugin"
	"teleport-plugins/lib/sandbox/cluster"
	sim "teleport-plugins/lib/sandbox/farend"
	"teleport-plugins/lib/sandbox/panel"
)

// office is mailboxes, a cluster, and the plugin between them.
type office struct {
	*testing.T
	far     *farend.Office
	cluster *cluster.Cluster
}

// open starts all of them, after the cluster was furnished.
func open(t *testing.T, furnish func(o *office)) *office {
	t.Helper()
	o := &office{T: t, far: farend.New(sim.Options{}, farend.Traits{})}
	if err := o.far.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.far.Close() })
	var err error
	if o.cluster, err = cluster.Start(cluster.Options{WebProxyAddr: "teleport.example.com:443", AdvancedWorkflows: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.cluster.Close() })
	furnish(o)
	path := configure(t, o.cluster, sim.Join(o.far.Config(), map[string]any{
		"role_to_recipients": map[string]any{"*": o.far.Places()[:1]}, "delivery": map[string]any{"requester_notice": false},
	}))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- plugin.Serve(ctx, farend.Service().Integration, path, zap.NewNop()) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return o
}

// configure writes a config for a cluster, and returns its path.
func configure(t *testing.T, c *cluster.Cluster, sections map[string]any) (path string) {
	t.Helper()
	dir := t.TempDir()
	identity, path := filepath.Join(dir, "identity"), filepath.Join(dir, "config.toml")
	if err := c.IssueIdentity(identity, cluster.PluginUserOf("email"), 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := toml.NewEncoder(&text).Encode(sim.Join(sections, map[string]any{"teleport": map[string]any{"addr": c.Addr(), "identity": identity}})); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (o *office) request() (id string) {
	o.Helper()
	id, err := o.cluster.CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{"editor"}})
	if err != nil {
		o.Fatal(err)
	}
	return id
}

// mails waits for so many mails in the first mailbox.
func (o *office) mails(n int) []panel.Message {
	o.Helper()
	ctx, cancel := context.WithTimeout(o.Context(), 30*time.Second)
	defer cancel()
	if err := o.far.Wait(ctx, func() bool { return len(o.far.Panel(0).Channels[0].Messages) >= n }); err != nil {
		o.Fatal(err)
	}
	return o.far.Panel(0).Channels[0].Messages
}

// A request, its reviews and its end are one conversation, and a mail each.
func TestARequestIsOneConversation(t *testing.T) {
	o := open(t, func(*office) {})
	id := o.request()
	root := o.mails(1)[0]
	if err := o.cluster.Review(id, cluster.Bob, types.RequestState_APPROVED, "fine"); err != nil {
		t.Fatal(err)
	}
	all := o.mails(3)
	if len(all) != 3 || all[1].Thread != root.ID || all[2].Thread != root.ID || !all[1].Review || !strings.Contains(all[2].Text, "Status: ✅ APPROVED") {
		t.Errorf("the mails are %+v", all)
	}
	if root = all[0]; root.Request != id || root.State != "APPROVED" {
		t.Errorf("the conversation shows %s of %s", root.State, root.Request)
	}
}

// What Teleport's own plugin has begun goes on in its conversation, whether its record
// has the ids in brackets, as those of Mailgun, or not.
func TestAConversationOfTeleportsOwnPluginGoesOn(t *testing.T) {
	for name, brackets := range map[string]string{"by SMTP": "", "by Mailgun": "<>"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var id string
			o := open(t, func(o *office) {
				id = o.request()
				record, err := o.far.Adopt(o.far.Places()[0], id, "", 1)
				if err != nil {
					t.Fatal(err)
				}
				if brackets != "" {
					at := strings.LastIndexByte(record["email_threads"], '/') + 1
					record["email_threads"] = record["email_threads"][:at] + "<" + record["email_threads"][at:] + ">"
				}
				record["user"], record["roles"] = cluster.Alice, "editor"
				if err := o.cluster.SetPluginData(id, "email", record); err != nil {
					t.Fatal(err)
				}
			})
			if err := o.cluster.Review(id, cluster.Bob, types.RequestState_DENIED, "no"); err != nil {
				t.Fatal(err)
			}
			all := o.mails(3)
			if len(all) != 3 || all[1].Thread != all[0].ID || all[2].Thread != all[0].ID || all[0].State != "DENIED" {
				t.Errorf("the mails are %+v", all)
			}
			// It can go on there again: the item of its thread has kept its id.
			o.settled(id)
			item := o.cluster.PluginData(id, "email")["email_threads"]
			if parts := strings.Split(item, "/"); len(parts) != 3 || parts[0] != o.far.Places()[0] || parts[2] != all[0].ID {
				t.Errorf("the record has %q", item)
			}
		})
	}
}

// settled waits until the plugin has recorded how a request ended.
func (o *office) settled(id string) {
	o.Helper()
	for end := time.Now().Add(30 * time.Second); o.cluster.PluginData(id, "email")["resolution"] == ""; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			o.Fatal("the end is not recorded")
		}
	}
}

// A server that is closed at once ends, though it has hardly begun.
func TestAServerThatIsClosedAtOnceEnds(t *testing.T) {
	for range 200 {
		o := farend.Service().Simulate(sim.Options{})
		if err := o.Start(); err != nil {
			t.Fatal(err)
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
