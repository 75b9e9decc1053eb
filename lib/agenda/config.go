package agenda

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // an image has no other

	"teleport-plugins/lib/config"
	"teleport-plugins/lib/recipient"
)

// Bounds of what a config may ask for.
const (
	// maxMoments bounds the reminders of one request, and maxSteps the steps of its
	// escalation; plugindata.MaxDeliveries bounds the recipients.
	maxMoments, maxSteps, maxRecipients = 10, 10, 20
	// leastMoment is the shortest time that a moment may be away.
	leastMoment = time.Second
)

// Reminders is the section [reminders]: when it is said again that a request is pending.
type Reminders struct {
	At []Moment `toml:"at" doc:"when it is said below each message that the request is still pending: \"30m\" after it was made, \"25%\" of its time left, or \"15m before expiry\""`
	Calendar
}

// Validate checks the section.
func (r *Reminders) Validate(f *config.Faults) {
	if len(r.At) > maxMoments {
		f.Add("at", fmt.Sprintf("it names %d moments", len(r.At)), fmt.Sprintf("name at most %d", maxMoments))
	}
}

// Escalation is the table [escalation]: steps that add recipients while a request is
// pending, by a name that the operator gives.
type Escalation map[string]Step

// Step is a section [escalation.NAME].
type Step struct {
	After      Moment          `toml:"after" doc:"when the step is taken if nobody has decided: \"30m\" after the request was made, \"25%\" of its time left, or \"15m before expiry\""`
	Recipients recipient.Names `toml:"recipients" doc:"recipients who hear of the request from then on"`
	Roles      []string        `toml:"roles" doc:"roles, or patterns of roles; the step is for requests for one of them, and for all requests if there are none"`
	Calendar
}

// Validate checks the section.
func (e Escalation) Validate(f *config.Faults) {
	if len(e) > maxSteps {
		f.Add("", fmt.Sprintf("it has %d steps", len(e)), fmt.Sprintf("write at most %d", maxSteps))
	}
}

// Validate checks the section.
func (s *Step) Validate(f *config.Faults) {
	if s.After == (Moment{}) && !f.Has("after") {
		f.Add("after", "it is not said when the step is taken", `write for example after = "30m"`)
	}
	switch n := len(s.Recipients); {
	case n == 0:
		f.Add("recipients", "the step has no recipients", "name those who are to hear of the request then")
	case n > maxRecipients:
		f.Add("recipients", fmt.Sprintf("it names %d recipients", n), fmt.Sprintf("name at most %d", maxRecipients))
	}
	for _, role := range s.Roles {
		recipient.WarnOfPattern(f, "roles", role)
	}
}

// Grants is the section [grants]: what is said about access that was given.
type Grants struct {
	WarnBefore []config.Duration `toml:"warn_before" doc:"how long before the end of the access the requester is told that it ends; several times are several messages"`
}

// Validate checks the section.
func (g *Grants) Validate(f *config.Faults) {
	if len(g.WarnBefore) > maxMoments {
		f.Add("warn_before", fmt.Sprintf("it names %d times", len(g.WarnBefore)), fmt.Sprintf("name at most %d", maxMoments))
	}
	for _, d := range g.WarnBefore {
		if time.Duration(d) < leastMoment {
			f.Add("warn_before", fmt.Sprintf("%v is too short", d), `write for example ["15m"]`)
		}
	}
}

// Moment is a time in the life of a pending request. One of the fields is set.
type Moment struct {
	After  time.Duration // since the request was made
	Before time.Duration // before it lapses
	Left   float64       // of its time, in percent
}

// TypeName is what the reference calls it.
func (Moment) TypeName() string { return "moment" }

const beforeExpiry = " before expiry"

// UnmarshalTOML takes "30m", "25%" and "15m before expiry".
func (m *Moment) UnmarshalTOML(raw any) error {
	text, _ := raw.(string)
	text = strings.Join(strings.Fields(text), " ")
	wrong := fmt.Errorf(`%s is no time in the life of a request; write "30m", "25%%" (of its time left) or "15m before expiry"`, config.Describe(raw))
	if text != "" {
		wrong = fmt.Errorf(`%q is no time in the life of a request; write "30m", "25%%" (of its time left) or "15m before expiry"`, text)
	}
	if share, ok := strings.CutSuffix(text, "%"); ok {
		left, err := strconv.ParseFloat(strings.TrimSpace(share), 64)
		if err != nil || math.IsNaN(left) || left <= 0 || left >= 100 {
			return wrong
		}
		*m = Moment{Left: left}
		return nil
	}
	span, before := strings.CutSuffix(text, beforeExpiry)
	d, err := time.ParseDuration(span)
	if err != nil || d < leastMoment {
		return wrong
	}
	if *m = (Moment{After: d}); before {
		*m = Moment{Before: d}
	}
	return nil
}

// String is the moment as it stands in a config.
func (m Moment) String() string {
	switch {
	case m.Left > 0:
		return strconv.FormatFloat(m.Left, 'f', -1, 64) + "%"
	case m.Before > 0:
		return m.Before.String() + beforeExpiry
	}
	return m.After.String()
}

// Calendar is the time in which people are told. The zero value is all the time.
type Calendar struct {
	Hours    string   `toml:"hours" doc:"hours of the day in which people are told, as in \"08:00-18:00\" or \"22:00-06:00\"; what is due at another time waits for them, and is left out if the request lapses before"`
	Days     []string `toml:"days" doc:"days on which these hours begin: mon, tue, wed, thu, fri, sat, sun; by default all"`
	TimeZone string   `toml:"time_zone" doc:"time zone of hours and days, as in \"Europe/Berlin\"; by default UTC"`

	from, to clock
	days     []time.Weekday
	zone     *time.Location
}

// clock is a time of the day.
type clock struct{ hour, minute int }

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Validate reads the calendar.
func (c *Calendar) Validate(f *config.Faults) {
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil || c.TimeZone == "Local" {
		f.Add("time_zone", "this is no time zone", `write the name that the IANA database has for it, as in "Europe/Berlin"`)
		zone = time.UTC
	}
	c.zone = zone
	if !c.readHours() {
		f.Add("hours", "these are no hours of the day", `write for example "08:00-18:00"`)
	}
	c.days = nil
	for _, name := range c.Days {
		day := slices.Index(weekdays, strings.ToLower(name))
		if day < 0 {
			f.Add("days", fmt.Sprintf("%q is no day", name), "choose among mon, tue, wed, thu, fri, sat, sun")
			continue
		}
		c.days = append(c.days, time.Weekday(day))
	}
	if c.TimeZone != "" && c.Hours == "" && len(c.Days) == 0 {
		f.Warn("time_zone", "it has no effect without hours or days", "set one of them, or remove it")
	}
}

// readHours reads the hours, and reports whether they are some.
func (c *Calendar) readHours() (ok bool) {
	c.from, c.to = clock{}, clock{hour: 24}
	if c.Hours == "" {
		return true
	}
	from, to, ok := strings.Cut(c.Hours, "-")
	var begins, ends bool
	c.from, begins = parseClock(from)
	c.to, ends = parseClock(to)
	return ok && begins && ends && c.from != c.to && c.from.hour < 24
}

// parseClock reads a time of the day, such as "08:00"; "24:00" is its end.
func parseClock(text string) (c clock, ok bool) {
	hour, minute, ok := strings.Cut(strings.TrimSpace(text), ":")
	h, err1 := strconv.ParseUint(hour, 10, 8)
	m, err2 := strconv.ParseUint(minute, 10, 8)
	return clock{int(h), int(m)}, ok && err1 == nil && err2 == nil && len(minute) == 2 && m < 60 && (h < 24 || h == 24 && m == 0) //nolint:gosec // of eight bits
}

// on is a time of a day. Where the clock skips it, it is as much later.
func (c *Calendar) on(year int, month time.Month, day int, t clock) time.Time {
	at, wall := time.Date(year, month, day, t.hour, t.minute, 0, 0, c.zone), time.Date(year, month, day, t.hour, t.minute, 0, 0, time.UTC)
	if at.Hour() != wall.Hour() || at.Minute() != wall.Minute() {
		_, before := at.Add(-3 * time.Hour).Zone()
		at = wall.Add(-time.Duration(before) * time.Second).In(c.zone)
	}
	return at
}

// Next is the first time, not before the given one, that is within the hours of a day.
func (c *Calendar) Next(at time.Time) time.Time {
	if c.Hours == "" && len(c.days) == 0 || c.zone == nil {
		return at
	}
	year, month, day := at.In(c.zone).Date()
	for i := -1; i <= 8; i++ { // hours that began the day before may go on
		noon := time.Date(year, month, day+i, 12, 0, 0, 0, c.zone)
		if len(c.days) > 0 && !slices.Contains(c.days, noon.Weekday()) {
			continue
		}
		last := i
		if c.to.hour < c.from.hour || c.to.hour == c.from.hour && c.to.minute <= c.from.minute {
			last++ // they end on the day after
		}
		from, to := c.on(year, month, day+i, c.from), c.on(year, month, day+last, c.to)
		switch {
		case !at.Before(to):
		case at.Before(from):
			return from.UTC()
		default:
			return at
		}
	}
	return at
}
