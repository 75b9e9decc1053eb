package mattermost

import "strings"

// joiner takes no room on the screen and breaks nothing a person reads. Behind a sign it
// keeps Mattermost from reading it together with what follows, where a backslash does
// not help: as a mention, a channel, a hashtag, an emoji, a formula or an address.
const joiner = "\u2060"

// marks have a meaning in Mattermost's markdown, which a backslash takes away.
const marks = "\\`*_[]<>|~#"

// plain is a line of user text without any meaning to Mattermost. Names as people use
// them stay as they are: nothing is done to an e-mail address, or to an underscore
// between letters.
func plain(s string) string {
	var b strings.Builder
	text := []rune(s)
	for i, r := range text {
		before, after := at(text, i-1), at(text, i+1)
		inWord := wordy(before) && wordy(after)
		if strings.ContainsRune(marks, r) && (r != '_' || !inWord) || i == 0 && strings.ContainsRune("-+=", r) {
			b.WriteByte('\\')
		}
		if r == '.' && strings.HasSuffix(strings.ToLower(string(text[max(i-3, 0):i])), "www") {
			b.WriteString(joiner)
		}
		b.WriteRune(r)
		if joins(r, before, after, text[i+1:]) {
			b.WriteString(joiner)
		}
	}
	return b.String()
}

// joins reports whether a sign must not be read together with what follows.
func joins(r, before, after rune, rest []rune) bool {
	switch r {
	case '@', '~', '#':
		return !wordy(before)
	case '$':
		return after == '$'
	case ':':
		return after == '/' || named(rest, ':', "_+-")
	case '&':
		return named(rest, ';', "#")
	}
	return false
}

// named reports whether letters, digits and those of the signs follow, and then the end
// of a name: that of an emoji, or of a character that is written by its name.
func named(rest []rune, end rune, signs string) bool {
	for i, r := range rest {
		if r == end {
			return i > 0
		}
		if !wordy(r) && !strings.ContainsRune(signs, r) {
			return false
		}
	}
	return false
}

// muted is text in a fixed font in which nobody is mentioned, even if Mattermost takes
// its beginning or its end to be somewhere else.
func muted(s string) string {
	var b strings.Builder
	text := []rune(s)
	for i, r := range text {
		b.WriteRune(r)
		if before := at(text, i-1); (r == '@' || r == '&') && joins(r, before, 0, text[i+1:]) {
			b.WriteString(joiner)
		}
	}
	return b.String()
}

// wordy reports whether a rune before an @ makes it part of a word, as in an address.
func wordy(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

func at(text []rune, i int) rune {
	if i < 0 || i >= len(text) {
		return 0
	}
	return text[i]
}
