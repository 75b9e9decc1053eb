package mail

import (
	"bytes"
	"mime"
	"net/mail"
	"slices"
	"strings"
	"testing"
)

// Whatever the names, ids and texts are, each line is short enough, nothing of them
// becomes a header, and a reader finds them as they were.
func TestMailsAreWellFormed(t *testing.T) {
	long := strings.Repeat("a", 60) + "." + strings.Repeat("b", 60) + "." + strings.Repeat("c", 60) + ".example.com"
	var ids []string
	for _, c := range "0123456789" {
		ids = append(ids, strings.Repeat(string(c), 40)+"@"+long)
	}
	for name, tc := range map[string]struct {
		from, subject, to string
		references        []string
	}{
		"usual":                   {"Teleport <teleport@example.com>", "example.com Role Request 1", oncall, ids[:1]},
		"a name in quotes":        {`"Teleport, \"Inc.\" (Ops) <x@y>; z" <teleport@example.com>`, "x", oncall, nil},
		"a name outside ASCII":    {"Télé " + strings.Repeat("pört 漢字 ", 30) + " <teleport@example.com>", "x", oncall, nil},
		"a long name":             {strings.Repeat("Teleport ", 60) + " <teleport@example.com>", "x", oncall, nil},
		"a name without a blank":  {strings.Repeat("T", 200) + " <teleport@example.com>", "x", oncall, nil},
		"a coded name":            {"=?utf-8?q?T=C3=A9l=C3=A9?= <teleport@example.com>", "x", oncall, nil},
		"long addresses":          {"teleport@" + long, "x", strings.Repeat("l", 64) + "@" + long, ids},
		"a quoted address":        {"teleport@example.com", "x", "o'brien+teleport=x!#$%&*/?^_`{|}~@example.com", nil},
		"a long subject":          {"teleport@example.com", strings.Repeat("Role Request ", 60) + "end", oncall, nil},
		"a subject in one word":   {"teleport@example.com", strings.Repeat("x", 900), oncall, nil},
		"a subject outside ASCII": {"teleport@example.com", strings.Repeat("漢字 Role é", 40), oncall, nil},
		"a subject with lines":    {"teleport@example.com", "a\r\nBcc: x@example.com\r\n\r\nbody", oncall, nil},
	} {
		t.Run(name, func(t *testing.T) {
			from, err := address(tc.from)
			if err != nil {
				t.Fatal(err)
			}
			m := letter
			m.To, m.Subject, m.References = tc.to, tc.subject, tc.references
			m.Plain, m.HTML = strings.Repeat(". é\n.\n", 20)+strings.Repeat("x", 3000), "<p>"+strings.Repeat("y", 3000)
			text, err := m.MIME(from, from)
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.SplitSeq(text, []byte("\n")) {
				if line := strings.TrimSuffix(string(line), "\r"); len(line) > 998 || !isASCII(line) || strings.Contains(line, "\r") || line != "" && strings.TrimSpace(line) == "" {
					t.Errorf("the line %q, of %d characters", line, len(line))
				}
			}
			got, err := mail.ReadMessage(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
			if err != nil || strings.Join(strings.Fields(subject), " ") != strings.Join(strings.Fields(tc.subject), " ") {
				t.Errorf("the subject is %q, %v", subject, err)
			}
			for header, want := range map[string]*mail.Address{"From": from, "Reply-To": from, "To": {Address: tc.to}} {
				a, err := got.Header.AddressList(header)
				if err != nil || len(a) != 1 || a[0].Address != want.Address || strings.Join(strings.Fields(a[0].Name), " ") != strings.Join(strings.Fields(want.Name), " ") {
					t.Errorf("%s is %v, %v, and not %v", header, a, err, want)
				}
			}
			if refs := strings.Fields(strings.NewReplacer("<", "", ">", "").Replace(got.Header.Get("References"))); !slices.Equal(refs, tc.references) {
				t.Errorf("it refers to %q", refs)
			}
			if got.Header.Get("Bcc") != "" || got.Header.Get("Message-Id") != "<"+m.ID+">" {
				t.Errorf("the header is %v", got.Header)
			}
		})
	}
}
