package slackapi

import (
	"fmt"
	"net/url"
	"slices"
	"time"
)

// live is what a workspace knows of the app that listens: its sockets, what was
// sent to it, and what single people see of the answers.
type live struct {
	// closed says that the server takes no more sockets.
	closed bool
	// site is where the app last asked for a socket.
	site string
	// tickets are the addresses of sockets that were given out, by when.
	tickets map[string]time.Time
	// connected are all sockets, and dealt those that events are dealt to in turn,
	// half-open ones too.
	connected map[*socket]struct{}
	dealt     []*socket
	turn      int
	// silent is how many of the next sockets are never greeted; off says that
	// Socket Mode is switched off, and lingers that a socket without a close frame
	// stays registered.
	silent       int
	off, lingers bool
	stats        Sockets

	waiting  map[string]*delivery // by envelope
	triggers map[string]*trigger
	replies  map[string]*replyURL // by path
	views    []*View
	saw      map[string][]string // by user
	replied  map[string]int      // how much of that came by addresses for answers

	requestURL, signingSecret string
	serial                    int
}

func newLive() live {
	return live{
		tickets: make(map[string]time.Time), connected: make(map[*socket]struct{}), waiting: make(map[string]*delivery),
		triggers: make(map[string]*trigger), replies: make(map[string]*replyURL), saw: make(map[string][]string), replied: make(map[string]int),
	}
}

// unique is a name that nothing else has.
func (l *live) unique(prefix string) string {
	l.serial++
	return fmt.Sprintf("%s%06d", prefix, l.serial)
}

// show lets a person see something that nobody else does.
func (l *live) show(user, text string) { l.saw[user] = append(l.saw[user], text) }

// Saw is all that one person alone was shown, oldest first: ephemeral messages
// whichever way they came, Slack's own signs of a failure, and what a dialog said
// was wrong.
func (s *Server) Saw(user string) (texts []string) {
	s.Look(func() { texts = slices.Clone(s.state.live.saw[user]) })
	return texts
}

// Replies is what a person alone was shown through the address for answers to one
// press.
func (s *Server) Replies(responseURL string) (texts []string) {
	u, err := url.Parse(responseURL)
	if err != nil {
		return nil
	}
	s.Look(func() {
		if r := s.state.live.replies[u.Path]; r != nil {
			texts = slices.Clone(r.said)
		}
	})
	return texts
}

// Replied is how much of what Saw returns came through addresses for answers.
func (s *Server) Replied(user string) (n int) {
	s.Look(func() { n = s.state.live.replied[user] })
	return n
}

// What Slack itself shows to a person whose press or dialog went nowhere.
const (
	PressFailed  = "⚠ The app did not respond."
	SubmitFailed = "⚠ There was trouble connecting. Try again?"
)
