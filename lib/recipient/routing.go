package recipient

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

// Routing is the section [routing]: who hears of a request for what it asks for, beside
// the roles.
type Routing struct {
	Annotation string `toml:"annotation" doc:"annotation of roles (allow.request.annotations) that names recipients of the requests that these roles allow"`
	Labels     Table  `toml:"labels" doc:"label of requested resources, as \"name=value\", to recipients; * stands for any text"`
	Fallback   Names  `toml:"fallback" doc:"recipients who are told where nobody else is, or none of the others can be reached"`
}

// maxFallback bounds the fallback: each request has room for 100 recipients in all.
const maxFallback = 10

// Validate checks the labels, and that the fallback is short.
func (r *Routing) Validate(f *config.Faults) {
	if len(r.Fallback) > maxFallback {
		f.Add("fallback", fmt.Sprintf("it names %d recipients", len(r.Fallback)), fmt.Sprintf("name at most %d", maxFallback))
	}
	for label := range r.Labels {
		if name, _, ok := strings.Cut(label, "="); !ok || strings.TrimSpace(name) == "" {
			f.In("labels").Add(label, "this is not a label", `write its name and value, as in "env=prod" or "team=*"`)
		}
	}
}

// Routed routes by annotations and labels, beside another router. Where one of them
// names recipients, those who stand for everything else are not told.
type Routed struct {
	Routing
	// Otherwise is the routing of the service's own config.
	Otherwise integration.Router
	// Labels returns the labels of each resource of a request, by the request's id.
	Labels func(ctx context.Context, request string) ([]map[string]string, error)
	Log    *zap.Logger
}

// labelsTime bounds the look-up of labels for a request.
const labelsTime = 5 * time.Second

// Recipients lists those of the annotation, those of the labels, and the others.
func (r Routed) Recipients(ctx context.Context, v request.View) integration.Choices {
	var list integration.Choosing
	if r.Annotation != "" {
		for _, name := range v.Annotations[r.Annotation] {
			if name = strings.TrimSpace(name); name != "" {
				list.Add(name, "the annotation "+r.Annotation+" of a role")
			}
		}
	}
	r.byLabels(ctx, v, &list)
	specific := len(list.Choices.Recipients()) > 0 || list.Choices.Silent()
	for _, c := range r.Otherwise.Recipients(ctx, v) {
		if !specific || !c.Default {
			list.AddAll(integration.Choices{c})
		}
	}
	if len(list.Choices.Recipients()) == 0 && !list.Choices.Silent() {
		list.AddAll(integration.Choose("[routing] fallback, as nobody else is named", r.Fallback...))
	}
	return list.Choices
}

// Configured lists the recipients that the config names, each once, sorted.
func (r Routed) Configured() (list []string) {
	if router, ok := r.Otherwise.(interface{ Configured() []string }); ok {
		list = slices.Clone(router.Configured())
	}
	for _, names := range r.Routing.Labels {
		list = append(list, names...)
	}
	list = append(list, r.Fallback...)
	slices.Sort(list)
	return slices.Compact(list)
}

// byLabels adds the recipients of each label that one of the resources has.
func (r Routed) byLabels(ctx context.Context, v request.View, list *integration.Choosing) {
	if len(r.Routing.Labels) == 0 || len(v.Resources) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, labelsTime)
	defer cancel()
	resources, err := r.Labels(ctx, v.ID)
	if err != nil {
		r.Log.Warn("The labels of the requested resources cannot be read; [routing.labels] names nobody for this request", zap.String("request_id", v.ID), zap.Error(err))
		list.AddAll(integration.Choices{{Why: "[routing.labels] is not used, since the labels cannot be read: " + err.Error(), Blind: true}})
		return
	}
	all := r.coversAll(resources)
	for _, key := range slices.Sorted(maps.Keys(r.Routing.Labels)) {
		label, ok := carried(key, resources)
		if !ok {
			continue
		}
		list.AddAll(integration.Choose("[routing.labels] "+strconv.Quote(key)+", as a resource has "+strconv.Quote(message.Cut(label, 100)), r.Routing.Labels[key]...))
		if names := r.Routing.Labels[key]; len(names) == 0 && all {
			list.AddAll(integration.Choices{{Why: "[routing.labels] " + strconv.Quote(key) + ": nobody", Nobody: true}})
		}
	}
}

// coversAll reports whether each of the resources has a label that is listed: a resource
// for nobody silences no other.
func (r Routed) coversAll(resources []map[string]string) bool {
	for _, labels := range resources {
		listed := func(key string) bool { _, ok := carried(key, []map[string]string{labels}); return ok }
		if !slices.ContainsFunc(slices.Collect(maps.Keys(r.Routing.Labels)), listed) {
			return false
		}
	}
	return true
}

// carried is the first label of the resources that fits a pattern.
func carried(pattern string, resources []map[string]string) (label string, ok bool) {
	for _, labels := range resources {
		for _, name := range slices.Sorted(maps.Keys(labels)) {
			if label := name + "=" + labels[name]; Matches(pattern, label) {
				return label, true
			}
		}
	}
	return "", false
}
