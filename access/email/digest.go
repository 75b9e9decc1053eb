package email

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"teleport-plugins/lib/mail"
	"teleport-plugins/lib/message"
	"teleport-plugins/lib/remind"
)

// maxLists bounds the access lists of a digest that have a line each.
const maxLists = 50

// Person implements remind.Service.
func (s *service) Person(ctx context.Context, user string) string {
	return s.people.Find(ctx, user).Name
}

// Remind implements remind.Service.
func (s *service) Remind(ctx context.Context, address string, r remind.Reminder) error {
	m, err := digest(r, address, s.post.Domain())
	if err != nil {
		return err
	}
	_, err = s.post.Send(ctx, m)
	return err
}

// digest is the mail about access lists that are to be reviewed. Its id is made of what
// it says and of the day, so that one that is repeated is the same mail, and one that says
// the same a week later is not.
func digest(r remind.Reminder, to, domain string) (mail.Mail, error) {
	plain := r.Text(words, maxLists, func(string) bool { return true })
	page := sheet{Title: r.Title(), Link: r.Link, Action: "View the access lists"}
	for i, list := range r.Lists {
		if i == maxLists {
			page.add("…", message.AndMore(len(r.Lists)-i))
			break
		}
		page.add(inert(message.Line(list.Title)), list.When(r.Now))
	}
	html, err := page.html()
	now := r.Now.UTC()
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %s", strings.ToLower(to), plain, now.Format(time.DateOnly)))
	return mail.Mail{
		ID: "teleport." + hex.EncodeToString(sum[:16]) + "@" + domain, To: to, Date: now.Truncate(time.Hour), Subject: r.Title(), Plain: plain, HTML: html,
	}, err
}
