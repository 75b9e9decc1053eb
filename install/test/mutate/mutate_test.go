package main

import (
	"context"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// changes lists what can be changed in the body of a function.
func changes(t *testing.T, body string) []string {
	t.Helper()
	source := "package p\n\nfunc f(a, b int, ok bool) (n int, err error) {\n" + body + "\n}\n"
	mutants, err := find("p.go", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range mutants {
		changed := m.apply()
		if _, err := parser.ParseFile(token.NewFileSet(), "p.go", changed, 0); err != nil {
			t.Errorf("%s leaves no Go: %v\n%s", m.key(), err, changed)
		}
		if strings.Count(string(changed), "\n") != strings.Count(source, "\n") {
			t.Errorf("%s moves lines:\n%s", m.key(), changed)
		}
		if m.operator != returnEarly {
			out = append(out, m.operator+": "+m.shown)
		}
	}
	return out
}

func TestWhatIsChanged(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		want []string
	}{
		"comparison": {"_ = a <= b", []string{"drop: _ = a <= b", "operator: a <= b -> <"}},
		"and, not": {"_ = ok && !ok", []string{
			"drop: _ = ok && !ok", "operator: ok && !ok -> ||", "not: !ok -> ok",
		}},
		"numbers": {"x := 0 + 7", []string{"operator: 0 + 7 -> -", "constant: 0 -> 1", "constant: 7 -> 0", "constant: 7 -> 8"}},
		"times":   {"x := 15 * time.Second", []string{"constant: 15 -> 0"}},
		"texts":   {`x := "a" + s`, nil},
		"true":    {"x := true", []string{"constant: true -> false"}},
		"min":     {"x := min(a, b)", []string{"constant: min -> max"}},
		"condition": {"if a < b {\n}", []string{
			"negate: a < b -> !(a < b)", "operator: a < b -> <=",
		}},
		"conditions turned round once only": {"if a == b {\n}\nif !ok {\n}\nfor ok {\n}\nfor {\n}", []string{
			"operator: a == b -> !=", "not: !ok -> ok", "negate: ok -> !(ok)",
		}},
		"cases": {"switch {\ncase ok:\n\tg()\n}\nswitch a {\ncase b:\n}", []string{
			"negate: ok -> !(ok)", "drop: g()",
		}},
		"statements": {"g()\na = b\na++\ndefer g()\ngo g()\nc <- a\nx := a\nreturn", []string{
			"drop: g()", "drop: a = b", "drop: a++", "drop: defer g()", "drop: go g()", "drop: c <- a", "drop: return",
		}},
		"a context":      {"defer cancel()\ndefer g(cancel)", []string{"drop: defer g(cancel)"}},
		"loops":          {"for range a {\ncontinue\n}", []string{"drop: continue"}},
		"debugging":      {"log.Debug(a)\nlog.Warn(a)", []string{"drop: log.Warn(a)"}},
		"an error":       {"return a, err", []string{"return: err -> nil"}},
		"an answer":      {"x := func() bool { return a.ok() }", []string{"negate: a.ok() -> !(a.ok())"}},
		"in a function":  {"x := func() { g() }", []string{"drop: g()"}},
		"several lines":  {"g(a,\n\tb)", []string{"drop: g(a, b)"}},
		"with a comment": {"g(a, // why\n\tb)", []string{"drop: g(a, // why b)"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := changes(t, tc.body); !slices.Equal(got, tc.want) {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestReturnEarly(t *testing.T) {
	source := "package p\n\nfunc (t *T[K]) f() (a, b int, err error) { return 1, 2, nil }\n\nfunc g() { h() }\n\nfunc empty() {}\n\nfunc outside()\n"
	mutants, err := find("p.go", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range mutants {
		if m.operator == returnEarly {
			got = append(got, m.key()+" | "+strings.TrimSpace(m.after))
		}
	}
	want := []string{
		"p.go (*T[K]).f: return early: *new(int), *new(int), *new(error) | { if true { return *new(int), *new(int), *new(error) };",
		"p.go g: return early:  | { if true { return  };",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func keys(t *testing.T, source string) []string {
	t.Helper()
	mutants, err := find("p.go", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	shuffle(mutants, 1)
	var out []string
	for _, m := range mutants {
		out = append(out, m.key())
	}
	return out
}

// Neither the keys nor the order of what stays depend on lines or on new code.
func TestKeysAndOrderStay(t *testing.T) {
	one := "func one(a int) bool { g(a); g(a); return a > 1 && a < 9 }\n"
	two := "func two(a int) bool { return a == 3 || a != 4 }\n"
	before, after := keys(t, "package p\n\n"+one), keys(t, "package p\n\n"+two+"\n// A word.\n\n"+one)
	if !slices.Contains(before, "p.go one: drop: g(a) (2)") {
		t.Errorf("two of a kind are not told apart: %q", before)
	}
	after = slices.DeleteFunc(after, func(key string) bool { return strings.HasPrefix(key, "p.go two:") })
	if !slices.Equal(before, after) {
		t.Errorf("before %q\nafter  %q", before, after)
	}
	mutants, _ := find("p.go", []byte("package p\n\n"+one))
	shuffle(mutants, 2)
	if mutants[0].key() == before[0] && mutants[1].key() == before[1] && mutants[2].key() == before[2] {
		t.Error("another seed draws the same sample")
	}
}

func TestLongCodeIsCutInKeys(t *testing.T) {
	if got := oneLine(strings.Repeat("ä ", 200)); len(got) > textMax+len("…") || !strings.HasSuffix(got, "…") {
		t.Errorf("got %d bytes: %s", len(got), got)
	}
}

func TestTheListOfSurvivors(t *testing.T) {
	for name, tc := range map[string]struct{ text, fault string }{
		"none":             {"# A word.\n\n", ""},
		"two":              {"p.go f: drop: g()\n\tIt is only\n\tnice to have.\np.go f: drop: h()\n  So is this.\n", ""},
		"no reason":        {"p.go f: drop: g()\n\np.go f: drop: h()\n\tNice to have.\n", "no reason is given for \"p.go f: drop: g()\""},
		"no survivor":      {"\tNice to have.\n", ":1: a reason without a survivor"},
		"the same, twice":  {"a\n\tb\na\n\tc\n", ":3: \"a\" is listed twice"},
		"a missing reason": {"a\n", "no reason is given"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "list")
			write(t, path, tc.text)
			list, err := readKnown(path)
			switch {
			case tc.fault == "" && err != nil, tc.fault != "" && (err == nil || !strings.Contains(err.Error(), tc.fault)):
				t.Errorf("got %v, want %q", err, tc.fault)
			case name == "two" && list["p.go f: drop: g()"] != "It is only nice to have.":
				t.Errorf("got %q", list)
			}
		})
	}
}

// The list of this repository can be read, and its code is there.
func TestTheOwnList(t *testing.T) {
	var out strings.Builder
	o := options{root: "../../..", packages: packages(), list: true, out: &out, progress: io.Discard}
	if err := run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	for _, pkg := range packages() {
		if !strings.Contains(out.String(), pkg+"/") {
			t.Errorf("nothing can be changed in %s", pkg)
		}
	}
}

// plain is a module with a package that has one mutant of each fate.
func plain(t *testing.T, known string) options {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":      "module plain\n\ngo 1.26\n",
		"p/p.go":      "package p\n\nvar pair = [2]int{}\nvar text = \"\"\n\nfunc ok(a, b int) bool {\n\t_ = pair[1]\n\t_ = text + text\n\tif a > 9 {\n\t\ta = 9\n\t}\n\tif a == 8 {\n\t\tunseen()\n\t}\n\treturn a < b\n}\n\nvar Seen []int\n\nfunc unseen() { Seen = append(Seen, len(Seen)) }\n",
		"p/p_test.go": "package p\n\nimport \"testing\"\n\nfunc TestOK(t *testing.T) {\n\tif !ok(11, 10) || ok(10, 9) || ok(1, 0) {\n\t\tt.Error()\n\t}\n}\n",
		"known":       known,
	} {
		write(t, filepath.Join(root, name), text)
	}
	return options{
		root: root, known: filepath.Join(root, "known"), sample: 100, seed: 1, workers: 2, patience: time.Minute,
		packages: []string{"p"}, out: io.Discard, progress: io.Discard,
	}
}

// A listed survivor is none to complain about, unless the tests notice it by now.
func TestListedSurvivors(t *testing.T) {
	survivor := result{mutant{file: "p.go", function: "f", operator: dropStatement, shown: "g()"}, survived}
	seen := result{mutant{file: "p.go", function: "f", operator: dropStatement, shown: "h()"}, noticed}
	many := func(n int) []result { return slices.Repeat([]result{seen}, n) }
	listed := known{survivor.key(): "nobody sees it"}
	for name, tc := range map[string]struct {
		results []result
		known   known
		want    string
	}{
		"all noticed":         {many(3), known{}, ""},
		"listed":              {append(many(10), survivor), listed, ""},
		"not listed":          {append(many(10), survivor), known{}, "1 survivors are not listed"},
		"a tenth":             {append(many(9), survivor), listed, "1 of 10 survived, a tenth or more"},
		"listed, but noticed": {many(1), known{seen.key(): "?"}, "1 listed survivors are noticed now"},
		"nothing tried":       {nil, known{}, "0 of 0 survived"},
		"nothing compiles":    {append(many(1), result{fate: broken}, result{fate: broken}), known{}, "2 do not compile"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := newReport(tc.results, tc.known).verdict("the list"); err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, tc.want) || (tc.want == "") != (got == "") {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// What cannot be tried at all is no verdict.
func TestMutateFails(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(o *options)
		want   string
	}{
		"no list":                {func(o *options) { o.known += ".gone" }, "no such file"},
		"code of the list gone":  {func(o *options) { write(t, o.known, "p/p.go gone: drop: g()\n\tNo matter.\n") }, "take them off the list"},
		"an unknown package":     {func(o *options) { o.only = []string{"z"} }, `none of ["z"]`},
		"a package without code": {func(o *options) { o.packages = []string{"z"} }, "reading package z"},
		"tests that fail": {func(o *options) {
			write(t, filepath.Join(o.root, "p/p_test.go"), "package p\n\nimport \"testing\"\n\nfunc TestOK(t *testing.T) { t.Error(\"as ever\") }\n")
		}, "the tests of p fail without any change"},
		"no tests": {func(o *options) { _ = os.Remove(filepath.Join(o.root, "p/p_test.go")) }, "p has no tests"},
	} {
		t.Run(name, func(t *testing.T) {
			o := plain(t, "")
			tc.change(&o)
			if err := run(context.Background(), o); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// Tests that do not end are ended, with what they have started.
func TestTestsThatHang(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		limit  limits
	}{
		"by the clock":            {"sleep 1000 &\nwait", limits{10 * time.Millisecond, time.Minute}},
		"by the processor's time": {"while :; do :; done", limits{time.Minute, time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "program")
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"+c.script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			r := &runner{root: t.TempDir()}
			if _, _, err := r.test(context.Background(), ".", program, c.limit, ""); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Results for code that is edited while they are worked out would be for neither.
func TestCodeThatIsEditedMeanwhile(t *testing.T) {
	o := plain(t, "")
	edit := sync.OnceFunc(func() { write(t, filepath.Join(o.root, "p/p.go"), "package p\n") })
	o.progress = writer(func() { edit() })
	o.workers = 1
	if err := run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "p/p.go was changed meanwhile") {
		t.Errorf("got %v", err)
	}
}

// writer calls a func for each line.
type writer func()

func (w writer) Write(p []byte) (int, error) { w(); return len(p), nil }

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFates(t *testing.T) {
	o := plain(t, "")
	var progress, out strings.Builder
	o.progress, o.out = &progress, &out
	err := run(context.Background(), o)
	for _, line := range []string{
		"noticed: p/p.go:15 operator: a < b -> <=",
		"noticed: p/p.go:10 drop: a = 9",
		"SURVIVED: p/p.go:13 drop: unseen()",
		"SURVIVED: p/p.go:20 return early: ", // which the tests do not reach
		"does not compile: p/p.go:8 operator: text + text -> -",
		"equal: p/p.go:7 drop: _ = pair[1]",
	} {
		if !strings.Contains(progress.String(), line) {
			t.Errorf("no line %q", line)
		}
	}
	if t.Failed() {
		t.Log(progress.String())
	}
	if err == nil || !strings.Contains(err.Error(), "survivors are not listed") || !strings.Contains(err.Error(), "a tenth or more") {
		t.Errorf("the verdict is %v", err)
	}
	if !strings.Contains(out.String(), "p/p.go:13\n\tp/p.go ok: drop: unseen()\n") {
		t.Errorf("the survivor is not named:\n%s", &out)
	}
}
