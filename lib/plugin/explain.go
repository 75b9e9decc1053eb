package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/gravitational/teleport/api/types"

	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/plan"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
	"teleport-plugins/lib/teleport"
)

// question is what explain is asked about: a request that exists, or one that
// somebody might make.
type question struct {
	request   string
	user      string
	roles     []string
	resources []string
	reviewers []string
	json      bool
}

// answerBudget bounds the whole of a command that answers a question.
const answerBudget = time.Minute

// answer is what a question is answered with.
type answer interface {
	text() string // for a person
}

// answerCommand prints what a question is answered with, and returns 1 where it cannot.
func answerCommand(f flags, asJSON bool, stdout, stderr io.Writer, log *diag.Logger, ask func(context.Context, *diag.Logger) (answer, error)) int {
	ctx, cancel := context.WithTimeout(context.Background(), answerBudget)
	defer cancel()
	a, err := ask(ctx, warnings(f, log))
	switch {
	case err != nil:
	case asJSON:
		d := json.NewEncoder(stdout)
		d.SetIndent("", "  ")
		err = d.Encode(a)
	default:
		_, err = io.WriteString(stdout, a.text())
	}
	return ended(stderr, err)
}

// aboutCommand answers a question about a request.
func aboutCommand(i Integration, f flags, q question, stdout, stderr io.Writer, log *diag.Logger, fn func(*session, context.Context, types.AccessRequest) (answer, error)) int {
	return answerCommand(f, q.json, stdout, stderr, log, func(ctx context.Context, log *diag.Logger) (answer, error) {
		return about(ctx, i, f, q, log, fn)
	})
}

// about calls fn with a session that is connected, and the request that the question
// is about.
func about(ctx context.Context, i Integration, f flags, q question, log *diag.Logger, fn func(*session, context.Context, types.AccessRequest) (answer, error)) (a answer, err error) {
	if err := q.validate(); err != nil {
		return nil, err
	}
	return onSession(ctx, i, f, log, func(s *session, ctx context.Context) (answer, error) {
		req, err := s.asked(ctx, q)
		if err != nil {
			return nil, err
		}
		return fn(s, ctx, req)
	})
}

// onSession calls fn with a session that is connected.
func onSession(ctx context.Context, i Integration, f flags, log *diag.Logger, fn func(*session, context.Context) (answer, error)) (a answer, err error) {
	settings, err := load(i, f.config, log.Logger)
	if err != nil {
		return nil, err
	}
	d, err := newDaemon(i, flags{}, log)
	if err != nil {
		return nil, err
	}
	s, err := d.prepare(ctx, settings)
	if err != nil {
		return nil, err
	}
	src, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return fn(s, ctx)
}

// flags lets a command take the question.
func (q *question) flags(cmd *kingpin.CmdClause) {
	cmd.Flag("request", "ID of a request that exists.").StringVar(&q.request)
	cmd.Flag("user", "Teleport user who might make a request.").StringVar(&q.user)
	cmd.Flag("role", "Role that the user might ask for; may be repeated.").StringsVar(&q.roles)
	cmd.Flag("resource", "Resource that the user might ask for, as kind/name or /cluster/kind/name; may be repeated.").StringsVar(&q.resources)
	cmd.Flag("reviewer", "Reviewer whom the user might suggest; may be repeated.").StringsVar(&q.reviewers)
	cmd.Flag("json", "Print JSON.").BoolVar(&q.json)
}

// validate says what a question lacks.
func (q question) validate() error {
	switch {
	case q.request != "" && len(q.roles)+len(q.resources)+len(q.reviewers)+len(q.user) > 0:
		return errors.New("--request names a request that exists; leave out --user, --role, --resource and --reviewer")
	case q.request == "" && (q.user == "" || len(q.roles) == 0):
		return errors.New("name a request with --request, or who asks for what with --user and --role")
	}
	return nil
}

// pendingTime is how long a request waits for reviews unless its roles say otherwise.
const pendingTime = time.Hour

// asked is the request that the question is about.
func (s *session) asked(ctx context.Context, q question) (types.AccessRequest, error) {
	if q.request != "" {
		req, err := cluster{s}.GetRequest(ctx, q.request)
		if err == nil && req == nil {
			err = fmt.Errorf("the cluster shows no access request %s: it does not exist any more, or the plugin's role may not read it (access_request: list, read)", q.request)
		}
		return req, err
	}
	req, err := types.NewAccessRequest(teleport.NoRequest, q.user, q.roles...)
	if err != nil {
		return nil, fmt.Errorf("making up a request: %w", err)
	}
	ids, err := resourceIDs(q.resources, s.info.Load().ClusterName)
	if err != nil {
		return nil, err
	}
	req.SetRequestedResourceIDs(ids)
	req.SetSuggestedReviewers(q.reviewers)
	now := time.Now().UTC()
	req.SetCreationTime(now)
	req.SetExpiry(now.Add(pendingTime))
	annotations, err := s.conn.Load().Annotations(ctx, q.user)
	if err != nil {
		s.health.Note("annotations", "those of the user's roles are not known ("+err.Error()+"); they are left out")
	}
	req.SetSystemAnnotations(annotations)
	s.example = req
	return req, nil
}

// resourceIDs reads resources, each as Teleport writes them ("/cluster/node/name") or
// without the cluster ("node/name").
func resourceIDs(texts []string, cluster string) (ids []types.ResourceID, err error) {
	for _, text := range texts {
		full := text
		if !strings.HasPrefix(text, "/") {
			full = "/" + cluster + "/" + text
		}
		id, err := types.ResourceIDFromString(full)
		if err != nil {
			return nil, fmt.Errorf("%q names no resource; write kind/name, as in node/0c0f9d5e-1111-7222-8333-444455556677, or /cluster/kind/name", text)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// explain puts together what the engine would do, and what it has recorded.
func (s *session) explain(ctx context.Context, req types.AccessRequest) (answer, error) {
	e, _, err := s.outlook(ctx, req)
	if err != nil {
		return nil, err
	}
	for i := range e.Recipients {
		if r := &e.Recipients[i]; r.Address == "" {
			s.resolve(ctx, r)
		}
	}
	return e, nil
}

// outlook has the engine work out whom it would tell what, on a copy of the record. The
// addresses are those that are recorded.
func (s *session) outlook(ctx context.Context, req types.AccessRequest) (*explanation, request.View, error) {
	v := teleport.View(req)
	rec, err := s.recorded(ctx, req)
	if err != nil {
		return nil, v, err
	}
	chosen := len(rec.Progress.Deliveries) > 0 || rec.Progress.Request != 0 || len(rec.Messages) > 0
	choices := s.router().Recipients(ctx, v)
	wants := s.reconciler.Foresee(ctx, v, rec, choices)
	e := &explanation{
		User: wants.User, Roles: wants.Roles, Resources: wants.Resources, Status: wants.Status,
		ApprovalsNeeded: wants.ApprovalsNeeded, Buttons: wants.Decidable,
		Fallback: s.settings.Common().Routing.Fallback,
	}
	if s.example == nil {
		e.Request = wants.ID
	}
	for i := range rec.Progress.Deliveries {
		e.told(wants, &rec.Progress.Deliveries[i], rec.Adopted, choices)
	}
	switch {
	case chosen:
		e.others(choices, "nothing: recipients are chosen once, when a request is announced, and this one was not among them")
	case !wants.Announced:
		e.others(choices, "nothing: the request had ended before it could be announced")
	default:
		e.others(choices, fmt.Sprintf("nothing: there are too many recipients, and only the first %d in alphabetical order are told", len(e.Recipients)))
	}
	e.due(&s.settings.Common().Agenda, wants.View, plan.AbilitiesOf(s.parts.Service), s.clock.Now())
	for _, n := range s.health.Status().Notes {
		e.Notes = append(e.Notes, n.Name+": "+n.Text)
	}
	return e, wants.View, nil
}

// recorded is the record of a request, or an empty one.
func (s *session) recorded(ctx context.Context, req types.AccessRequest) (*plugindata.Record, error) {
	if s.example != nil {
		return plugindata.New(s.parts.Codec), nil
	}
	data, err := cluster{s}.GetPluginData(ctx, types.KindAccessRequest, req.GetName(), s.integration.Name)
	if err != nil {
		return nil, err
	}
	rec, err := plugindata.Decode(s.parts.Codec, data)
	if err != nil {
		s.health.Note("record", "what is readable of it is used: "+err.Error())
	}
	return rec, nil
}

// resolve asks the service for the address of a recipient.
func (s *session) resolve(ctx context.Context, r *explained) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	address, err := s.parts.Service.Resolve(ctx, r.Recipient)
	if err != nil {
		r.Fault = err.Error()
	}
	r.Address = address
}
