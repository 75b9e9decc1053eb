package plugin

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gravitational/teleport/api/types"
	"go.uber.org/zap"

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/decision"
	"teleport-plugins/lib/diag"
	"teleport-plugins/lib/teleport"
	"teleport-plugins/lib/watch"
)

// checkBudget bounds the whole of the command check.
const checkBudget = time.Minute

// checkCommand tries all that start will need, says how each thing went, and
// returns 1 if anything is wrong.
func checkCommand(i Integration, f flags, stdout io.Writer, log *diag.Logger) int {
	c := &checker{out: stdout}
	ctx, cancel := context.WithTimeout(context.Background(), checkBudget)
	defer cancel()
	settings := i.New()
	report, err := config.Load(f.config, settings)
	for _, w := range report.Warnings {
		c.say("warn", w.String())
	}
	if err == nil {
		err = report.Strict()
	}
	if !c.result("config "+f.config, err) {
		return 1
	}
	quiet := &diag.Logger{Logger: zap.NewNop()}
	if f.debug {
		quiet = log
	}
	d, err := newDaemon(i, flags{}, quiet)
	if !c.result("set-up", err) {
		return 1
	}
	s, err := d.prepare(ctx, settings)
	if !c.result("credentials", err) {
		return 1
	}
	c.result(i.Title+" accepts the credentials", s.check(ctx))
	if inspector, ok := s.parts.Service.(Inspector); ok {
		for _, fault := range inspector.Inspect(ctx) {
			c.result("recipients", fmt.Errorf("%s", fault))
		}
	}
	c.cluster(ctx, s, log)
	c.notes(d.health)
	if c.failed {
		return 1
	}
	return 0
}

type checker struct {
	out    io.Writer
	failed bool
	noted  []string
}

// notes says what is noted and was not said yet.
func (c *checker) notes(h *diag.Health) {
	for _, n := range h.Status().Notes {
		if text := n.Name + ": " + n.Text; !slices.Contains(c.noted, text) {
			c.noted = append(c.noted, text)
			c.say("note", text)
		}
	}
}

func (c *checker) say(word, text string) { fmt.Fprintf(c.out, "%-5s %s\n", word, text) }

func (c *checker) result(what string, err error) bool {
	if err != nil {
		c.failed = true
		c.say("FAIL", what+": "+err.Error())
		return false
	}
	c.say("ok", what)
	return true
}

// cluster tries the connection and each permission.
func (c *checker) cluster(ctx context.Context, s *session, log *diag.Logger) {
	src, err := s.connect(ctx)
	if !c.result("connection to Teleport at "+s.settings.Common().Teleport.Addr, err) {
		return
	}
	defer src.Close()
	c.say("ok", fmt.Sprintf("cluster %s, version %s, as user %s", s.info.Load().ClusterName, s.info.Load().ServerVersion, s.identity.Load().User))
	c.result("watch access requests (access_request: list, read)", watch.Try(ctx, src, teleport.IsDenied))
	conn := s.conn.Load()
	_, err = conn.GetPluginData(ctx, types.KindAccessRequest, teleport.NoRequest, s.integration.Name)
	c.result("read plugin data (access_plugin_data: read)", err)
	err = conn.UpdatePluginData(ctx, types.KindAccessRequest, teleport.NoRequest, s.integration.Name,
		map[string]string{"check": ""}, nil)
	if teleport.IsNotFound(err) {
		err = nil // the request does not exist, but we were let in
	}
	c.result("write plugin data (access_plugin_data: update)", err)
	if listener, ok := s.listener(); ok {
		o := s.desk(func(string) { c.notes(s.health) }) // some are withdrawn when it ends
		o.Log = log.Logger                              // what somebody presses meanwhile is logged in any case
		decision.Check(ctx, o, listener, reported{c})
	}
}

// reported takes what the check of decisions finds.
type reported struct{ c *checker }

func (r reported) Result(what string, err error) bool { return r.c.result(what, err) }

func (r reported) Note(text string) { r.c.say("note", text) }
