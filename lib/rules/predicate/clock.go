package predicate

import (
	"fmt"
	"time"
)

// clockFunctions tell of a moment which day and time it is in UTC.
//
//	day(t)                          the weekday in English, as in "Monday"
//	clock_between(t, "HH:MM", "HH:MM")
//	                                whether the minute of t is among those from
//	                                the first to the last, both included; a last
//	                                one that is earlier than the first is on the
//	                                next day
//
// and compare moments:
//
//	before(t, u), after(t, u)       whether t is earlier, or later, than u
//	between(t, first, last)         whether t is neither earlier than first nor later
//	                                than last
//	time.RFC3339("2026-11-20T17:30:00Z")
//	                                the moment that is written so
func clockFunctions() map[string]function {
	two := []kind{kindTime, kindTime}
	return map[string]function{
		"before": method(overload{
			params: two, result: kindBool,
			eval: func(a []any) (any, error) { return a[0].(time.Time).Before(a[1].(time.Time)), nil },
		}),
		"after": method(overload{
			params: two, result: kindBool,
			eval: func(a []any) (any, error) { return a[0].(time.Time).After(a[1].(time.Time)), nil },
		}),
		"between": method(overload{
			params: []kind{kindTime, kindTime, kindTime}, result: kindBool,
			eval: func(a []any) (any, error) {
				t := a[0].(time.Time)
				return !t.Before(a[1].(time.Time)) && !t.After(a[2].(time.Time)), nil
			},
		}),
		"time.RFC3339": {overloads: []overload{{
			params: []kind{kindString}, result: kindTime,
			literal: func(_ int, text string) error { _, err := moment(text); return err },
			eval:    func(a []any) (any, error) { return moment(a[0].(string)) },
		}}},
		"day": method(overload{
			params: []kind{kindTime}, result: kindString,
			eval: func(a []any) (any, error) { return a[0].(time.Time).UTC().Weekday().String(), nil },
		}),
		"clock_between": method(overload{
			params: []kind{kindTime, kindString, kindString}, result: kindBool,
			literal: func(_ int, text string) error { _, err := clock(text); return err },
			eval:    clockBetween,
		}),
	}
}

// moment reads a point in time.
func moment(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a point in time; write it as in \"2026-11-20T17:30:00Z\"", text)
	}
	return t, nil
}

func clockBetween(a []any) (any, error) {
	first, err := clock(a[1].(string))
	if err != nil {
		return nil, err
	}
	last, err := clock(a[2].(string))
	if err != nil {
		return nil, err
	}
	t := a[0].(time.Time).UTC()
	minute := t.Hour()*60 + t.Minute()
	if first > last {
		return minute >= first || minute <= last, nil
	}
	return first <= minute && minute <= last, nil
}

// clock reads a time of day as minutes since midnight.
func clock(text string) (int, error) {
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, fmt.Errorf("%q is not a time of day; write it as in \"09:30\"", text)
	}
	return t.Hour()*60 + t.Minute(), nil
}
