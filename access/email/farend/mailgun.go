package farend

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"teleport-plugins/lib/sandbox/apiserver"
	"teleport-plugins/lib/sandbox/fault"
)

// domain is the one that is registered with the simulated Mailgun.
const domain = "mg.example.com"

const (
	probe = "POST /v3/{domain}/messages"
	send  = "POST /v3/{domain}/messages.mime"
)

// gun is the simulated API of Mailgun.
type gun struct{ o *Office }

// form is what a call sends.
type form struct {
	to      string
	options map[string]string
	message []byte
	letter  *letter
	wrong   error
}

// Open finds out what a call is about.
func (g gun) Open(c *apiserver.Call) bool {
	method, _, ok := apiserver.Match(map[string]bool{probe: true, send: true}, c.R, c.R.URL.Path)
	c.Method, c.Content = method, string(c.Body)
	if method != send {
		return ok
	}
	f := readForm(c)
	if c.Own, c.Target = f, f.to; f.message != nil {
		if f.letter, f.wrong = read(f.message, f.to, time.Now()); f.letter != nil {
			c.Method, c.Content = f.letter.kind, string(f.message)
		}
	}
	return ok
}

func readForm(c *apiserver.Call) *form {
	f := &form{options: make(map[string]string)}
	_, params, err := mime.ParseMediaType(c.R.Header.Get("Content-Type"))
	for r := multipart.NewReader(bytes.NewReader(c.Body), params["boundary"]); err == nil; {
		var part *multipart.Part
		if part, err = r.NextPart(); err != nil {
			break
		}
		text, _ := io.ReadAll(part) // from memory
		switch name := part.FormName(); {
		case name == "to":
			f.to = string(text)
		case name == "message" && part.FileName() != "":
			f.message = text
		default:
			f.options[name] = string(text)
		}
	}
	return f
}

// Answer carries a call out.
func (g gun) Answer(c *apiserver.Call) apiserver.Answer {
	user, key, _ := c.R.BasicAuth()
	f, _ := c.Own.(*form)
	switch {
	case user != "api" || key != g.o.taken:
		return apiserver.Answer{Status: http.StatusUnauthorized, Code: "Forbidden", Body: "Forbidden"}
	case !strings.Contains(c.R.URL.Path, "/"+domain+"/"):
		return says(http.StatusNotFound, "Domain not found: "+c.R.URL.Path)
	case c.Fault.Effect == fault.Refuse:
		return says(http.StatusBadRequest, c.Fault.Code)
	case f == nil:
		return says(http.StatusBadRequest, "from parameter is missing")
	case f.options["o:tracking-clicks"] != "no" || f.options["o:require-tls"] != "yes":
		return says(http.StatusBadRequest, "the links would be counted")
	case f.letter == nil:
		return says(http.StatusBadRequest, "the message is not well-formed")
	case g.o.inbox(f.to) == nil:
		return says(http.StatusBadRequest, "'to' parameter is not a valid address. please check documentation")
	}
	g.o.inbox(f.to).put(f.letter)
	g.o.Changed()
	return apiserver.Answer{Status: http.StatusOK, Body: map[string]string{"id": "<" + f.letter.id + ">", "message": "Queued. Thank you."}}
}

// TooFast tells how long to wait.
func (g gun) TooFast(c *apiserver.Call, wait time.Duration) apiserver.Answer {
	if wait > 0 {
		c.Out.Set("Retry-After", apiserver.Seconds(wait))
	}
	return says(http.StatusTooManyRequests, "Too many requests")
}

func says(status int, message string) apiserver.Answer {
	return apiserver.Answer{Status: status, Body: map[string]string{"message": message}, Code: message}
}
