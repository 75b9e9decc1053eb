package recipient_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/recipient"
	"teleport-plugins/lib/request"
)

func TestRoutingByAnnotationsAndLabels(t *testing.T) {
	table := recipient.Table{"*": {"all"}, "dba": {"db"}, "quiet": {}}
	routing := recipient.Routing{
		Annotation: "notify",
		Labels:     recipient.Table{"env=prod": {"prod"}, "team=*": {"teams"}, "env=dev": {}, "a=b=c": {"odd"}},
		Fallback:   recipient.Names{"last"},
	}
	prod, dev := map[string]string{"env": "prod", "x": "y"}, map[string]string{"env": "dev"}
	for name, c := range map[string]struct {
		view   request.View
		labels []map[string]string
		err    error
		table  recipient.Table
		want   []string
		silent bool
		warned int
	}{
		"neither":                           {view: request.View{Roles: []string{"dev"}}, table: table, want: []string{"all"}},
		"an annotation":                     {view: request.View{Roles: []string{"dev"}, Annotations: map[string][]string{"notify": {"ann", " ", "bob"}}}, table: table, want: []string{"ann", "bob"}},
		"another annotation":                {view: request.View{Roles: []string{"dev"}, Annotations: map[string][]string{"other": {"ann"}}}, table: table, want: []string{"all"}},
		"an annotation and an entry":        {view: request.View{Roles: []string{"dba"}, Annotations: map[string][]string{"notify": {"ann"}}}, table: table, want: []string{"ann", "db"}},
		"an entry, and * for another role":  {view: request.View{Roles: []string{"dba", "dev"}}, table: table, want: []string{"db", "all"}},
		"a label":                           {view: request.View{Roles: []string{"dev"}, Resources: []string{"n"}}, labels: []map[string]string{prod}, table: table, want: []string{"prod"}},
		"a label of one of several":         {view: request.View{Roles: []string{"dev"}, Resources: []string{"m", "n"}}, labels: []map[string]string{nil, prod}, table: table, want: []string{"prod"}},
		"a pattern of a label":              {view: request.View{Roles: []string{"dev"}, Resources: []string{"n"}}, labels: []map[string]string{{"team": "x"}}, table: table, want: []string{"teams"}},
		"a value with =":                    {view: request.View{Roles: []string{"dev"}, Resources: []string{"n"}}, labels: []map[string]string{{"a": "b=c"}}, table: table, want: []string{"odd"}},
		"no such label":                     {view: request.View{Roles: []string{"dev"}, Resources: []string{"n"}}, labels: []map[string]string{{"env": "test"}}, table: table, want: []string{"all"}},
		"a label that is for nobody":        {view: request.View{Roles: []string{"dev"}, Resources: []string{"n"}}, labels: []map[string]string{dev}, table: table, silent: true},
		"one for nobody, one for somebody":  {view: request.View{Roles: []string{"dev"}, Resources: []string{"m", "n"}}, labels: []map[string]string{dev, prod}, table: table, want: []string{"prod"}, silent: true},
		"one for nobody, one not listed":    {view: request.View{Roles: []string{"dev"}, Resources: []string{"m", "n"}}, labels: []map[string]string{dev, {"env": "test"}}, table: table, want: []string{"all"}},
		"labels that cannot be read":        {view: request.View{Roles: []string{"dev"}, Resources: []string{"n"}}, err: errors.New("denied"), table: table, want: []string{"all"}, warned: 1},
		"no resources":                      {view: request.View{Roles: []string{"dev"}}, err: errors.New("must not be asked"), table: table, want: []string{"all"}},
		"a role that is for nobody":         {view: request.View{Roles: []string{"quiet"}}, table: table, silent: true},
		"nobody at all":                     {view: request.View{Roles: []string{"dev"}}, want: []string{"last"}},
		"a reviewer beside an annotation":   {view: request.View{SuggestedReviewers: []string{"r@example.org"}, Annotations: map[string][]string{"notify": {"ann"}}}, table: table, want: []string{"ann", "r@example.org"}},
		"a reviewer for a role for nobody":  {view: request.View{Roles: []string{"quiet"}, SuggestedReviewers: []string{"r@example.org"}}, table: table, want: []string{"r@example.org"}, silent: true},
		"named twice, by * and by an entry": {view: request.View{Roles: []string{"x", "y"}, Annotations: map[string][]string{"notify": {"ann"}}}, table: recipient.Table{"*": {"same"}, "y": {"same"}}, want: []string{"ann", "same"}},
	} {
		t.Run(name, func(t *testing.T) {
			core, logged := observer.New(zap.WarnLevel)
			router := recipient.Routed{
				Routing: routing, Otherwise: recipient.Static{Table: c.table, Log: zap.NewNop()}, Log: zap.New(core),
				Labels: func(context.Context, string) ([]map[string]string, error) { return c.labels, c.err },
			}
			got := router.Recipients(t.Context(), c.view)
			if !slices.Equal(got.Recipients(), c.want) || got.Silent() != c.silent || got.Whole() != (c.err == nil || len(c.view.Resources) == 0) || logged.Len() != c.warned {
				t.Errorf("got %+v (%d warnings), want %q", got, logged.Len(), c.want)
			}
			if i := slices.IndexFunc(got, func(c integration.Choice) bool { return c.Why == "" }); i >= 0 {
				t.Errorf("nothing says why: %+v", got[i])
			}
		})
	}
}

// Whatever is added to the routing, nobody whom a role's own entry names is left out.
func FuzzRoutingOnlyReplacesTheDefault(f *testing.F) {
	f.Add("dba", "ann", "env", "prod", "env=prod")
	f.Add("x", "", "", "", "=")
	f.Fuzz(func(t *testing.T, role, annotation, name, value, label string) {
		table := recipient.Table{"*": {"all"}, "dba": {"db"}}
		v := request.View{Roles: []string{role}, Resources: []string{"n"}, Annotations: map[string][]string{"notify": {annotation}}}
		otherwise := recipient.Static{Table: table, Log: zap.NewNop()}
		got := recipient.Routed{
			Routing: recipient.Routing{Annotation: "notify", Labels: recipient.Table{label: {"team"}}}, Otherwise: otherwise, Log: zap.NewNop(),
			Labels: func(context.Context, string) ([]map[string]string, error) {
				return []map[string]string{{name: value}}, nil
			},
		}.Recipients(t.Context(), v).Recipients()
		if len(got) == 0 || role == "dba" && !slices.Contains(got, "db") {
			t.Errorf("%q are told", got)
		}
	})
}

// routed is a config with the section alone.
type routed struct {
	Routing recipient.Routing `toml:"routing"`
}

func TestMistakesInTheRouting(t *testing.T) {
	for text, want := range map[string]string{
		"annotation = \"x\"\nfallback = \"ops\"":           "",
		"[routing.labels]\n\"env=prod\" = \"a\"":           "",
		"[routing.labels]\nenv = \"a\"":                    `routing.labels.env: this is not a label; write its name and value, as in "env=prod" or "team=*"`,
		"[routing.labels]\n\"=x\" = \"a\"":                 `routing.labels."=x": this is not a label; write its name and value, as in "env=prod" or "team=*"`,
		"fallback = [" + strings.Repeat(`"a", `, 11) + "]": "routing.fallback: it names 11 recipients; name at most 10",
		"fallback = \"https://x/SECRET\"":                  "routing.fallback: a recipient is a web address, which may hold a secret; name a channel or a person",
	} {
		path := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(path, []byte("[routing]\n"+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := config.Load(path, &routed{})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if want == "" && got != "" || !strings.HasSuffix(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestAllThatTheRoutingNamesIsConfigured(t *testing.T) {
	router := recipient.Routed{
		Routing:   recipient.Routing{Labels: recipient.Table{"a=b": {"l", "x"}}, Fallback: recipient.Names{"f"}},
		Otherwise: recipient.Static{Table: recipient.Table{"*": {"x"}}},
	}
	if got, want := router.Configured(), []string{"f", "l", "x"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
