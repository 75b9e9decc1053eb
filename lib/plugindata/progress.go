package plugindata

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"teleport-plugins/lib/ledger"
	"teleport-plugins/lib/request"
)

// Progress is our own part of a record.
type Progress struct {
	// Request is the creation time of the request in Unix seconds; a request
	// that was deleted and made again under the same id has another.
	Request int64 `json:"request,omitempty"`
	// Aim is the state of the request that the last claim was made for. Whoever
	// takes over a claim that died need only look for what lies between the
	// record and that.
	Aim request.Version `json:"aim,omitzero"`
	// Deliveries holds one entry for each recipient, decided when the request
	// was first seen.
	Deliveries []Delivery `json:"deliveries,omitempty"`
	// Decided names the deciders that have finished with the request.
	Decided []string `json:"decided,omitempty"`
	// Reached is when, in seconds since the request was made, the newest of what became
	// due by time was told to everybody.
	Reached int `json:"reached,omitempty"`
	// Agenda names what was configured to become due when that was noted.
	Agenda string `json:"agenda,omitempty"`
}

// Until drops times that are yet to come, of a request that is so many seconds old.
func (p *Progress) Until(age int) {
	past := func(at int) int {
		if at > age {
			return 0
		}
		return at
	}
	p.Reached = past(p.Reached)
	for i := range p.Deliveries {
		d := &p.Deliveries[i]
		d.Since, d.Reminded, d.Warned = past(d.Since), past(d.Reminded), past(d.Warned)
	}
}

// Delivery is how far one recipient has come.
type Delivery struct {
	// Recipient is the name as it was configured or suggested.
	Recipient string `json:"recipient"`
	// Address is what the service calls the recipient, once it is known.
	Address string `json:"address,omitempty"`
	// Posts are the messages that tell of the request there. All are kept true;
	// the first gets what is told below it.
	Posts []Post `json:"posts,omitempty"`
	// Generation is how often the message was removed at the service: after the
	// first time it is announced once more, after the second no more.
	Generation int `json:"generation,omitempty"`
	// Reviews is how many reviews were told below the message, or need not be.
	Reviews int `json:"reviews,omitempty"`
	// Ended is the end that was told below the message.
	Ended request.Status `json:"ended,omitempty"`
	// Requester marks the requester's own copy, and whom to notify of the
	// decision.
	Requester bool `json:"requester,omitempty"`
	// Noticed is the decision of which the requester was notified.
	Noticed request.Status `json:"noticed,omitempty"`
	// Since is when the message was made, Reminded when the newest word was due that the
	// request is still pending, and Warned the newest that access ends, as Reached.
	Since    int `json:"since,omitempty"`
	Reminded int `json:"reminded,omitempty"`
	Warned   int `json:"warned,omitempty"`
	// Doubt holds the effects whose outcome is not known, by their names.
	Doubt map[string]Doubt `json:"doubt,omitempty"`
	// Begun is how many effects were begun, those that a look-up has refuted not
	// among them.
	Begun int `json:"begun,omitempty"`
	// Skipped says that there is no message: another recipient has the same address, or
	// it is the requester, who gets no copy.
	Skipped bool `json:"skipped,omitempty"`
}

// Doubt is an effect that was begun and whose outcome is not known.
type Doubt struct {
	// Tries is how often it was begun.
	Tries int `json:"tries"`
	// Claim is the generation of the claim under which that was last done.
	Claim int `json:"claim,omitempty"`
}

// Doubted notes that an effect was begun under a claim and that its outcome is not
// known.
func (d *Delivery) Doubted(effect string, claim ledger.Claim) {
	if d.Doubt == nil {
		d.Doubt = make(map[string]Doubt)
	}
	d.Doubt[effect] = Doubt{d.Doubt[effect].Tries + 1, claim.Generation}
	d.Begun++
}

// Refuted notes that an effect in doubt has not happened.
func (d *Delivery) Refuted(effect string) {
	d.Begun = max(d.Begun-d.Doubt[effect].Tries, 0)
	delete(d.Doubt, effect)
}

// Post is one message and what it shows.
type Post struct {
	Channel string `json:"channel"`
	ID      string `json:"id"`
	// Shown is what the message shows; the zero value says that nobody knows.
	Shown request.Version `json:"shown,omitzero"`
	// Buttons says that the message has buttons. It is no part of the version, which
	// is the same for all replicas, whatever their configs say of buttons.
	Buttons bool `json:"buttons,omitempty"`
	// Unsure says that a call which is still under way may yet show something
	// older; the message is to be shown once more later on.
	Unsure bool `json:"unsure,omitempty"`
	// Fixed says that the message cannot be changed any more.
	Fixed bool `json:"fixed,omitempty"`
}

// Message names the message.
func (p Post) Message() Message { return Message{Channel: p.Channel, ID: p.ID} }

// Posted reports whether the recipient has a message.
func (d *Delivery) Posted() bool { return len(d.Posts) > 0 }

// Message names the message that replies go to; it is empty if there is none.
func (d *Delivery) Message() Message {
	if len(d.Posts) == 0 {
		return Message{}
	}
	return d.Posts[0].Message()
}

// Has reports whether a message is among the posts.
func (d *Delivery) Has(m Message) bool {
	return slices.ContainsFunc(d.Posts, func(p Post) bool { return p.Message() == m })
}

// Clone is a copy that shares nothing with the delivery.
func (d *Delivery) Clone() Delivery {
	c := *d
	c.Posts, c.Doubt = slices.Clone(d.Posts), maps.Clone(d.Doubt)
	return c
}

// Delivery returns the entry of a recipient, or nil.
func (p *Progress) Delivery(recipient string) *Delivery {
	for i := range p.Deliveries {
		if p.Deliveries[i].Recipient == recipient {
			return &p.Deliveries[i]
		}
	}
	return nil
}

// Bounds of what a record may say. Whoever may write plugin data can write ours,
// and nothing in it is believed beyond them.
const (
	// MaxDeliveries bounds the recipients of a request.
	MaxDeliveries = 101
	// maxPosts bounds the messages in one place, and maxDoubts the effects in
	// doubt there.
	maxPosts, maxDoubts = 20, 100
	// maxTries bounds how often an effect may have been begun.
	maxTries = 1000
	// maxAge bounds times since a request was made, in seconds: a hundred years.
	maxAge = 100 * 366 * 24 * 3600
	// maxName bounds each name, address and id, in bytes.
	maxName = 1000
)

func decodeProgress(text string) (p Progress, err error) {
	if text == "" {
		return p, nil
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return Progress{}, fmt.Errorf("key %q: %w", ProgressKey, err)
	}
	p.heal()
	return p, nil
}

// heal brings what a record says within its bounds, and drops what contradicts
// itself: recipients without a name or named twice, messages without an id or
// named twice, counts that cannot be.
func (p *Progress) heal() {
	p.Request = max(p.Request, 0)
	p.Aim.Reviews = count(p.Aim.Reviews, maxCount)
	if p.Reached = count(p.Reached, maxAge); len(p.Agenda) > maxName {
		p.Agenda = ""
	}
	recipients, posts := make(map[string]bool), make(map[Message]bool)
	p.Deliveries = slices.DeleteFunc(p.Deliveries, func(d Delivery) bool {
		bad := d.Recipient == "" || len(d.Recipient) > maxName || len(d.Address) > maxName || recipients[d.Recipient]
		recipients[d.Recipient] = true
		return bad
	})
	p.Deliveries = p.Deliveries[:min(len(p.Deliveries), MaxDeliveries)]
	for i := range p.Deliveries {
		d := &p.Deliveries[i]
		d.Posts = slices.DeleteFunc(d.Posts, func(s Post) bool {
			bad := s.ID == "" || len(s.ID) > maxName || len(s.Channel) > maxName || posts[s.Message()]
			posts[s.Message()] = true
			return bad
		})
		d.heal()
	}
	p.Decided = p.Decided[:min(len(p.Decided), maxPosts)]
}

func (d *Delivery) heal() {
	d.Posts = d.Posts[:min(len(d.Posts), maxPosts)]
	for i := range d.Posts {
		d.Posts[i].Shown.Reviews = count(d.Posts[i].Shown.Reviews, maxCount)
	}
	d.Reviews, d.Begun = count(d.Reviews, maxCount), count(d.Begun, maxCount)
	d.Generation = count(d.Generation, 2)
	d.Since, d.Reminded, d.Warned = count(d.Since, maxAge), count(d.Reminded, maxAge), count(d.Warned, maxAge)
	if len(d.Doubt) > maxDoubts {
		d.Doubt = nil
	}
	for effect, doubt := range d.Doubt {
		d.Doubt[effect] = Doubt{max(count(doubt.Tries, maxTries), 1), count(doubt.Claim, ledger.MaxGeneration)}
	}
}

// count is a stored number within its bounds; one that cannot be counts as none.
func count(n, most int) int {
	if n > most {
		return 0
	}
	return max(n, 0)
}

// encode cannot fail: a Progress is texts, numbers and truth values.
func (p *Progress) encode() string {
	if p.Request == 0 && len(p.Deliveries) == 0 && len(p.Decided) == 0 {
		return ""
	}
	text, _ := json.Marshal(p)
	return string(text)
}

// Join takes over what calls of ours have achieved for a recipient, under a claim,
// since the record was read that others may have changed meanwhile: neither side's
// progress or doubt is lost, and a message of which both say something different is
// shown once more. What was in doubt before our claim and is not in ours has been
// settled.
func (d *Delivery) Join(other Delivery, under int) {
	maps.DeleteFunc(d.Doubt, func(effect string, doubt Doubt) bool {
		return other.Doubt[effect].Tries == 0 && doubt.Claim < under
	})
	if other.Generation > d.Generation {
		d.Generation, d.Posts = other.Generation, nil
	}
	for _, p := range other.Posts {
		i := slices.IndexFunc(d.Posts, func(q Post) bool { return q.Message() == p.Message() })
		switch {
		case i >= 0:
			d.Posts[i].join(p)
		case other.Generation == d.Generation:
			d.Posts = append(d.Posts, p)
		}
	}
	d.Address = cmp.Or(d.Address, other.Address)
	d.Reviews, d.Begun = max(d.Reviews, other.Reviews), max(d.Begun, other.Begun)
	d.Since, d.Reminded, d.Warned = max(d.Since, other.Since), max(d.Reminded, other.Reminded), max(d.Warned, other.Warned)
	d.Ended, d.Noticed = cmp.Or(other.Ended, d.Ended), cmp.Or(other.Noticed, d.Noticed)
	d.Skipped = d.Skipped || other.Skipped
	for effect, doubt := range other.Doubt {
		if d.Doubt == nil {
			d.Doubt = make(map[string]Doubt)
		}
		d.Doubt[effect] = Doubt{max(d.Doubt[effect].Tries, doubt.Tries), max(d.Doubt[effect].Claim, doubt.Claim)}
	}
}

// join takes over what calls of ours have made of a message.
func (p *Post) join(other Post) {
	p.Unsure, p.Fixed = p.Unsure || other.Unsure, p.Fixed || other.Fixed
	if p.Shown != other.Shown || p.Buttons != other.Buttons {
		p.Shown, p.Unsure = request.Version{}, true // whoever was last
	}
}
