package e2e_test

import (
	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/access/e2e/harness"
	"teleport-plugins/lib/sandbox/cluster"
)

// rightSetUps are those in which the cluster does not let the plugin do its work.
func rightSetUps() []setUp {
	deny := func(kind string, verbs ...string) func(s *site) {
		return func(s *site) { s.Cluster.Deny(cluster.PluginRole, kind, verbs...) }
	}
	// lost is a row in which there is no connection for a reason that both commands say.
	lost := func(name, sentence string, spoil func(s *site)) setUp {
		return setUp{
			name: name, spoil: spoil, stays: true,
			check: []string{"FAIL  connection to Teleport at {addr}: " + sentence},
			start: []string{"ERROR  Not connected to Teleport: " + sentence + ` condition:"connected to Teleport"`},
			ready: "failed connected to Teleport: " + sentence,
		}
	}
	const locked = "the cluster has locked the plugin out (lock targeting User:\"{plugin user}\" is in force); find the lock with `tctl get locks` and remove it with `tctl rm lock/<name>`"
	return []setUp{
		requestsDenied("a role that may not list requests", "list", "", deny(types.KindAccessRequest, types.VerbList)),
		requestsDenied("a role that may not read requests", "watch", " (watching access requests: none of the requested kinds can be watched)", deny(types.KindAccessRequest, types.VerbRead)),
		// Whoever may list and read requests may read what is recorded of them.
		{name: "a role that may not read plugin data", spoil: deny(types.KindAccessPluginData, types.VerbRead), stays: true},
		{
			name: "a role that may not write plugin data", spoil: deny(types.KindAccessPluginData, types.VerbUpdate), stays: true,
			check: []string{"FAIL  write plugin data (access_plugin_data: update): " + unwritten},
			start: []string{"ERROR  Not allowed to write plugin data: " + unwritten + ` condition:"allowed to write plugin data"`},
			ready: "failed allowed to write plugin data: " + unwritten,
		},
		{
			name: "a role that may not read roles", spoil: deny(types.KindRole, types.VerbRead), stays: true,
			check: []string{"note  read the logins of roles (role: read): messages show no logins; to show them add the rule role: read"},
		},
		{
			name: "a role that may not read access monitoring rules", spoil: deny(types.KindAccessMonitoringRule), stays: true,
			check: []string{"note  access monitoring rules (access_monitoring_rule: list, read): not used, since the plugin's role may not read them; to use them add the rule access_monitoring_rule: list, read"},
			start: []string{`WARN   The plugin's role may not read access monitoring rules; recipients are chosen by the config alone. To use them add the rule access_monitoring_rule: list, read error:"listing access monitoring rules: user \"{plugin user}\" has no permission to list access_monitoring_rule"`},
			ready: "note   access monitoring rules: …",
		},
		lost("a user that was deleted", `the Teleport cluster denies access to this identity (user "{plugin user}" does not exist); see whether its user or bot still exists, and issue a new identity if it does not`, func(s *site) { s.Cluster.RemoveUser(s.User()) }),
		lost("a user that is locked", locked, func(s *site) { s.Cluster.Revoke(s.User()) }),
		{
			name: "a cluster that is too old", world: harness.Options{Cluster: cluster.Options{ServerVersion: "6.0.0"}}, spoil: func(*site) {},
			check: []string{"FAIL  connection to Teleport at {addr}: the Teleport cluster runs version 6.0.0 and 6.1.0 is the oldest that is supported"},
			start: []string{"ERROR  the Teleport cluster runs version 6.0.0 and 6.1.0 is the oldest that is supported"},
		},
		{
			name: "a cluster of before those that are tested", world: harness.Options{Cluster: cluster.Options{ServerVersion: "13.4.0"}}, spoil: func(*site) {}, stays: true,
			check: []string{"note  the Teleport cluster runs version 13.4.0, older than version 14, the oldest that this plugin is tested with"},
			start: []string{"WARN   the Teleport cluster runs version 13.4.0, older than version 14, the oldest that this plugin is tested with"},
		},
	}
}

const unwritten = "the plugin's role may not write plugin data; add the rule access_plugin_data: update to it"

// requestsDenied is a row in which the role may not see all requests.
func requestsDenied(name, verb, why string, spoil func(s *site)) setUp {
	sentence := "the plugin's role may not " + verb + " access requests; add the rule access_request: list, read to it"
	return setUp{
		name: name, spoil: spoil, stays: true,
		check: []string{"FAIL  watch access requests (access_request: list, read): " + sentence + why},
		start: []string{"ERROR  Not connected to Teleport: " + sentence + ` condition:"connected to Teleport"`},
		ready: "failed connected to Teleport: " + sentence,
	}
}
