package plan

import (
	"cmp"
	"maps"
	"slices"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// Done notes that an effect has happened. The messages are those that an
// announcement made; known says that they show the request as it is.
func (w Wants) Done(d *plugindata.Delivery, e integration.Effect, made []plugindata.Message, known bool) {
	delete(d.Doubt, e.String())
	now := integration.Outcome(e.Kind, w.Status) == e
	switch {
	case e.Kind == integration.Announce:
		w.announced(d, made, known)
	case e.Kind == integration.Review:
		d.Reviews = max(d.Reviews, e.Index+1)
	case e.Kind == integration.Pending:
		d.Reminded = max(d.Reminded, e.Index)
	case e.Kind == integration.Ending:
		d.Warned = max(d.Warned, e.Index)
	case e.Kind == integration.End && now:
		d.Ended = w.Status
	case e.Kind == integration.Notice && now:
		d.Noticed = w.Status
	}
}

// Made notes that a message was made now, or may have been. One that is found later is
// as old as that: whoever has it has waited since.
func (w Wants) Made(d *plugindata.Delivery) { d.Since = max(d.Since, w.Due.Last) }

func (w Wants) announced(d *plugindata.Delivery, made []plugindata.Message, known bool) {
	if known {
		w.Made(d)
	}
	for _, m := range made {
		if d.Has(m) {
			continue
		}
		p := plugindata.Post{Channel: m.Channel, ID: m.ID}
		// Where the end is told below the message, the message does not show it.
		if !w.Can.Shows || known && !(w.Can.Ends && w.Status.Ended()) {
			p.Shown, p.Buttons = w.Version(), w.Decidable
		}
		d.Posts = append(d.Posts, p)
	}
	if known && w.Status.Ended() && d.Requester {
		d.Noticed = w.Status // the copy itself says it
	}
}

// Shown notes that a message shows the request as it is.
func (w Wants) Shown(p *plugindata.Post) {
	p.Shown, p.Buttons = w.Version(), w.Decidable
	p.Unsure = p.Unsure && !w.Again
}

// Removed notes that a message does not exist any more. The last one is made once
// more, and what was told below it is not told again.
func (w Wants) Removed(d *plugindata.Delivery, m plugindata.Message) {
	d.Posts = slices.DeleteFunc(d.Posts, func(p plugindata.Post) bool { return p.Message() == m })
	if len(d.Posts) > 0 {
		return
	}
	d.Generation++
	d.Reviews, d.Ended = len(w.Reviews), ""
	maps.DeleteFunc(d.Doubt, func(name string, _ plugindata.Doubt) bool { return !effectNamed(name).Kind.Private() })
}

// steps takes all steps for a recipient, now or later, in thought, and calls fn
// before each.
func (w Wants) steps(d *plugindata.Delivery, fn func(s Step)) {
	w.Again = true
	s, due := w.Next(d)
	if !due {
		return
	}
	c := d.Clone()
	for ; due; s, due = w.Next(&c) {
		fn(s)
		switch s.Verb {
		case Tell:
			w.Done(&c, s.Effect, []plugindata.Message{{ID: "new"}}, true)
		case Show:
			w.Shown(&c.Posts[s.Post])
		case Settle:
			delete(c.Doubt, s.Effect.String())
			if s.Effect.Kind == "" {
				c.Doubt = nil // names nothing that this service has
			}
		}
	}
}

// Left counts the steps that are missing for a recipient, now or later, if each
// succeeds and what is in doubt has not happened. It falls with each step that is
// taken.
func (w Wants) Left(d *plugindata.Delivery) (n int) {
	w.steps(d, func(Step) { n++ })
	return n
}

// LeftAll counts them for all recipients.
func (w Wants) LeftAll(p *plugindata.Progress) (n int) {
	for i := range p.Deliveries {
		n += w.Left(&p.Deliveries[i])
	}
	return n
}

// Finished reports whether nothing is missing for a recipient, now or later.
func (w Wants) Finished(d *plugindata.Delivery) bool {
	w.Again = true
	_, due := w.Next(d)
	return !due
}

// Unfinished names the recipients for whom something is missing.
func (w Wants) Unfinished(p *plugindata.Progress) (names []string) {
	for i := range p.Deliveries {
		if !w.Finished(&p.Deliveries[i]) {
			names = append(names, p.Deliveries[i].Recipient)
		}
	}
	return names
}

// At is what is wanted of a request in the given state, of which nothing else is
// known.
func (a Abilities) At(aim request.Version) Wants {
	w := Wants{Can: a, Announced: true, AnyButtons: true}
	w.Status = cmp.Or(aim.Status, request.Pending)
	w.Reviews = slices.Repeat([]request.Review{{Author: "unknown"}}, aim.Reviews)
	return w
}

// Suspect puts in doubt what a replica may have begun that died after it had
// claimed the request for this: the steps that it would have taken. If the announcement
// was in doubt, these depend on whether it found one: a requester is notified only of
// what an earlier copy does not say.
func (w Wants) Suspect(d *plugindata.Delivery, claim ledger.Claim) {
	begun := make(map[string]bool)
	suspect := func(s Step) {
		switch name := s.Effect.String(); {
		case s.Verb == Tell && !begun[name]:
			begun[name] = true
			d.Doubted(name, claim)
		case s.Verb == Show && s.Post < len(d.Posts): // not one that it made itself
			d.Posts[s.Post].Unsure = true
		}
	}
	e, found := announcement(d), d.Clone()
	inDoubt := d.Doubt[e.String()].Tries > 0
	w.steps(d, suspect)
	if inDoubt {
		w.Done(&found, e, []plugindata.Message{{ID: "new"}}, false)
		w.steps(&found, suspect)
	}
}
