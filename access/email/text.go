package email

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"teleport-plugins/lib/integration"
	"teleport-plugins/lib/mail"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/request"
)

// letter is the mail that an effect is.
func letter(v request.View, to integration.Place, e integration.Effect, domain string, now time.Time) (mail.Mail, error) {
	if v.Now.IsZero() {
		v.Now = e.DueAt(v.Created)
	}
	page, err := html(v, e)
	return mail.Mail{
		ID: messageID(v, to.Address, e, domain), To: to.Address, References: references(v, to, e, domain),
		Date: moment(v, e, now), Subject: subject(v), Plain: plain(v, e), HTML: page,
	}, err
}

// The limits on texts, in characters. A mail has room for all that the cluster takes;
// they only bound what is broken.
const (
	maxValue = 2000
	maxText  = 10_000
)

// subject is that of all mails about a request, as Teleport's own plugin writes it:
// people have rules for it, and mail clients group by it.
func subject(v request.View) string {
	return fmt.Sprintf("%s Role Request %s", message.Line(v.Cluster), message.Line(v.ID))
}

// breaks are all the characters and pairs that mail clients show as the end of a line.
var breaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\v", "\n", "\f", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// clean is a stranger's text without what hides or turns text around.
func clean(s string) string { return message.Text(breaks.Replace(s), maxText, nil) }

// indented is a stranger's text in the plain part, where its further lines stand apart
// from the fields.
func indented(s string) string { return strings.ReplaceAll(clean(s), "\n", "\n  ") }

// headline is the first line of a mail that shows a request.
func headline(e integration.Effect) string {
	if e.Kind == integration.Announce {
		return "You have a new Role Request:"
	}
	return "Role Request has been resolved:"
}

// plain is the part of a mail for readers without HTML. Its lines and their order are
// those of Teleport's own plugin.
func plain(v request.View, e integration.Effect) string {
	switch e.Kind {
	case integration.Review:
		return plainReview(v.Reviews[e.Index])
	case integration.Pending:
		return below(message.Pending(v, message.Line), v)
	case integration.Ending:
		return below(message.Ending(v, message.Line), v)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", headline(e))
	line := func(label, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", label, value)
		}
	}
	line("ID", message.Line(v.ID))
	line("Cluster", message.Line(v.Cluster))
	line("User", message.Line(v.User))
	line("Role(s)", list(v.Roles))
	line("Resource(s)", list(v.Resources))
	if v.LongTerm {
		line("Type", "Long-term request")
	}
	line("Reason", indented(v.Reason))
	switch {
	case v.Link != "":
		line("Link", message.Line(v.Link))
	case v.Status == request.Pending:
		line("Approve", "tsh request review --approve "+message.Line(v.ID))
		line("Deny", "tsh request review --deny "+message.Line(v.ID))
	}
	fmt.Fprintf(&b, "\nStatus: %s", words.State(v.Status))
	if why := indented(v.ResolveReason); why != "" {
		fmt.Fprintf(&b, " (%s)", why)
	}
	if v.AccessList != "" {
		fmt.Fprintf(&b, "\nAccess list: %s", message.Line(v.AccessList))
	}
	return b.String()
}

// below is a text of sentences, with the address of the request.
func below(text string, v request.View) string {
	if v.Link != "" {
		text += "\nLink: " + message.Line(v.Link)
	}
	return text
}

// list joins names as Teleport's own plugin does, or counts those for which there is no
// room.
func list(names []string) string {
	text := strings.Join(names, ",")
	if utf8.RuneCountInString(text) > maxValue {
		text = message.Join(names, ",")
	}
	return message.Line(text)
}

func plainReview(r request.Review) string {
	text := fmt.Sprintf("%s reviewed the request at %s.\nResolution: %s.", message.Line(r.Author), words.Moment(r.Created), words.State(r.State))
	if why := indented(r.Reason); why != "" {
		text += fmt.Sprintf("\nReason: %s.", why)
	}
	return text
}

// words are how the plain part is written, and sheets how the one in HTML is before its
// texts are escaped.
var (
	words = message.Dialect{
		Line: message.Line, Code: message.Line, Block: indented, Moment: func(at time.Time) string { return at.UTC().Format(time.RFC822) },
		Link: func(address, _ string) string { return message.Line(address) },
	}
	sheets = message.Dialect{
		Line: message.Line, Code: message.Line, Block: clean, Moment: func(at time.Time) string { return at.UTC().Format(time.RFC1123) },
	}
)

// inert keeps mail clients from making links of the addresses in a text, by a space
// without width.
func inert(s string) string { return addresses.ReplaceAllString(s, "$0\u200B") }

var addresses = regexp.MustCompile(`(?i)://|www\.|mailto:`)
