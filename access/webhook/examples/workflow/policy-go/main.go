// Command policy-go is an endpoint of teleport-webhook: admin roles only from registered
// computers; contractors need a ticket. It is given the path of facts.json and the address
// to serve, and in WEBHOOK_SECRET the secret of the endpoint.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

type facts struct {
	Registered, Contractors []string
	Approve                 bool
}

type request struct {
	User, Reason string
	Roles        []string
}

type answer struct {
	Decision string `json:"decision"`
	Reason   string `json:"reason,omitempty"`
}

var ticket = regexp.MustCompile(`\b[A-Z]+-[0-9]+\b`)

func decide(f facts, r request) answer {
	admin := slices.ContainsFunc(r.Roles, func(role string) bool { return strings.Contains(role, "admin") })
	switch {
	case admin && !slices.Contains(f.Registered, r.User):
		return answer{"deny", r.User + " has no registered computer, which admin roles need"}
	case slices.Contains(f.Contractors, r.User) && !ticket.MatchString(r.Reason):
		return answer{"deny", "contractors name a ticket in the reason, such as INC-204"}
	case f.Approve:
		return answer{"approve", "no rule speaks against it"}
	}
	return answer{Decision: "none"}
}

// serve answers one event. Nothing of it is believed before its signature is verified.
func serve(secret *standard.Webhook, factsPath string, r *http.Request) (a answer, err error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err == nil {
		err = secret.Verify(body, r.Header)
	}
	var event struct{ Request request }
	if err == nil {
		err = json.Unmarshal(body, &event)
	}
	var f facts
	text, unread := os.ReadFile(factsPath) // anew each time, so that a change counts at once
	if err = errors.Join(err, unread); err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil {
		return a, fmt.Errorf("answering an event: %w", err)
	}
	return decide(f, event.Request), nil
}

func main() {
	secret, err := standard.NewWebhook(os.Getenv("WEBHOOK_SECRET"))
	if err != nil || len(os.Args) != 3 {
		log.Fatal("usage: WEBHOOK_SECRET=whsec_... policy-go facts.json 127.0.0.1:8080")
	}
	http.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		a, err := serve(secret, os.Args[1], r)
		if err != nil {
			log.Print(err)
			http.Error(w, "not answered", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(a) // whoever is gone asks again
	})
	listener, err := net.Listen("tcp", os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	log.Print("serving http://", listener.Addr())
	server := http.Server{ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.Serve(listener))
}
