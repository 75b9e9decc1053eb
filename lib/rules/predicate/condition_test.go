package predicate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"teleport-plugins/lib/request"
	"teleport-plugins/lib/rules/predicate"
)

// example is a request for two roles and two resources, made on a Friday at
// 17:30 UTC.
func example() predicate.Environment {
	return predicate.Environment{
		Plugin: "example",
		Request: request.View{
			ID: "1", User: "Alice@example.com", Roles: []string{"access", "editor"}, Reason: "disk full",
			Created:            time.Date(2026, 11, 20, 17, 30, 45, 0, time.UTC),
			Expires:            time.Date(2026, 11, 20, 18, 30, 45, 0, time.UTC),
			SuggestedReviewers: []string{"bob@example.com"},
			Annotations:        map[string][]string{"team": {"payments", "core"}},
			Resources:          []string{"node/web1", "node/web2"},
		},
		Traits: map[string][]string{"team": {"dev", "ops"}, "github_teams": {"example-team"}},
		Labels: []map[string]string{
			{"env": "dev", "region": "eu", "tier": "web"},
			{"env": "dev", "region": "us"},
		},
	}
}

// match parses and evaluates a condition that must parse.
func match(t *testing.T, condition string, env predicate.Environment) (bool, error) {
	t.Helper()
	c, err := predicate.Parse(condition)
	if err != nil {
		t.Fatalf("%s\n%v", condition, err)
	}
	return c.Match(env)
}

func wantMatch(t *testing.T, condition string, env predicate.Environment, want bool) {
	t.Helper()
	if got, err := match(t, condition, env); err != nil || got != want {
		t.Errorf("%s\ngot %t, %v\nwant %t", condition, got, err, want)
	}
}

// Each of these holds for the example; those under "not" do not.
func TestLanguage(t *testing.T) {
	for name, forms := range map[string]struct{ holds, not []string }{
		"constants": {
			[]string{`true`, `!false`, `(true)`, `true == true`},
			[]string{`false`, `!true`, `true != true`},
		},
		"and binds closer than or, not closer than both": {
			[]string{`true || false && false`, `!false && true`, `!(false && true)`, `false == false || false`},
			[]string{`(true || false) && false`, `!true || false`, `!(true || false)`},
		},
		"comparison binds closer than and": {
			[]string{`"a" == "a" && "b" != "a"`, `false == true || true`},
			[]string{`(false == true || true) == false`},
		},
		"strings": {
			[]string{"\"a\\\"b\" == `a\"b`", `"ä" == "\u00e4"`, "`a\nb` == \"a\\nb\""},
			[]string{`"a" == "A"`, "`a\\nb` == \"a\\nb\""},
		},
		"numbers": {[]string{`2 == 2`, `1 != 2`}, []string{`1 == 2`}},
		"request": {
			[]string{
				`access_request.spec.user == "Alice@example.com"`,
				`access_request.spec.request_reason == "disk full"`,
				`access_request.spec.roles == set("editor", "access")`,
				`access_request.spec.suggested_reviewers == set("bob@example.com")`,
				`access_request.spec.system_annotations == dict(pair("team", set("core", "payments")))`,
				`access_request.spec.creation_time != access_request.spec.expiry`,
				`access_request.spec.creation_time == access_request.spec.creation_time`,
				`plugin.spec.name == "example"`,
			},
			[]string{
				`access_request.spec.roles == set("editor")`,
				`access_request.spec.system_annotations == dict()`,
				`access_request.spec.creation_time == access_request.spec.expiry`,
			},
		},
		"keys of a dict": {
			[]string{
				`user.traits["team"] == set("dev", "ops")`, `user.traits.team == set("dev", "ops")`,
				`user.traits["none"] == set()`, `user.traits.none == set()`,
				`user.traits[plugin.spec.name] == set()`, "user.traits[`team`].contains(\"dev\")",
				`access_request.spec.system_annotations["team"].contains("core")`,
				`dict(pair("a", set("x")))["a"].contains("x")`, `dict(pair("a", set("x"))).a.contains("x")`,
			},
			[]string{`user.traits["team"] == set()`, `user.traits["none"].contains("")`},
		},
		"labels": {
			[]string{
				`access_request.spec.resource_labels_union == dict(pair("env", set("dev")), pair("region", set("eu", "us")), pair("tier", set("web")))`,
				`access_request.spec.resource_labels_intersection == dict(pair("env", set("dev")))`,
				`access_request.spec.requested_resources.length == 2`,
				`has_labels(access_request.spec.requested_resources, "env", "dev")`,
				`access_request.spec.requested_resources.has_labels("env", "dev")`,
			},
			[]string{
				`access_request.spec.requested_resources.length == 0`,
				`access_request.spec.requested_resources.has_labels("region", "eu")`,
				`access_request.spec.requested_resources.has_labels("tier", "web")`,
				`access_request.spec.requested_resources.has_labels("none", "")`,
			},
		},
		"moments": {
			[]string{
				`access_request.spec.creation_time.before(access_request.spec.expiry)`,
				`access_request.spec.expiry.after(access_request.spec.creation_time)`,
				`after(access_request.spec.creation_time, time.RFC3339("2000-01-01T00:00:00Z"))`,
				`access_request.spec.creation_time.before(time.RFC3339("2100-01-01T00:00:00+01:00"))`,
				`access_request.spec.creation_time.between(time.RFC3339("2000-01-01T00:00:00Z"), access_request.spec.expiry)`,
				`between(access_request.spec.expiry, access_request.spec.expiry, access_request.spec.expiry)`,
				`time.RFC3339("2026-01-01T01:00:00+01:00").between(time.RFC3339("2026-01-01T00:00:00Z"), time.RFC3339("2026-01-01T00:00:00Z"))`,
			},
			[]string{
				`access_request.spec.expiry.before(access_request.spec.creation_time)`,
				`access_request.spec.expiry.before(access_request.spec.expiry)`,
				`access_request.spec.expiry.after(access_request.spec.expiry)`,
				`access_request.spec.creation_time.between(access_request.spec.expiry, time.RFC3339("2100-01-01T00:00:00Z"))`,
				`access_request.spec.expiry.between(time.RFC3339("2000-01-01T00:00:00Z"), access_request.spec.creation_time)`,
			},
		},
		"regular expressions": {
			[]string{
				`regexp.match(access_request.spec.roles, "^edit(or)?$")`, `regexp.match(access_request.spec.user, "*@example.*")`,
				`regexp.match(set("prod-admin", "a"), "*-admin")`, `regexp.match(set("prod"), "prod*")`, `regexp.match(set("a\nb"), "*")`, `regexp.match("a.b", "a.b")`,
				`regexp.match(set("a", "b"), "b")`, `set("a").isempty() == false`, `set().isempty()`, `isempty(set())`,
				`regexp.replace(access_request.spec.roles, "^edit(.*)$", "$1") == set("or")`,
			},
			[]string{
				`regexp.match(access_request.spec.roles, "^edit$")`, `regexp.match(set(), "*")`, `regexp.match(set("prod-admin"), "admin")`, `regexp.match("axb", "a.b")`, `regexp.match("prod-admin", "^admin")`, `regexp.match("a", "b")`, `set("a").isempty()`,
			},
		},
		"set": {
			[]string{`set() == set()`, `set("a", "b", "a") == set("b", "a")`, `set(access_request.spec.user).contains("Alice@example.com")`},
			[]string{`set() == set("")`, `set("a") == set("a", "b")`},
		},
		"contains": {
			[]string{`set("a", "b").contains("a")`, `contains(set("a"), "a")`},
			[]string{`set("a", "b").contains("x")`, `set().contains("")`},
		},
		"contains_any": {
			[]string{`contains_any(set("a", "b"), set("b", "c"))`, `set("a").contains_any(set("a"))`},
			[]string{`contains_any(set("a"), set("b"))`, `contains_any(set("a"), set())`, `contains_any(set(), set("a"))`, `set().contains_any(set())`},
		},
		"contains_all": {
			[]string{`contains_all(set("a", "b"), set("a"))`, `contains_all(set("a", "b"), set("b", "a"))`, `set("a").contains_all(set("a"))`},
			[]string{`contains_all(set("a"), set("a", "b"))`, `contains_all(set("a"), set())`, `contains_all(set(), set())`, `set().contains_all(set("a"))`},
		},
		"is_empty": {
			[]string{`is_empty(set())`, `!is_empty(access_request.spec.roles)`, `user.traits["none"].is_empty()`},
			[]string{`is_empty(set(""))`},
		},
		"add": {
			[]string{`set("a").add("b", "c") == set("a", "b", "c")`, `set("a").add() == set("a")`, `set("a").add("a") == set("a")`},
			[]string{`access_request.spec.roles.add("x") == access_request.spec.roles`},
		},
		"remove": {
			[]string{
				`set("a", "b").remove("b", "c") == set("a")`, `set("a").remove() == set("a")`,
				`dict(pair("a", set("x")), pair("b", set("c"))).remove("b", "z") == dict(pair("a", set("x")))`,
			},
			[]string{`set("a").remove("a") == set("a")`},
		},
		"put": {
			[]string{
				`dict(pair("a", set("x"))).put("a", set("y")) == dict(pair("a", set("y")))`,
				`dict().put("b", set("z")) == dict(pair("b", set("z")))`,
			},
			[]string{`user.traits.put("a", set("y")) == user.traits`},
		},
		"add_values": {
			[]string{
				`dict().add_values("logins", "ubuntu", "ec2-user")["logins"] == set("ubuntu", "ec2-user")`,
				`dict(pair("a", set("x"))).add_values("a", "y", "z").a == set("x", "y", "z")`,
				`dict(pair("a", set("x"))).add_values("a").a == set("x")`,
			},
			[]string{`user.traits.add_values("team", "new") == user.traits`},
		},
		"dict": {
			[]string{`dict() == dict()`, `dict(pair("a", set("x")), pair("a", set("y"))).a == set("y")`},
			[]string{`dict(pair("a", set())) == dict()`},
		},
		"union": {
			[]string{`union(set("a", "b"), set("b", "c")) == set("a", "b", "c")`, `union() == set()`, `union(set("a")) == set("a")`},
			[]string{`union(set("a"), set("b")) == set("a")`},
		},
		"ifelse": {
			[]string{
				`ifelse(true, "x", "y") == "x"`, `ifelse(false, set("x"), set("y")) == set("y")`,
				`ifelse(true, true, email.local("nobody") == set())`,
			},
			[]string{`ifelse(access_request.spec.roles.contains("admin"), true, false)`},
		},
		"choose": {
			[]string{
				`choose(option(false, set("x")), option(true, set("y")), option(true, set("z"))) == set("y")`,
				`choose(option(true, true), option(true, email.local("nobody") == set()))`,
				`choose(option(false, email.local("nobody") == set()), option(true, true))`,
			},
			[]string{`choose(option(true, false), option(true, true))`},
		},
		"strings.upper and lower": {
			[]string{
				`strings.upper(set("AbC", "d")) == set("ABC", "D")`, `strings.lower(set("AbC")) == set("abc")`,
				`strings.lower(access_request.spec.user) == "alice@example.com"`, `strings.upper("ä") == "Ä"`,
				`strings.lower(set()) == set()`,
			},
			[]string{`strings.upper("a") == "a"`},
		},
		"strings.replaceall": {
			[]string{
				`strings.replaceall(set("user-alice", "user-bob"), "user-", "") == set("alice", "bob")`,
				`strings.replaceall("a.b.c", ".", "_") == "a_b_c"`, `strings.replaceall("ab", "", "-") == "-a-b-"`,
			},
			[]string{`strings.replaceall("abc", ".", "_") == "___"`},
		},
		"strings.split": {
			[]string{
				`strings.split(set("a,b", "b,c"), ",") == set("a", "b", "c")`,
				`strings.split(access_request.spec.request_reason, " ").contains("full")`,
				`strings.split(set(), ",") == set()`,
			},
			[]string{`strings.split("a,b", ";").contains("a")`},
		},
		"email.local": {
			[]string{
				`email.local(set("alice@example.com")) == set("alice")`,
				`email.local(set("Alice <alice@example.com>", "bob@example.com")) == set("alice", "bob")`,
				`email.local(access_request.spec.user) == set("Alice")`, `email.local(set()) == set()`,
			},
			nil,
		},
		"regexp.replace": {
			[]string{
				`regexp.replace(set("team-devs", "other"), "^team-(.*)$", "$1") == set("devs")`,
				`regexp.replace(set("team-dev-security"), "^team-(.*)-(.*)$", "$1.$2") == set("dev.security")`,
				`regexp.replace("aXbX", "X", "") == set("ab")`,
				`regexp.replace(set("foo-bar"), "foo-(?P<suffix>.*)", "$suffix") == set("bar")`,
				`regexp.replace(set("other"), "^team-", "") == set()`,
			},
			nil,
		},
		"day": {
			[]string{`day(access_request.spec.creation_time) == "Friday"`, `access_request.spec.creation_time.day() != "Saturday"`},
			[]string{`access_request.spec.expiry.day() == "friday"`},
		},
		"clock_between": {
			[]string{
				`clock_between(access_request.spec.creation_time, "17:00", "18:00")`,
				`access_request.spec.creation_time.clock_between("17:30", "17:30")`,
				`access_request.spec.creation_time.clock_between("17:00", "17:30")`,
				`access_request.spec.creation_time.clock_between("16:00", "08:00")`,
				`access_request.spec.creation_time.clock_between("22:00", "17:30")`,
			},
			[]string{
				`access_request.spec.creation_time.clock_between("17:31", "23:59")`,
				`access_request.spec.creation_time.clock_between("00:00", "17:29")`,
				`access_request.spec.creation_time.clock_between("22:00", "06:00")`,
			},
		},
		"white space, line breaks and comments": {
			[]string{
				"true\n&& true", "true &&\r\n\ttrue", "!\nfalse",
				"contains_any(\n  access_request.spec.roles,\n  set(\n    \"access\"\n  )\n)",
				"access_request.spec\n  .roles\n  .contains(\"access\")",
				"true // all of them\n&& true", "true /* // */ && true", `"//" != "/*"`, "`\n//` != \"\"",
			},
			[]string{"true\n&&\nfalse", "// nothing else\nfalse"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, condition := range forms.holds {
				wantMatch(t, condition, example(), true)
			}
			for _, condition := range forms.not {
				wantMatch(t, condition, example(), false)
			}
		})
	}
}

// The conditions of Teleport's reference page on access monitoring predicate.
func TestDocumentedConditions(t *testing.T) {
	const (
		accessOnly = `contains_all(set("access"), access_request.spec.roles)`
		allDev     = `access_request.spec.resource_labels_intersection["env"].contains("dev")`
		devTeam    = `contains_any(user.traits["team"], set("dev"))`
	)
	request := func(change func(*predicate.Environment)) predicate.Environment {
		env := example()
		env.Request.Roles = []string{"access"}
		if change != nil {
			change(&env)
		}
		return env
	}
	mixed := func(e *predicate.Environment) { e.Labels[1]["env"] = "prod" }
	for _, c := range []struct {
		condition string
		change    func(*predicate.Environment)
		want      bool
	}{
		{accessOnly + " &&\n" + allDev + " &&\n" + devTeam, nil, true},
		{accessOnly + " &&\n" + allDev + " &&\n" + devTeam, mixed, false},
		{accessOnly, func(e *predicate.Environment) { e.Request.Roles = []string{"access", "admin"} }, false},
		{accessOnly, func(e *predicate.Environment) { e.Request.Roles = nil }, false},
		{allDev, nil, true},
		{allDev, mixed, false},
		{allDev, func(e *predicate.Environment) { e.Labels = nil }, false},
		{`access_request.spec.resource_labels_union["env"].contains("prod")`, nil, false},
		{`access_request.spec.resource_labels_union["env"].contains("prod")`, mixed, true},
		{devTeam, func(e *predicate.Environment) { e.Traits = nil }, false},
		{`contains_any(user.traits["team"], set("dev", "stage"))`, nil, true},
		{`contains_any(user.traits["github_teams"], set("example-team"))`, nil, true},
		{`contains_any(access_request.spec.roles, set("access"))`, nil, true},
		{`contains_any(access_request.spec.roles, set("your_role_name"))`, nil, false},
		{`!is_empty(access_request.spec.roles)`, nil, true},
		{`!is_empty(access_request.spec.roles)`, func(e *predicate.Environment) { e.Request.Roles = nil }, false},
		{`access_request.spec.user == "example_user"`, func(e *predicate.Environment) { e.Request.User = "example_user" }, true},
		{`access_request.spec.user == "example_user"`, nil, false},
		{`access_request.spec.roles.contains("access")`, nil, true},
		{`set("role_1", "role_2").contains_all(access_request.spec.roles)`, func(e *predicate.Environment) { e.Request.Roles = []string{"role_2"} }, true},
		{`set("role_1", "role_2").contains_all(access_request.spec.roles)`, nil, false},
	} {
		wantMatch(t, c.condition, request(c.change), c.want)
	}
}

// The fault is told with its place.
func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ condition, want string }{
		{``, `line 1, column 1: expected operand, found 'EOF'`},
		{`true &&`, `line 1, column 8: expected operand, found 'EOF'`},
		{"true &&\n  &&", `line 2, column 3: expected operand, found '&&'`},
		{`true true`, `line 1, column 6: expected 'EOF', found true`},
		{`"open`, `line 1, column 1: string literal not terminated`},
		{`access_request.spec.roles`, `line 1, column 1: the condition gives a set, and must give true or false`},
		{`"true"`, `line 1, column 1: the condition gives a string, and must give true or false`},
		{"true &&\n\taccess_request.spec.role.contains(\"a\")", `line 2, column 2: the name access_request.spec.role is unknown; did you mean access_request.spec.roles?`},
		{`request.user == "a"`, `line 1, column 1: the name request.user is unknown; did you mean user.traits?`},
		{`access_request.spec == "a"`, `line 1, column 1: the name access_request.spec is unknown; did you mean access_request.spec.user?`},
		{`contain_any(set(), set())`, `line 1, column 1: the function contain_any is unknown; did you mean contains_any?`},
		{`strings.uper("a") == "A"`, `line 1, column 1: the function strings.uper is unknown; did you mean strings.upper?`},
		{`strings == "a"`, `line 1, column 1: the name strings is unknown; did you mean user.traits?`},
		{`set().contans("a")`, `line 1, column 7: the method contans is unknown; did you mean contains?`},
		{`set("a").union(set())`, `line 1, column 10: the method union is unknown; did you mean add?`},
		{`is_empty`, `line 1, column 1: is_empty is a function and must be called`},
		{`access_request.spec.roles.contains`, `line 1, column 27: a set has no member contains`},
		{`access_request.spec.roles.length == 1`, `line 1, column 27: a set has no member length`},
		{`"a"("b")`, `line 1, column 1: this cannot be called`},
		{`!"a"`, `line 1, column 1: ! takes a bool and not a string`},
		{`-1 == 1`, `line 1, column 1: there is no operator -; the only one in front of a value is !`},
		{`1 + 1 == 2`, `line 1, column 3: there is no operator +; there are &&, ||, !, == and !=`},
		{`access_request.spec.expiry < access_request.spec.creation_time`, `line 1, column 28: there is no operator <; there are &&, ||, !, == and !=`},
		{`true && "a"`, `line 1, column 6: && takes two bools and not (bool, string)`},
		{`access_request.spec.roles == "admin"`, `line 1, column 27: == cannot compare (set, string)`},
		{`pair("a", set()) == pair("a", set())`, `line 1, column 18: == cannot compare (pair, pair)`},
		{`access_request.spec.roles["a"]`, `line 1, column 1: a set has no keys; only a dict has`},
		{`user.traits[1].contains("a")`, `line 1, column 13: the key of a dict is a string and not an int`},
		{`set("dev". "stage")`, `line 1, column 12: expected selector or type assertion, found "stage"`},
		{`set(1) == set()`, `line 1, column 1: set takes (string...) and not (int)`},
		{`set("a").contains()`, `line 1, column 1: contains takes (set, string) and not (set)`},
		{`set("a").contains(set("a"))`, `line 1, column 1: contains takes (set, string) and not (set, set)`},
		{`remove("a") == set()`, `line 1, column 1: remove takes (set, string...) or (dict, string...) and not (string)`},
		{`strings.split(true, "a") == set()`, `line 1, column 1: strings.split takes (set, string) or (string, string) and not (bool, string)`},
		{`ifelse(true, "a", set()) == "a"`, `line 1, column 1: ifelse takes a bool and two values of one kind, and not (bool, string, set)`},
		{`option(true, true)`, `line 1, column 1: the condition gives an option, and must give true or false`},
		{`option("a", true) == 1`, `line 1, column 1: option takes a bool and a value, and not (string, bool)`},
		{`choose()`, `line 1, column 1: choose takes at least one option`},
		{`choose(option(true, "a"), option(true, 1)) == "a"`, `line 1, column 1: choose takes options whose values are of one kind, and not (option, option)`},
		{`regexp.match(set(), "^($")`, "line 1, column 1: regexp.match: missing closing ): `^($`"},
		{`time.RFC3339("today") == access_request.spec.expiry`, `line 1, column 1: time.RFC3339: "today" is not a point in time; write it as in "2026-11-20T17:30:00Z"`},
		{`regexp.replace(set(), "(", "") == set()`, "line 1, column 1: regexp.replace: missing closing ): `(`"},
		{`regexp.replace(set(), "` + strings.Repeat("a", 1025) + `", "") == set()`, "line 1, column 1: regexp.replace: the regular expression is longer than 1024 bytes"},
		{`access_request.spec.expiry.clock_between("9:00", "17:00")`, `line 1, column 1: clock_between: "9:00" is not a time of day; write it as in "09:30"`},
		{`access_request.spec.expiry.clock_between("09:00", "24:00")`, `line 1, column 1: clock_between: "24:00" is not a time of day; write it as in "09:30"`},
		{`'a' == "a"`, `line 1, column 1: strings are written in double quotes or back quotes`},
		{`1.5 == 1.5`, `line 1, column 1: there are no numbers of this kind in conditions`},
		{`99999999999999999999 == 1`, `line 1, column 1: 99999999999999999999 is not a whole number in decimal notation`},
		{`func() bool { return true }()`, `line 1, column 1: this cannot be called`},
		{`[]string{"a"} == set("a")`, `line 1, column 1: this is not part of the language of conditions`},
		{`set("a"...) == set()`, `line 1, column 1: ... is not part of the language of conditions`},
		{strings.Repeat("!", 2000) + "true", `line 1, column 1001: the condition is nested more than 1000 levels deep`},
		{strings.Repeat(" ", predicate.MaxLength) + "true", `line 1, column 1: the condition is longer than 32768 bytes`},
	} {
		_, err := predicate.Parse(c.condition)
		var fault *predicate.Error
		if err == nil || err.Error() != c.want || !errors.As(err, &fault) {
			t.Errorf("%.80s\ngot  %v\nwant %s", c.condition, err, c.want)
		}
	}
}

func TestMatchFailsWhereAFunctionCannotWork(t *testing.T) {
	grow := strings.Repeat("a", 300)
	growing := func(f string) string {
		text := `"` + grow + `"`
		for range 4 {
			text = fmt.Sprintf(f, text, grow)
		}
		return text + ` == "a"`
	}
	for _, c := range []struct{ condition, want string }{
		{`email.local(access_request.spec.roles) == set()`, `email.local: "access" is not an e-mail address`},
		{`choose(option(false, true))`, `choose: no option holds; add a last one of option(true, …)`},
		{`regexp.replace("a", strings.lower("("), "") == set()`, "regexp.replace: missing closing ): `(`"},
		{`clock_between(access_request.spec.expiry, access_request.spec.user, "10:00")`, `clock_between: "Alice@example.com" is not a time of day; write it as in "09:30"`},
		{growing(`strings.replaceall(%s, "a", "%s")`), `strings.replaceall: the result is longer than 65536 bytes`},
		{strings.Replace(growing(`regexp.replace(%s, "a", "%s")`), `== "a"`, `== set()`, 1), `regexp.replace: the result is longer than 65536 bytes`},
	} {
		got, err := match(t, c.condition, example())
		if got || err == nil || err.Error() != c.want {
			t.Errorf("%.80s\ngot  %t, %v\nwant %s", c.condition, got, err, c.want)
		}
	}
}

func TestMatchGoesNoFurtherThanNeeded(t *testing.T) {
	const fails = `email.local("nobody") == set()`
	wantMatch(t, `false && `+fails, example(), false)
	wantMatch(t, `true || `+fails, example(), true)
	for _, condition := range []string{`true && ` + fails, `false || ` + fails, `!(` + fails + `)`, fails + ` == true`, `strings.split(email.local("nobody"), "a") == set()`} {
		if _, err := match(t, condition, example()); err == nil {
			t.Errorf("%s: no error", condition)
		}
	}
}

func TestConditionSaysWhatItMentions(t *testing.T) {
	for _, c := range []struct {
		condition      string
		traits, labels bool
	}{
		{`access_request.spec.roles.contains("a")`, false, false},
		{`false && user.traits["a"].contains("b")`, true, false},
		{`user.traits.a.contains("user.traits")`, true, false},
		{`"user.traits" == "a"`, false, false},
		{`access_request.spec.resource_labels_union == dict()`, false, true},
		{`access_request.spec.resource_labels_intersection.env.contains("a") || user.traits.a.is_empty()`, true, true},
		{`access_request.spec.requested_resources.has_labels("a", "b")`, false, true},
	} {
		got, err := predicate.Parse(c.condition)
		if err != nil || got.UsesTraits() != c.traits || got.UsesLabels() != c.labels {
			t.Errorf("%s: traits %t, labels %t, %v", c.condition, got.UsesTraits(), got.UsesLabels(), err)
		}
	}
}

func TestZeroConditionMatchesNothing(t *testing.T) {
	if got, err := (predicate.Condition{}).Match(example()); got || err != nil {
		t.Errorf("got %t, %v", got, err)
	}
}

func TestEmptyRequest(t *testing.T) {
	for condition, want := range map[string]bool{
		`access_request.spec.roles == set()`:                                true,
		`access_request.spec.system_annotations == dict()`:                  true,
		`access_request.spec.resource_labels_intersection == dict()`:        true,
		`access_request.spec.resource_labels_union == dict()`:               true,
		`access_request.spec.requested_resources.length == 0`:               true,
		`access_request.spec.requested_resources.has_labels("a", "")`:       false,
		`user.traits.add_values("a", "b").a == set("b")`:                    true,
		`user.traits.a.add("b").remove("b") == set()`:                       true,
		`user.traits.a.remove("b") == set()`:                                true,
		`user.traits.remove("b").put("a", set()) == dict(pair("a", set()))`: true,
	} {
		wantMatch(t, condition, predicate.Environment{}, want)
	}
}

// FuzzParse looks for conditions that are too much for the parser or the
// evaluation.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`contains_all(set("access"), access_request.spec.roles) && user.traits["team"].contains("dev")`,
		`choose(option(false, set("x")), option(true, strings.split("a,b", ","))) == set("a", "b")`,
		`regexp.replace(access_request.spec.user, "^(.*)@.*$", "$1$1") == set(access_request.spec.request_reason)`,
		`dict(pair("a", set("x"))).add_values("a", "y").put("b", set()).remove("b")["a"] != union(set("x"), set("y"))`,
		`email.local(access_request.spec.suggested_reviewers).contains_any(access_request.spec.roles.add("b").remove("c"))`,
		`access_request.spec.creation_time.clock_between("17:00", "18:00") || day(access_request.spec.expiry) == "Friday"`,
		"true // c\n&& !(\n\"`\" == `\"`) /* x */", `access_request.spec.requested_resources.length == 2`,
		`strings.replaceall(strings.upper("a"), "", "b") == ifelse(true, "a", plugin.spec.name)`,
		"\"\\", "'", "`", "/*", "//", `a.b.c().d["e"](f)`, `x.(type)`, `func(){}`, `<-a`, `a[b:c]`, `[...]int{}`, `*p`, `a[b,c]`,
	} {
		f.Add(seed, "disk full")
	}
	f.Fuzz(func(t *testing.T, condition, reason string) {
		c, err := predicate.Parse(condition)
		if err != nil {
			var fault *predicate.Error
			if !errors.As(err, &fault) || fault.Line < 1 || fault.Column < 1 || fault.Text == "" {
				t.Errorf("%v", err)
			}
			return
		}
		env := example()
		env.Request.Reason, env.Request.User = reason, reason
		for _, env := range []predicate.Environment{env, {}} {
			got, err := c.Match(env)
			again, second := c.Match(env)
			if got != again || (err == nil) != (second == nil) {
				t.Errorf("%t, %v and then %t, %v", got, err, again, second)
			}
		}
	})
}
