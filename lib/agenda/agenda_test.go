package agenda_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/agenda"
	"teleport-plugins/lib/config"
	"teleport-plugins/lib/config/configtest"
	"teleport-plugins/lib/request"
)

// load reads an agenda from a config.
func load(t *testing.T, text string) (*agenda.Agenda, config.Report, error) {
	t.Helper()
	var c struct{ agenda.Agenda }
	report, err := configtest.Load(t, "test.toml", text, &c)
	return &c.Agenda, report, err
}

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

// Each moment is when the config says, in its hours, in the order of time.
func TestEntries(t *testing.T) {
	pending := request.View{Status: request.Pending, Roles: []string{"dev"}, Created: at("2026-03-27 09:00"), Expires: at("2026-03-27 13:00")} // a Friday
	approved := request.View{Status: request.Approved, Created: at("2026-03-27 09:00"), Expires: at("2026-03-27 17:00"), AccessUntil: at("2026-03-27 17:00")}
	long := func(created string, days int) request.View {
		v := pending
		v.Created = at(created)
		v.Expires = v.Created.AddDate(0, 0, days)
		return v
	}
	for name, c := range map[string]struct {
		config string
		view   request.View
		want   []string
	}{
		"nothing is configured":           {``, pending, nil},
		"durations":                       {`reminders.at = ["30m", "1h30m"]`, pending, []string{"09:30 pending 1800", "10:30 pending 5400"}},
		"shares of the time left":         {`reminders.at = ["50%", "25%", "12.5%"]`, pending, []string{"11:00 pending 7200", "12:00 pending 10800", "12:30 pending 12600"}},
		"before the expiry":               {`reminders.at = ["15m before expiry"]`, pending, []string{"12:45 pending 13500"}},
		"not in the order of time":        {`reminders.at = ["15m before expiry", "30m"]`, pending, []string{"09:30 pending 1800", "12:45 pending 13500"}},
		"after the request has lapsed":    {`reminders.at = ["4h", "5h"]`, pending, nil},
		"before the request was made":     {`reminders.at = ["5h before expiry"]`, pending, nil},
		"nothing of the decided":          {"reminders.at = [\"30m\"]\nescalation.a = {after = \"1h\", recipients = [\"x\"]}", approved, nil},
		"nothing of the denied":           {`grants.warn_before = ["1h"]`, request.View{Status: request.Denied, Created: approved.Created, AccessUntil: approved.AccessUntil}, nil},
		"warnings":                        {`grants.warn_before = ["15m", "1h"]`, approved, []string{"16:00 ending 25200", "16:45 ending 27900"}},
		"a grant shorter than its notice": {`grants.warn_before = ["8h", "9h"]`, approved, nil},
		"a grant that begins later": {
			`grants.warn_before = ["2h", "30m"]`,
			request.View{Status: request.Approved, Created: at("2026-03-27 09:00"), Start: at("2026-03-27 16:00"), AccessUntil: at("2026-03-27 17:00")},
			[]string{"16:30 ending 27000"},
		},
		"steps": {
			"[escalation.b]\nafter = \"10m\"\nrecipients = \"lead\"\n[escalation.a]\nafter = \"50%\"\nrecipients = [\"boss\", \"chief\"]\n", pending,
			[]string{"09:10 step b [lead]", "11:00 step a [boss chief]"},
		},
		"steps for roles":         {"[escalation.a]\nafter = \"10m\"\nroles = [\"prod*\"]\nrecipients = \"x\"\n[escalation.b]\nafter = \"10m\"\nroles = [\"d*v\"]\nrecipients = \"y\"", pending, []string{"09:10 step b [y]"}},
		"an unknown age":          {`reminders.at = ["30m"]`, request.View{Status: request.Pending}, nil},
		"an unknown end":          {`reminders.at = ["30m", "25%", "1h before expiry"]`, request.View{Status: request.Pending, Created: pending.Created}, []string{"09:30 pending 1800"}},
		"outside the hours":       {"[reminders]\nat = [\"30m\", \"90m\"]\nhours = \"10:00-18:00\"", pending, []string{"10:00 pending 3600", "10:30 pending 5400"}},
		"never in the hours":      {"[reminders]\nat = [\"30m\"]\nhours = \"13:00-18:00\"", pending, nil},
		"hours in a zone":         {"[reminders]\nat = [\"30m\"]\nhours = \"11:00-18:00\"\ntime_zone = \"Europe/Berlin\"", pending, []string{"10:00 pending 3600"}},
		"hours over midnight":     {"[reminders]\nat = [\"1h\", \"2h\"]\nhours = \"22:00-10:30\"", pending, []string{"10:00 pending 3600"}},
		"hours of the day before": {"[reminders]\nat = [\"1h\"]\nhours = \"22:00-11:00\"\ndays = [\"Thu\"]", pending, []string{"10:00 pending 3600"}},
		"a weekend":               {"[reminders]\nat = [\"3h\"]\nhours = \"09:00-11:00\"\ndays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"]", long("2026-03-27 09:00", 4), []string{"2026-03-30 09:00 pending 259200"}},
		// In Berlin the clock goes from 02:00 to 03:00 on 29 March 2026.
		"hours after the clock went forward": {"[reminders]\nat = [\"1h\"]\nhours = \"08:00-18:00\"\ntime_zone = \"Europe/Berlin\"", long("2026-03-28 20:00", 2), []string{"2026-03-29 06:00 pending 36000"}},
		"hours before it":                    {"[reminders]\nat = [\"1h\"]\nhours = \"08:00-18:00\"\ntime_zone = \"Europe/Berlin\"", long("2026-03-27 20:00", 2), []string{"2026-03-28 07:00 pending 39600"}},
		// There it goes back from 03:00 to 02:00 on 25 October 2026.
		"hours that are twice":   {"[reminders]\nat = [\"30m\"]\nhours = \"02:30-18:00\"\ntime_zone = \"Europe/Berlin\"", long("2026-10-24 23:00", 2), []string{"2026-10-25 01:30 pending 9000|2026-10-25 00:30 pending 5400"}},
		"hours that are skipped": {"[reminders]\nat = [\"1h\"]\nhours = \"02:30-06:00\"\ntime_zone = \"America/New_York\"", long("2026-03-08 02:00", 2), []string{"2026-03-08 07:30 pending 19800|07:30 pending 19800"}},
		"a day that begins late": {"[reminders]\nat = [\"1h\"]\ndays = [\"sun\"]\ntime_zone = \"America/Santiago\"", long("2026-09-05 20:00", 3), []string{"2026-09-06 04:00 pending 28800"}},
		"two moved to one time":  {"[reminders]\nat = [\"10m\", \"20m\"]\nhours = \"10:00-18:00\"", pending, []string{"10:00 pending 3600", "10:00 pending 3600"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, report, err := load(t, c.config)
			if err != nil || len(report.Warnings) > 0 {
				t.Fatal(err, report.Warnings)
			}
			var got []string
			for _, e := range a.Entries(c.view) {
				form := "15:04"
				if e.At.YearDay() != c.view.Created.YearDay() {
					form = "2006-01-02 15:04"
				}
				text := e.At.UTC().Format(form) + " "
				if e.Step != "" {
					text += fmt.Sprint("step ", e.Step, " ", e.Recipients)
				} else {
					text += fmt.Sprint(e.Kind, " ", e.Index)
				}
				got = append(got, text)
			}
			if !slices.EqualFunc(got, c.want, func(g, w string) bool { return slices.Contains(strings.Split(w, "|"), g) }) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// What is due is the newest of each kind, as long as it holds.
func TestDue(t *testing.T) {
	alone, _, err := load(t, "escalation.a = {after = \"15m\", recipients = \"x\"}")
	if err != nil {
		t.Fatal(err)
	}
	if d := alone.Due(request.View{Status: request.Pending, Created: at("2026-01-01 10:00"), Expires: at("2026-01-01 11:00")}, at("2026-01-01 11:00")); len(d.Steps) > 0 {
		t.Error("a step is taken for a request that has lapsed")
	}

	a, _, err := load(t, "reminders.at = [\"10m\", \"20m\"]\ngrants.warn_before = [\"15m\"]\nescalation.a = {after = \"15m\", recipients = \"x\"}")
	if err != nil {
		t.Fatal(err)
	}
	v := request.View{Status: request.Pending, Created: at("2026-01-01 10:00"), Expires: at("2026-01-01 11:00"), AccessUntil: at("2026-01-01 12:00")}
	given := v
	given.Status = request.Approved
	for _, c := range []struct {
		view request.View
		now  string
		want string
	}{
		{v, "2026-01-01 10:00", "pending 0, ending 0, steps 0, last 0, next 10:10"},
		{v, "2026-01-01 10:10", "pending 600, ending 0, steps 0, last 600, next 10:15"},
		{v, "2026-01-01 10:19", "pending 600, ending 0, steps 1, last 900, next 10:20"},
		{v, "2026-01-01 10:59", "pending 1200, ending 0, steps 1, last 1200, next never"},
		{v, "2026-01-01 11:00", "pending 0, ending 0, steps 0, last 1200, next never"},
		{given, "2026-01-01 11:00", "pending 0, ending 0, steps 0, last 0, next 11:45"},
		{given, "2026-01-01 11:45", "pending 0, ending 6300, steps 0, last 6300, next never"},
		{given, "2026-01-01 12:00", "pending 0, ending 0, steps 0, last 6300, next never"},
	} {
		d, next := a.Due(c.view, at(c.now)), "never"
		if !d.Next.IsZero() {
			next = d.Next.Format("15:04")
		}
		if got := fmt.Sprintf("pending %d, ending %d, steps %d, last %d, next %s", d.Pending, d.Ending, len(d.Steps), d.Last, next); got != c.want {
			t.Errorf("%s at %s: %s, want %s", c.view.Status, c.now, got, c.want)
		}
	}
}

// A config that cannot be meant is refused in a sentence.
func TestBadAgendas(t *testing.T) {
	for text, want := range map[string]string{
		`reminders.at = ["soon"]`:            `"soon" is no time in the life of a request`,
		`reminders.at = ["0%"]`:              `"0%" is no time`,
		`reminders.at = ["100%"]`:            `"100%" is no time`,
		`reminders.at = ["NaN%"]`:            `"NaN%" is no time`,
		`reminders.at = ["-5m"]`:             `"-5m" is no time`,
		`reminders.at = ["5m after expiry"]`: `is no time`,
		`reminders.at = [5]`:                 `a whole number is no time`,
		`reminders.at = "5m"`:                `not a list`,
		`reminders.at = ["1m","2m","3m","4m","5m","6m","7m","8m","9m","10m","11m"]`:           `11 moments`,
		"[reminders]\nhours = \"9-17\"":                                                       `these are no hours of the day`,
		"[reminders]\nhours = \"09:00-09:00\"":                                                `these are no hours of the day`,
		"[reminders]\nhours = \"24:00-09:00\"":                                                `these are no hours of the day`,
		"[reminders]\nhours = \"09:00-24:01\"":                                                `these are no hours of the day`,
		"[reminders]\nhours = \"09:60-17:00\"":                                                `these are no hours of the day`,
		"[reminders]\ndays = [\"today\"]":                                                     `"today" is no day`,
		"[reminders]\ntime_zone = \"Mars/Olympus\"":                                           `this is no time zone`,
		"[reminders]\ntime_zone = \"Local\"":                                                  `this is no time zone`,
		"[reminders]\ntime_zone = \"Europe/Berlin\"":                                          `no effect without hours or days`,
		"[escalation.a]\nrecipients = \"x\"":                                                  `it is not said when the step is taken`,
		"[escalation.a]\nafter = \"5m\"":                                                      `the step has no recipients`,
		"[escalation.a]\nafter = \"never\"\nrecipients = \"x\"":                               `"never" is no time`,
		`grants.warn_before = ["0s"]`:                                                         `0s is too short`,
		"[escalation.a]\nafter = \"5m\"\nrecipients = [" + strings.Repeat("\"x\",", 21) + "]": `21 recipients`,
		strings.Join(manySteps(11), "\n"):                                                     `11 steps`,
		`grants.warn_before = "15m"`:                                                          `not a list`,
	} {
		_, report, err := load(t, text)
		said := fmt.Sprint(err, report.Warnings)
		if !strings.Contains(said, want) {
			t.Errorf("%s: %s, want %s", text, said, want)
		}
		if n := strings.Count(said, want); n > 1 {
			t.Errorf("%s: said %d times", text, n)
		}
	}
}

// Whatever is written reads back as the same moment.
func FuzzMoment(f *testing.F) {
	for _, text := range []string{"30m", "25%", "15m before expiry", "1e1%", "  7s ", "1h2m3s", "%", "before expiry"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var m, again agenda.Moment
		if m.UnmarshalTOML(text) != nil {
			return
		}
		if err := again.UnmarshalTOML(m.String()); err != nil || again != m {
			t.Fatalf("%q is %q, which reads as %q: %v", text, m, again, err)
		}
		v := request.View{Status: request.Pending, Created: at("2026-01-01 10:00"), Expires: at("2026-01-01 11:00")}
		a := agenda.Agenda{Reminders: agenda.Reminders{At: []agenda.Moment{m}}}
		for _, e := range a.Entries(v) {
			if !e.At.After(v.Created) || !e.At.Before(v.Expires) {
				t.Fatalf("%q comes at %v", text, e.At)
			}
		}
	})
}

func manySteps(n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf("[escalation.s%d]\nafter = \"5m\"\nrecipients = \"x\"", i))
	}
	return lines
}
