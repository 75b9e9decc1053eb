package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"teleport-plugins/install/markdown"
)

// root is the top of the repository.
const root = "../.."

// page is a Markdown file.
type page struct {
	path string // from the top of the repository
	text string
}

// pages reads every Markdown file of the repository.
func pages(t *testing.T) (list []page) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "build", "testdata", "node_modules"}, d.Name()):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		list = append(list, page{strings.TrimPrefix(filepath.ToSlash(path), root+"/"), string(text)})
		return err
	})
	if err != nil || len(list) < 8 {
		t.Fatalf("found %d pages, error %v", len(list), err)
	}
	return list
}

// read gives one page.
func read(t *testing.T, path string) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return page{path, string(text)}
}

// block is what stands between fences.
type block struct {
	page, language, text string
}

// blocks lists the fenced blocks in one of the languages.
func blocks(list []page, languages ...string) (found []block) {
	for _, p := range list {
		for _, b := range markdown.Blocks(p.text) {
			if slices.Contains(languages, b.Language) {
				found = append(found, block{p.path, b.Language, b.Text})
			}
		}
	}
	return found
}

// prose is the page without what stands between fences.
func (p page) prose() string {
	var b strings.Builder
	fenced := false
	for line := range strings.Lines(p.text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		} else if !fenced {
			b.WriteString(line)
		}
	}
	return b.String()
}

// section is what stands below a heading, up to the next one of its level.
func (p page) section(t *testing.T, heading string) string {
	t.Helper()
	level, _, _ := strings.Cut(heading, " ")
	_, rest, ok := strings.Cut(p.text, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("%s has no heading %q", p.path, heading)
	}
	text, _, _ := strings.Cut(rest, "\n"+level+" ")
	return text
}

// rows lists the cells of the rows of all tables whose first cell of the head is
// the given one.
func rows(text, head string) (cells [][]string) {
	inside := false
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(strings.TrimSpace(line), "|") {
			inside = false
			continue
		}
		row := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		switch {
		case row[0] == head:
			inside = true
		case inside && strings.Trim(row[0], "-") != "":
			cells = append(cells, row)
		}
	}
	return cells
}

// column is one column of the rows, without the marks of code, each name of a cell
// that holds several by itself.
func column(cells [][]string, n int) (names []string) {
	for _, row := range cells {
		for name := range strings.SplitSeq(row[n], ", ") {
			if name = strings.Trim(name, "`"); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// same compares two sets of names.
func same(t *testing.T, what string, documented, real []string) {
	t.Helper()
	for _, name := range documented {
		if !slices.Contains(real, name) {
			t.Errorf("%s: %q is documented and does not exist", what, name)
		}
	}
	for _, name := range real {
		if !slices.Contains(documented, name) {
			t.Errorf("%s: %q exists and is not documented", what, name)
		}
	}
}

var (
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInSlugs = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// slug is the name by which a heading is linked to.
func slug(text string) string {
	return strings.ReplaceAll(notInSlugs.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
}

func (p page) slugs() (list []string) {
	for _, m := range heading.FindAllStringSubmatch(p.prose(), -1) {
		list = append(list, slug(m[1]))
	}
	return list
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	found := 0
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(p.prose(), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(m[1], "://") {
				continue
			}
			found++
			at := p
			if target != "" {
				path := filepath.Join(root, filepath.Dir(p.path), target)
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s links to %s, which does not exist", p.path, m[1])
					continue
				}
				if filepath.Ext(path) != ".md" {
					continue
				}
				at = read(t, filepath.Join(filepath.Dir(p.path), target))
			}
			if anchor != "" && !slices.Contains(at.slugs(), anchor) {
				t.Errorf("%s links to %s, where no heading has that name", p.path, m[1])
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d links were found", found)
	}
}

// The tests here only help if they see what is there.
func TestBlocksAndTablesAreFound(t *testing.T) {
	p := page{"x.md", "# A\n\n1. x\n\n   ```yaml\n   a:\n     b\n   ```\n\n```sh\nc\n```\n\n| K | V |\n|---|---|\n| `a`, `b` | 1 |\n\n| L |\n|---|\n| z |\n\n## It's one\nin\n## Two\nout\n"}
	got := blocks([]page{p}, "yaml", "sh")
	if len(got) != 2 || got[0].text != "a:\n  b\n" || got[1].text != "c\n" {
		t.Errorf("blocks: %+v", got)
	}
	if names := column(rows(p.text, "K"), 0); !slices.Equal(names, []string{"a", "b"}) {
		t.Errorf("column: %q", names)
	}
	if s := p.slugs(); !slices.Equal(s, []string{"a", "its-one", "two"}) {
		t.Errorf("slugs: %q", s)
	}
	if s := p.section(t, "## It's one"); s != "in" {
		t.Errorf("section: %q", s)
	}
	if strings.Contains(p.prose(), "c\n") {
		t.Errorf("prose: %q", p.prose())
	}
}

var (
	testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`")
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w+)\(`)
)

func TestTestsThatAreNamedExist(t *testing.T) {
	exist := make(map[string]bool)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if path == filepath.Join(root, "build") {
			return fs.SkipDir // may be in the making
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllStringSubmatch(string(text), -1) {
			exist[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, p := range pages(t) {
		for _, m := range testName.FindAllStringSubmatch(p.prose(), -1) {
			if named++; !exist[m[1]] {
				t.Errorf("%s names %s, which does not exist", p.path, m[1])
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d tests are named", named)
	}
}
