package plugin

import (
	"errors"
	"slices"
	"testing"
	"time"

	test "teleport-plugins/lib/sandbox/cluster"
)

// Owners of access lists are reminded where the config wants it, and only there.
func TestRemindersAreWired(t *testing.T) {
	for name, enabled := range map[string]bool{"wanted": true, "not wanted": false} {
		t.Run(name, func(t *testing.T) {
			r := newRigAt(t, test.Options{AdvancedWorkflows: true, WebProxyAddr: "proxy.example.com:443"})
			list := test.AccessList{
				Name: "payments", Title: "Payments", NextAudit: time.Now().Add(24 * time.Hour),
				Owners: []string{test.Alice}, InheritedOwners: []string{test.Bob},
			}
			if err := r.cluster.PutAccessList(list); err != nil {
				t.Fatal(err)
			}
			if enabled {
				r.write("first", "[access_list_reminders]", "enabled = true", `delay = "100ms"`, `interval = "100ms"`)
			}
			r.start(true)
			if enabled {
				r.until("both owners are told", func() bool { return len(r.desk.reminded()) == 2 })
				r.until("that is recorded", func() bool { return len(r.cluster.AccessListData("payments", "desk")) > 0 })
			}
			r.stop()
			got := r.desk.reminded()
			slices.Sort(got)
			var want []string
			if enabled {
				want = []string{test.Alice + " Payments", test.Bob + " Payments"}
			}
			if !slices.Equal(got, want) {
				t.Errorf("reminded: %q, want %q", got, want)
			}
		})
	}
}

// A call of the service that fails with the cluster away is no crash of the
// reminders either.
func TestRemindersWithoutAConnection(t *testing.T) {
	r := newRig(t)
	s := r.session()
	if err := (cluster{s}).AccessLists(t.Context(), nil); !errors.Is(err, errNotConnected) {
		t.Errorf("got %v", err)
	}
	if _, err := s.traits(t.Context(), test.Alice); !errors.Is(err, errNotConnected) {
		t.Errorf("got %v", err)
	}
}
