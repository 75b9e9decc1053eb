package slackapi

import "math"

type historyBody struct {
	OK       bool             `json:"ok"`
	Messages []object         `json:"messages"`
	HasMore  bool             `json:"has_more"`
	Meta     responseMetadata `json:"response_metadata"`
}

// span is the time that a reading call asks for, both ends included, in
// microseconds.
type span struct{ from, to int64 }

func (s span) holds(ts int64) bool { return s.from <= ts && ts <= s.to }

// span reads oldest, latest and inclusive.
func (a Args) span() (span, error) {
	s := span{from: 0, to: math.MaxInt64}
	outside := int64(1)
	if a.truth("inclusive") {
		outside = 0
	}
	if text := a["oldest"]; text != "" {
		ts, ok := parseTS(text)
		if !ok {
			return span{}, failure("invalid_ts_oldest")
		}
		s.from = ts + outside
	}
	if text := a["latest"]; text != "" {
		ts, ok := parseTS(text)
		if !ok {
			return span{}, failure("invalid_ts_latest")
		}
		s.to = ts - outside
	}
	return s, nil
}

// conversationsHistory lists what stands in the channel itself, newest first;
// replies are left out unless they were broadcast.
func (s *Server) conversationsHistory(c call) (any, error) {
	limit, err := c.args.limit(100, 999)
	if err != nil {
		return nil, err
	}
	when, err := c.args.span()
	if err != nil {
		return nil, err
	}
	before, err := readCursor("before", c.args["cursor"])
	if err != nil {
		return nil, err
	}
	if before != 0 {
		when.to = min(when.to, before-1)
	}
	ch, err := s.state.readable(c, "history")
	if err != nil {
		return nil, err
	}
	if ch.WithoutBot {
		return nil, failure("not_in_channel")
	}
	return s.state.history(ch, when, limit, c.args.truth("include_all_metadata")), nil
}

func (ws *workspace) history(ch *channel, when span, limit int, metadata bool) historyBody {
	body := historyBody{OK: true, Messages: []object{}}
	last := int64(0)
	for ts, m := range ch.Backward() {
		if ts < when.from {
			break
		}
		if m.Deleted || m.EphemeralTo != "" || m.thread != 0 && !m.Broadcast || !when.holds(ts) {
			continue
		}
		if len(body.Messages) == limit {
			body.HasMore, body.Meta.NextCursor = true, writeCursor("before", last)
			break
		}
		body.Messages = append(body.Messages, ws.wire(ch, m, metadata))
		last = m.ts
	}
	return body
}

// conversationsReplies lists a thread, oldest first; the parent leads every
// page.
func (s *Server) conversationsReplies(c call) (any, error) {
	limit, err := c.args.limit(1000, 1000)
	if err != nil {
		return nil, err
	}
	when, err := c.args.span()
	if err != nil {
		return nil, err
	}
	after, err := readCursor("after", c.args["cursor"])
	if err != nil {
		return nil, err
	}
	when.from = max(when.from, after+1)
	ch, err := s.state.readable(c, "history")
	if err != nil {
		return nil, err
	}
	if ch.WithoutBot {
		return nil, failure("not_in_channel")
	}
	parent := ch.threadOf(c.args["ts"])
	if parent == nil {
		return nil, failure("thread_not_found")
	}
	return s.state.replies(ch, parent, when, limit, c.args.truth("include_all_metadata")), nil
}

// threadOf finds the parent of the thread that a message is in, which is itself
// if it is no reply; nil if there is no such message.
func (ch *channel) threadOf(ts string) *message {
	m := ch.live(ts)
	if m == nil || m.thread == 0 {
		return m
	}
	return ch.live(formatTS(m.thread))
}

func (ws *workspace) replies(ch *channel, parent *message, when span, limit int, metadata bool) historyBody {
	body := historyBody{OK: true, Messages: []object{ws.wire(ch, parent, metadata)}}
	last, count := int64(0), 0
	for _, ts := range ch.replies[parent.ts] {
		if !when.holds(ts) {
			continue
		}
		if count == limit {
			body.HasMore, body.Meta.NextCursor = true, writeCursor("after", last)
			break
		}
		body.Messages = append(body.Messages, ws.wire(ch, ch.Find(ts), metadata))
		last, count = ts, count+1
	}
	return body
}
