package message_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"teleport-plugins/lib/message"
)

// ampersand escapes as some services want it, with escapes of several characters.
func ampersand(r rune) string {
	switch r {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	}
	return ""
}

func TestTextIsTrimmedCleanedCutAndEscaped(t *testing.T) {
	for _, c := range []struct {
		name, in string
		limit    int
		esc      message.Escape
		want     string
	}{
		{"nothing", "", 10, nil, ""},
		{"white space alone", " \n\t ", 10, nil, ""},
		{"space around", "  a b\n", 10, nil, "a b"},
		{"at the limit", "abcde", 5, nil, "abcde"},
		{"over the limit", "abcdef", 5, nil, "abcde (truncated)"},
		{"limit in characters, not bytes", "äöüß€", 5, nil, "äöüß€"},
		{"an emoji is not split", "😀😀😀", 2, nil, "😀😀 (truncated)"},
		{"limit before the escapes", "&&&", 3, ampersand, "&amp;&amp;&amp;"},
		{"an escape is not split", "&&&", 2, ampersand, "&amp;&amp; (truncated)"},
		{"a mention is taken apart", "<!channel>", 20, ampersand, "&lt;!channel&gt;"},
		{"backticks stay", "a`b", 5, nil, "a`b"},
		{"control characters", "a\x00b\x1bc\x7fd\u0085e", 20, nil, "abcde"},
		{"line breaks and tabs stay", "a\nb\tc", 20, nil, "a\nb\tc"},
		{"line breaks of another system", "a\r\nb", 20, nil, "a\nb"},
		{"marks that turn the text", "a\u202Eb\u2066c\u200Fd\u061Ce", 20, nil, "abcde"},
		{"scripts that run from the right stay", "مرحبا שלום", 20, nil, "مرحبا שלום"},
		{"what shows nothing", "a\u200Bb\u00ADc\u2060d\uFEFFe\u3164f\u115Fg\uFFA0h\uFFF9i\U000E0041j\u034Fk\u180El", 40, nil, "abcdefghijkl"},
		{"joiners that join nothing", "a\u200Db\u200Cc\u200D\u200Dд\u200Dе\u200C", 20, nil, "abcде"},
		{"joiners that scripts need stay", "می\u200Cخواهم क्\u200Dष", 20, nil, "می\u200Cخواهم क्\u200Dष"},
		{"signs before numbers stay", "\u0600\u0661", 20, nil, "\u0600\u0661"},
		{"joined emoji stay joined", "👩‍💻", 3, nil, "👩‍💻"},
		{"broken bytes", "a\xffb\xc3", 20, nil, "a\uFFFDb\uFFFD"},
		{"limit of nothing", "a", 0, nil, " (truncated)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := message.Text(c.in, c.limit, c.esc); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestCodeTextStaysOneQuotationOnOneLine(t *testing.T) {
	for _, c := range []struct {
		name, in string
		limit    int
		want     string
	}{
		{"nothing", "", 10, "`(empty)`"},
		{"white space alone", " \n ", 10, "`(empty)`"},
		{"nothing that shows", "\u200E\x00", 10, "`(empty)`"},
		{"a word", "editor", 10, "`editor`"},
		{"lines become one", "a\nb\r\n  c\u2028d", 20, "`a b c d`"},
		{"a backtick cannot close it", "a`b", 10, "`aˋb`"},
		{"nor can three", "```", 10, "`ˋˋˋ`"},
		{"at the edge", "12345`", 6, "`12345ˋ`"},
		{"cut behind the quotation", "1234567", 6, "`123456` (truncated)"},
		{"escaped", "<@U1>&", 10, "`&lt;@U1&gt;&amp;`"},
		{"a byte order mark of the user's own", "\uFEFFa", 10, "`a`"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := message.CodeText(c.in, c.limit, ampersand); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestBlockTextStaysBetweenItsFences(t *testing.T) {
	const bom = "\uFEFF"
	for _, c := range []struct {
		name, in string
		limit    int
		want     string
	}{
		{"nothing", "", 10, "```\n(empty)```"},
		{"a word", "why", 10, "```\nwhy```"},
		{"lines stay", "a\n\nb", 10, "```\na\n\nb```"},
		{"fences are taken apart", "```", 10, "```\n`" + bom + "`" + bom + "`" + bom + "```"},
		{"also at the end", "a`", 10, "```\na`" + bom + "```"},
		{"also with marks that are dropped between", "`\u200E`\u200E`", 10, "```\n`" + bom + "`" + bom + "`" + bom + "```"},
		{"cut behind the fence", "1234567", 6, "```\n123456``` (1 more character)"},
		{"escaped", "<!here>", 10, "```\n&lt;!here&gt;```"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := message.BlockText(c.in, c.limit, ampersand); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestQuotationsWorkWithoutAnEscape(t *testing.T) {
	if got := message.CodeText("<a`b>", 10, nil); got != "`<aˋb>`" {
		t.Errorf("got %q", got)
	}
}

func TestCutIsNeverLongerThanItsLimit(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"abc", 3, "abc"},
		{"", 0, ""},
		{"abc", 0, ""},
		{"abc", -1, ""},
		{"12345678901234567890", 20, "12345678901234567890"},
		{"123456789012345678901", 20, "12345678 (truncated)"},
		{"ääääääääääääääääääääää", 13, "ä (truncated)"},
		{"12345678901234567890", 5, " (tru"},
		{"a\xff", 5, "a\uFFFD"},
	} {
		if got := message.Cut(c.in, c.limit); got != c.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", c.in, c.limit, got, c.want)
		}
	}
}

func FuzzQuotationsHoldWhateverIsInThem(f *testing.F) {
	for _, s := range []string{"", "`", "```", "``` <!channel> ```", "a\u200E``b`", "&&&&", "\xff`\xff", strings.Repeat("😀`", 300)} {
		f.Add(s, 5)
		f.Add(s, 400)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = min(max(limit, 0), 1000)
		for name, c := range map[string]struct {
			out, before, after string
			each               int // of one character, escaped
		}{
			"text":  {message.Text(s, limit, ampersand), "", "", 5},
			"code":  {message.CodeText(s, limit, ampersand), "`", "`", 5},
			"block": {message.BlockText(s, limit, ampersand), "```\n", "```", 5},
		} {
			if !utf8.ValidString(c.out) {
				t.Fatalf("%s is not valid UTF-8: %q", name, c.out)
			}
			shown := strings.TrimSuffix(c.out, message.Truncated)
			if i := strings.LastIndex(shown, "``` ("); name == "block" && i > 3 {
				shown = shown[:i+3]
			}
			inner := strings.TrimSuffix(strings.TrimPrefix(shown, c.before), c.after)
			if n := utf8.RuneCountInString(shown); n > limit*c.each+len(c.before)+len(c.after)+len(message.Empty) {
				t.Errorf("%s has %d characters for a limit of %d", name, n, limit)
			}
			if c.after != "" && strings.Contains(inner, c.after) {
				t.Errorf("the quotation of %s closes early: %q", name, c.out)
			}
			if strings.ContainsAny(inner, "<>") || strings.Count(inner, "&") != strings.Count(inner, "&amp;")+strings.Count(inner, "&lt;")+strings.Count(inner, "&gt;") {
				t.Errorf("an escape of %s is missing or split: %q", name, c.out)
			}
			if strings.ContainsFunc(strings.ReplaceAll(c.out, "`\uFEFF", "`"), message.Invisible) {
				t.Errorf("%s holds what cannot be seen: %q", name, c.out)
			}
		}
		if strings.Contains(message.CodeText(s, limit, nil), "\n") {
			t.Error("code has more than one line")
		}
	})
}

func FuzzCut(f *testing.F) {
	f.Add("äöü😀", 3)
	f.Add(strings.Repeat("x", 30), 12)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = min(max(limit, -1), 1000)
		got := message.Cut(s, limit)
		if !utf8.ValidString(got) {
			t.Errorf("not valid UTF-8: %q", got)
		}
		if n := utf8.RuneCountInString(got); n > max(limit, 0) {
			t.Errorf("%d characters for a limit of %d", n, limit)
		}
		if utf8.ValidString(s) && utf8.RuneCountInString(s) <= limit && got != s {
			t.Errorf("%q was changed to %q", s, got)
		}
	})
}
