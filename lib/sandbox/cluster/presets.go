package cluster

import (
	"github.com/gravitational/teleport/api/types"
)

// People who request and review in tests and demonstrations.
const (
	Alice = "alice@example.com"
	Bob   = "bob@example.com"
	Carol = "carol@example.com"
	Dave  = "dave@example.com"
)

func (c *Cluster) addPresets() {
	c.AddRole("requester", RoleSpec{})
	c.AddRole("editor", RoleSpec{Logins: []string{"root"}})
	c.AddRole("db-admin", RoleSpec{Logins: []string{"postgres", "dba"}})
	c.AddRole("demo-role", RoleSpec{
		Logins: []string{"ubuntu", "ec2-user"}, Annotations: map[string][]string{"services": {"Payments"}},
	})
	c.AddRole("prod-admin", RoleSpec{Logins: []string{"root", "admin"}, Approve: 2})
	c.Allow("editor", anyKind)
	c.Allow(ReviewerRole, KindReviewRequests, VerbReview)
	c.addPluginRole()

	c.AddUser(AdminUser, []string{"editor"}, nil)
	c.AddUser(PluginUser, []string{PluginRole}, nil)
	c.addPeople()
}

// addPluginRole gives the rights of the role that Teleport documents for its
// access plugins, the optional ones (role, access_list, and the resources seen
// through preview_as_roles) included. The right to review is not among them.
func (c *Cluster) addPluginRole() {
	c.Allow(PluginRole, types.KindAccessRequest, types.VerbList, types.VerbRead)
	c.Allow(PluginRole, types.KindAccessPluginData, types.VerbRead, types.VerbUpdate)
	c.Allow(PluginRole, types.KindAccessMonitoringRule, types.VerbList, types.VerbRead)
	c.Allow(PluginRole, types.KindAccessList, types.VerbList, types.VerbRead)
	c.Allow(PluginRole, types.KindUser, types.VerbList, types.VerbRead)
	c.Allow(PluginRole, types.KindLock, types.VerbList, types.VerbRead)
	c.Allow(PluginRole, types.KindRole, types.VerbRead)
	for _, kind := range resourceKinds() {
		c.Allow(PluginRole, kind, types.VerbList, types.VerbRead)
	}
}

func (c *Cluster) addPeople() {
	team := map[string]string{Alice: "payments", Bob: "payments", Carol: "platform", Dave: "platform"}
	for name, t := range team {
		c.AddUser(name, []string{"requester", ReviewerRole}, map[string][]string{
			"email": {name}, "team": {t}, "logins": {localPart(name)},
		})
	}
}

func localPart(address string) string {
	for i := range address {
		if address[i] == '@' {
			return address[:i]
		}
	}
	return address
}
