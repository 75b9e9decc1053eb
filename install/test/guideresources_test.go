package shiptest

import (
	"fmt"
	"slices"
	"strings"

	machineidv1 "github.com/gravitational/teleport/api/gen/proto/go/teleport/machineid/v1"
	"github.com/gravitational/teleport/api/types"
	"google.golang.org/protobuf/encoding/protojson"

	"teleport-plugins/install/resources"
	"teleport-plugins/lib/sandbox/cluster"
)

// create takes resources as strictly as tctl does. What roles allow counts in the cluster
// from then on: a right that a guide forgets is missing.
func (p *programs) create(dir string, args []string) (string, error) {
	if len(args) != 1 {
		return "", fmt.Errorf("one file is needed, not %q", args)
	}
	text, err := p.saved(dir, args[0])
	if err != nil {
		return "", err
	}
	list, err := resources.Read(text)
	if err != nil {
		return "", err
	}
	for _, r := range list {
		if err := p.createOne(r); err != nil {
			return "", err
		}
	}
	return "", nil
}

func (p *programs) createOne(r resources.Resource) error {
	c := p.w.sb.Cluster()
	switch r.Kind {
	case types.KindRole:
		role, err := r.Role()
		if err != nil {
			return err
		}
		allow(c, role, strings.Contains(string(r.JSON), `"submit_for_users":["*"]`))
	case types.KindUser:
		u := &types.UserV2{}
		if err := r.Decode(u); err != nil {
			return err
		}
		c.AddUser(u.GetName(), u.GetRoles(), u.GetTraits())
		p.users = append(p.users, u.GetName())
	case types.KindBot:
		b := &machineidv1.Bot{}
		if err := protojson.Unmarshal(r.JSON, b); err != nil {
			return fmt.Errorf("reading a bot: %w", err)
		}
		c.AddUser("bot-"+b.GetMetadata().GetName(), b.GetSpec().GetRoles(), nil)
	case types.KindToken:
		return r.Decode(&types.ProvisionTokenV2{})
	default:
		return fmt.Errorf("resources of kind %q are not known", r.Kind)
	}
	return nil
}

// allow adds a role with its rights to the cluster.
func allow(c *cluster.Cluster, role *types.RoleV6, submits bool) {
	c.AddRole(role.GetName(), cluster.RoleSpec{})
	for _, rule := range role.GetRules(types.Allow) {
		for _, kind := range rule.Resources {
			c.Allow(role.GetName(), kind, rule.Verbs...)
		}
	}
	if len(role.GetAccessReviewConditions(types.Allow).Roles) > 0 {
		c.Allow(role.GetName(), cluster.KindReviewRequests, cluster.VerbReview)
	}
	if submits {
		c.AllowSubmitFor(role.GetName(), "*")
	}
	ask := role.GetAccessRequestConditions(types.Allow)
	for _, requested := range ask.Roles {
		c.Annotate(requested, ask.Annotations)
	}
}

// ask makes a request, as tsh does, whose annotations are those of the requested roles.
func (p *programs) ask(_ string, args []string) (string, error) {
	f := flags(args)
	if _, ok := f["nowait"]; !ok {
		return "", fmt.Errorf("without --nowait this waits until somebody decides, and what follows is never run")
	}
	id, err := p.w.sb.Cluster().CreateRequest(cluster.CreateParams{
		User: cluster.Alice, Roles: strings.Split(f["roles"], ","), Reason: f["reason"],
	})
	if err != nil {
		return "", err
	}
	p.w.request = id
	return "Request ID: " + id, nil
}

// update gives a user that exists other roles.
func (p *programs) update(_ string, args []string) (string, error) {
	if len(args) == 0 || !slices.Contains(p.users, args[0]) {
		return "", fmt.Errorf("there is no such user: %q", args)
	}
	p.w.sb.Cluster().AddUser(args[0], strings.Split(flags(args[1:])["set-roles"], ","), nil)
	return "", nil
}
