package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.uber.org/zap"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/teleport"
)

// problem is something in a rule that its author should know of.
type problem struct {
	rule, what string
	err        error
}

// tell logs the problems that were not there at the last reading.
func (r *Router) tell(problems map[string]problem, rules []rule) {
	r.mu.Lock()
	before := r.told
	r.told = make(map[string]bool, len(problems))
	for key := range problems {
		r.told[key] = true
	}
	r.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(problems)) {
		if p := problems[key]; !before[key] {
			r.Log.Warn(p.what, zap.String("rule", p.rule), zap.Error(p.err))
		}
	}
	var unclear []string
	for _, rule := range rules {
		if rule.unclear {
			unclear = append(unclear, rule.name)
		}
	}
	if len(unclear) == 0 {
		r.note("")
		return
	}
	slices.Sort(unclear)
	r.note("not understood, so that their recipients are notified of every request: " + message.Cut(strings.Join(unclear, ", "), 500) + "; the log says what is wrong")
}

// lack logs once that there are no rules to go by.
func (r *Router) lack(note, what string, err error) {
	r.mu.Lock()
	before := r.told
	r.told = map[string]bool{what: true}
	r.mu.Unlock()
	switch {
	case before[what]:
	case note == "":
		r.Log.Info(what)
	default:
		r.Log.Warn(what, zap.Error(err))
	}
	r.note(note)
}

func (r *Router) note(text string) {
	if r.Note != nil {
		r.Note("access monitoring rules", text)
	}
}

// once reports whether a problem is to be logged: it was not since the rules
// were last read.
func (r *Router) once(key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	told := r.told[key]
	r.told[key] = true
	return !told
}

// permitted turns the refusal of a look-up into a warning, which is given again
// only if the permission was there meanwhile.
func (r *Router) permitted(what, permission string, err error) error {
	denied := teleport.IsDenied(err)
	if err != nil && !denied {
		return fmt.Errorf("looking up %s: %w", what, err)
	}
	r.mu.Lock()
	told := r.refusals[permission]
	r.refusals[permission] = denied
	r.mu.Unlock()
	if denied && !told {
		r.Log.Warn("Access monitoring rules mention "+what+", which the plugin's role may not read; they see none. To change that add the rule "+permission, zap.Error(err))
	}
	return nil
}
