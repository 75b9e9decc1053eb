package teleport

import (
	"net/url"
	"strings"
)

// RequestLink is the address of the request's page in Teleport's web UI below
// the proxy's base address, for example https://teleport.example.com. It is
// empty when either cannot be part of an address.
func RequestLink(proxy, id string) string { return pageLink(proxy, "requests", id, "") }

// AccessListLinks are the addresses of the page of all access lists and of the
// review of one, as in RequestLink.
func AccessListLinks(proxy, list string) (all, review string) {
	review = pageLink(proxy, "accesslists", list, "review")
	if u := base(proxy); u != nil {
		all = u.JoinPath("web", "accesslists").String()
	}
	return all, review
}

func base(proxy string) *url.URL {
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" {
		return nil
	}
	return u
}

func pageLink(proxy, kind, id, part string) string {
	u := base(proxy)
	if id = url.PathEscape(id); u == nil || strings.Trim(id, ".") == "" {
		return "" // a path would drop such an id, or take it for a way up
	}
	u = u.JoinPath("web", kind, id)
	u.Fragment = part
	return u.String()
}
