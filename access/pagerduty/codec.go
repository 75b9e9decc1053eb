package pagerduty

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"teleport-plugins/lib/message"
	"teleport-plugins/lib/plugindata"
	"teleport-plugins/lib/request"
)

// Codec is that of the records that Teleport's own PagerDuty plugin writes. They
// name one incident; those on further services are in our own part of the record.
type Codec struct{}

// Decode reads the known part of a record.
func (Codec) Decode(data map[string]string) (plugindata.Known, error) {
	k := plugindata.Known{
		User: data["user"], Roles: plugindata.Split(data["roles"]), Reason: data["request_reason"],
		Resolution: request.Status(strings.ToUpper(data["resolution"])), ResolveReason: data["resolve_reason"],
	}
	if id := data["incident_id"]; id != "" {
		m := plugindata.Message{Channel: data["service_id"], ID: id}
		if m.Channel == "" {
			m.Channel = id // the oldest records name no service, and everything needs a name
		}
		k.Messages = []plugindata.Message{m}
	}
	var faults []string
	created, err := count(data["created"], maxCreated)
	if err != nil {
		faults = append(faults, "created")
	} else if created > 0 {
		k.Created = time.Unix(created, 0).UTC()
	}
	reviews, err := count(data["reviews_count"], maxReviews)
	if err != nil {
		faults = append(faults, "reviews_count")
	}
	k.ReviewsCount = int(reviews)
	if len(faults) > 0 {
		return k, fmt.Errorf("no such number: %s", strings.Join(faults, ", "))
	}
	return k, nil
}

// Bounds of what a record may say: room is made for as many reviews, and a time
// must have a year of four digits. A larger number is garbled.
const (
	maxReviews = 10_000
	maxCreated = 253_402_300_799
)

// count reads a number that is neither negative nor too large; nothing stands for
// zero.
func count(text string, most int64) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%q is no number from 0 to %d", message.Cut(text, 40), most)
	}
	return n, nil
}

// Encode writes the known part. The plugin writes each of its keys always.
func (Codec) Encode(k plugindata.Known) map[string]string {
	var m plugindata.Message
	if len(k.Messages) > 0 {
		m = k.Messages[0]
	}
	if m.Channel == m.ID {
		m.Channel = ""
	}
	created := ""
	if at := k.Created.Unix(); at > 0 {
		created = strconv.FormatInt(at, 10)
	}
	return map[string]string{
		"incident_id": m.ID, "service_id": m.Channel, "user": k.User, "roles": plugindata.Join(k.Roles),
		"created": created, "request_reason": k.Reason, "resolve_reason": k.ResolveReason,
		"reviews_count": plugindata.Count(k.ReviewsCount), "resolution": strings.ToLower(string(k.Resolution)),
	}
}
