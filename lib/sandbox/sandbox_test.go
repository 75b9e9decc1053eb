package sandbox_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/gravitational/teleport/api/types"
	"go.uber.org/goleak"

	"teleport-plugins/lib/sandbox"
	"teleport-plugins/lib/sandbox/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, opts sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	opts.Services = services()
	sb, err := sandbox.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sb.Close(); err != nil {
			t.Errorf("closing the sandbox: %v", err)
		}
	})
	return sb
}

// create makes a request that needs no special rights.
func create(t *testing.T, sb *sandbox.Sandbox) string {
	t.Helper()
	id, err := sb.Cluster().CreateRequest(cluster.CreateParams{User: cluster.Alice, Roles: []string{"demo-role"}, Reason: "why not"})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// waitFor waits until the condition holds, which it checks after each change.
func waitFor(t *testing.T, sb *sandbox.Sandbox, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := sb.Wait(ctx, holds); err != nil {
		t.Fatal(err)
	}
}

func decodeJSON(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Errorf("reading %q: %v", data, err)
	}
}

// Closing twice, and closing with everything in use, leaves nothing behind; the
// leak check of the package sees whether that is so.
func TestCloseEndsEverything(t *testing.T) {
	sb := start(t, sandbox.Options{})
	create(t, sb)
	for range 2 {
		if err := sb.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What a config says, by its keys. Whether the plugins take the configs is seen
// where both are at hand, in the tests of the real programs.
func TestWriteConfigSaysWhereEverythingIs(t *testing.T) {
	sb := start(t, sandbox.Options{})
	for service, want := range map[string]map[string]any{
		"example": {"board.token": "board-token", "board.url": example(sb).URL()},
		"another": {"board.token": "board-token"},
	} {
		t.Run(service, func(t *testing.T) {
			path, err := sb.WriteConfig(t.TempDir(), service)
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]map[string]any
			if _, err := toml.DecodeFile(path, &got); err != nil {
				t.Fatal(err)
			}
			identity := strings.TrimSuffix(path, ".toml") + ".identity"
			want["teleport.addr"], want["teleport.identity"], want["teleport.refresh_identity"] = sb.Cluster().Addr(), identity, true
			for key, value := range want {
				section, name, _ := strings.Cut(key, ".")
				if got[section][name] != value {
					t.Errorf("%s is %v, want %v", key, got[section][name], value)
				}
			}
			for _, file := range []string{path, identity} {
				if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v, mode %v; others may not read it", filepath.Base(file), err, info.Mode())
				}
			}
		})
	}
}

func TestWriteConfigRefusesWhatItCannotDo(t *testing.T) {
	sb := start(t, sandbox.Options{})
	if _, err := sb.WriteConfig(t.TempDir(), "teams"); err == nil || !strings.Contains(err.Error(), `no service "teams"`) {
		t.Errorf("for an unknown service: %v", err)
	}
	if _, err := sb.WriteConfig(filepath.Join(t.TempDir(), "missing"), "example"); err == nil {
		t.Error("a directory that is not there was no fault")
	}
}

// Identities are replaced before they end, over and over.
func TestIdentitiesAreRenewed(t *testing.T) {
	dir := t.TempDir() // before the sandbox, so that it outlives the renewals
	sb := start(t, sandbox.Options{IdentityTTL: 60 * time.Millisecond})
	path, err := sb.WriteConfig(dir, "example")
	if err != nil {
		t.Fatal(err)
	}
	identity := strings.TrimSuffix(path, ".toml") + ".identity"
	seen := make(map[string]bool)
	poll(t, func() bool {
		data, err := os.ReadFile(identity)
		if err != nil {
			t.Fatal(err)
		}
		seen[string(data)] = true
		return len(seen) >= 3
	})
}

// poll asks again and again, for things in the file system that tell nobody.
func poll(t *testing.T, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it did not come to be")
		}
	}
}

// The cluster knows the plugins' users, with the rights that each needs.
func TestFurnishedForThePlugins(t *testing.T) {
	sb := start(t, sandbox.Options{})
	if got := sb.Services(); len(got) != 2 {
		t.Errorf("the services are %v", got)
	}
	id := create(t, sb)
	if err := sb.Cluster().Review(id, cluster.Bob, types.RequestState_APPROVED, ""); err != nil {
		t.Fatal(err)
	}
	if st := sb.State(0); st.Requests[0].State != "APPROVED" || st.Requests[0].Annotations["another"][0] != "left" {
		t.Errorf("the request is %+v", st.Requests[0])
	}
}
