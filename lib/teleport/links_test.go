package teleport_test

import (
	"net/url"
	"strings"
	"testing"

	"teleport-plugins/lib/teleport"
)

func TestRequestLinkKeepsTheIDInItsPlace(t *testing.T) {
	const proxy = "https://teleport.example.com"
	for _, c := range []struct{ proxy, id, want string }{
		{proxy, "0c0f-77", proxy + "/web/requests/0c0f-77"},
		{proxy + "/", "0c0f", proxy + "/web/requests/0c0f"},
		{proxy + ":3080", "0c0f", proxy + ":3080/web/requests/0c0f"},
		{proxy, "a/../../b?c#d", proxy + "/web/requests/a%2F..%2F..%2Fb%3Fc%23d"},
		{proxy, "a|b>c <d", proxy + "/web/requests/a%7Cb%3Ec%20%3Cd"},
		{proxy, "..", ""},
		{proxy, "", ""},
		{"", "0c0f", ""},
		{"teleport.example.com:443", "0c0f", ""},
		{"teleport.example.com", "0c0f", ""},
		{"https://bad host/", "0c0f", ""},
	} {
		if got := teleport.RequestLink(c.proxy, c.id); got != c.want {
			t.Errorf("RequestLink(%q, %q) = %q, want %q", c.proxy, c.id, got, c.want)
		}
	}
}

func TestAccessListLinks(t *testing.T) {
	const proxy = "https://teleport.example.com"
	for _, c := range []struct{ proxy, list, all, review string }{
		{proxy, "payments", proxy + "/web/accesslists", proxy + "/web/accesslists/payments#review"},
		{proxy, "a/../b c#d", proxy + "/web/accesslists", proxy + "/web/accesslists/a%2F..%2Fb%20c%23d#review"},
		{proxy, "..", proxy + "/web/accesslists", ""},
		{"", "payments", "", ""},
		{"teleport.example.com", "payments", "", ""},
	} {
		if all, review := teleport.AccessListLinks(c.proxy, c.list); all != c.all || review != c.review {
			t.Errorf("AccessListLinks(%q, %q) = %q, %q, want %q, %q", c.proxy, c.list, all, review, c.all, c.review)
		}
	}
}

func FuzzRequestLinkNamesTheIDAndNothingElse(f *testing.F) {
	f.Add("0c0f")
	f.Add("../../evil")
	f.Add("a%2Fb")
	f.Add("\xff<|>")
	f.Fuzz(func(t *testing.T, id string) {
		link := teleport.RequestLink("https://teleport.example.com", id)
		if link == "" {
			return
		}
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		if u.Host != "teleport.example.com" || u.Path != "/web/requests/"+id || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q leads to %+v", id, u)
		}
		if strings.ContainsAny(link, "<>| \n`") {
			t.Errorf("%q would break out of a message's link", link)
		}
	})
}
