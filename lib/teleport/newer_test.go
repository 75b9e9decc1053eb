package teleport

import (
	"reflect"
	"slices"
	"testing"

	"github.com/gravitational/teleport/api/types"
	"google.golang.org/protobuf/encoding/protowire"

	"teleport-plugins/lib/sandbox/cluster"
)

func bytesField(n protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), slices.Concat(parts...))
}

func varintField(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
}

func textField(n protowire.Number, s string) []byte { return bytesField(n, []byte(s)) }

// newerRequest is a request with unknown fields, and a placeholder in the place
// that the client library reads.
func newerRequest(spec ...[]byte) *types.AccessRequestV3 {
	r := &types.AccessRequestV3{}
	r.Spec.RequestedResourceIDs = []types.ResourceID{{ClusterName: "__SENTINEL__", Kind: "node", Name: "__SENTINEL__"}}
	r.Spec.XXX_unrecognized = slices.Concat(spec...)
	return r
}

func TestResourcesOfNewerClusters(t *testing.T) {
	id := func(kind, name string) []byte {
		return bytesField(1, must((&types.ResourceID{ClusterName: "prod", Kind: kind, Name: name}).Marshal())(t))
	}
	v1 := textField(1, "v1")
	logins := bytesField(11, textField(1, "root"), textField(1, "ubuntu"))
	arns := bytesField(10, textField(1, "arn:aws:iam::1:role/ro"))
	placeholder := "/__SENTINEL__/node/__SENTINEL__"
	unknown := " (limits that are not shown here)"
	for name, r := range map[string]struct {
		spec []byte
		want []string
	}{
		"none":                    {nil, []string{placeholder}},
		"logins":                  {bytesField(26, id("node", "web"), bytesField(2, v1, logins)), []string{"/prod/node/web (logins: root, ubuntu)"}},
		"role ARNs":               {bytesField(26, id("app", "aws"), bytesField(2, v1, arns)), []string{"/prod/app/aws (role ARNs: arn:aws:iam::1:role/ro)"}},
		"no constraints":          {bytesField(26, id("db", "orders")), []string{"/prod/db/orders"}},
		"empty constraints":       {bytesField(26, id("db", "orders"), bytesField(2)), []string{"/prod/db/orders"}},
		"several, among others":   {slices.Concat(varintField(24, 2), bytesField(26, id("node", "b")), textField(99, "?"), bytesField(26, id("node", "a"))), []string{"/prod/node/a", "/prod/node/b"}},
		"a new kind of limit":     {bytesField(26, id("db", "d"), bytesField(2, v1, bytesField(12, textField(1, "admin")))), []string{"/prod/db/d" + unknown}},
		"two kinds of limit":      {bytesField(26, id("node", "d"), bytesField(2, v1, logins, bytesField(12))), []string{"/prod/node/d (logins: root, ubuntu; limits that are not shown here)"}},
		"a new version":           {bytesField(26, id("node", "d"), bytesField(2, textField(1, "v2"), logins)), []string{"/prod/node/d (logins: root, ubuntu; limits that are not shown here)"}},
		"confined to no login":    {bytesField(26, id("node", "d"), bytesField(2, v1, bytesField(11))), []string{"/prod/node/d" + unknown}},
		"logins of another type":  {bytesField(26, id("node", "d"), bytesField(2, v1, varintField(11, 1))), []string{"/prod/node/d" + unknown}},
		"not text":                {bytesField(26, id("node", "d"), bytesField(2, v1, bytesField(11, textField(1, "\xff")))), []string{"/prod/node/d (logins: \uFFFD)"}},
		"another wire type":       {varintField(26, 1), []string{placeholder}},
		"an id of another type":   {bytesField(26, varintField(1, 1)), []string{placeholder}},
		"a login of another type": {bytesField(26, id("node", "d"), bytesField(2, v1, bytesField(11, varintField(1, 1)))), []string{placeholder}},
		"without an id":           {bytesField(26, bytesField(2, v1, logins)), []string{placeholder}},
		"garbage within":          {bytesField(26, []byte{0xff}), []string{placeholder}},
		"garbage after":           {slices.Concat(bytesField(26, id("node", "d")), []byte{0x0f}), []string{placeholder}},
		"half of a list":          {slices.Concat(bytesField(26, id("node", "d")), bytesField(26)), []string{placeholder}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ResourceTexts(Resources(newerRequest(r.spec)), nil); !slices.Equal(got, r.want) {
				t.Errorf("got %q, want %q", got, r.want)
			}
		})
	}
}

func TestAResourceIsCalledByItsName(t *testing.T) {
	id := types.ResourceID{ClusterName: "prod", Kind: "node", Name: "4f1c"}
	got := ResourceTexts([]Resource{{ID: id, Logins: []string{"root"}}}, map[string]string{"/prod/node/4f1c": "web-1"})
	if want := []string{"node/web-1 (logins: root)"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRequestKindOfNewerClusters(t *testing.T) {
	for name, r := range map[string]struct {
		spec []byte
		want bool
	}{
		"none":              {nil, false},
		"undefined":         {varintField(24, 0), false},
		"short term":        {varintField(24, 1), false},
		"long term":         {varintField(24, 2), true},
		"a new kind":        {varintField(24, 3), false},
		"the last counts":   {slices.Concat(varintField(24, 1), varintField(24, 2)), true},
		"another wire type": {textField(24, "\x02"), false},
		"another field":     {varintField(23, 2), false},
		"garbage after":     {append(varintField(24, 2), 0xff), false},
	} {
		if got := IsLongTerm(newerRequest(r.spec)); got != r.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// The fields survive the way through the client library.
func TestNewerFieldsOfACluster(t *testing.T) {
	eachAge(t, func(t *testing.T, c *cluster.Cluster) {
		web, aws, db := types.ResourceID{ClusterName: c.Name(), Kind: types.KindNode, Name: "web"}, types.ResourceID{ClusterName: c.Name(), Kind: types.KindApp, Name: "aws"}, types.ResourceID{ClusterName: c.Name(), Kind: types.KindDatabase, Name: "db"}
		id := must(c.CreateRequest(cluster.CreateParams{
			User: cluster.Alice, Roles: []string{"editor"}, Resources: []types.ResourceID{db}, LongTerm: true,
			Confined: []cluster.Confined{{ID: web, Logins: []string{"root", "ubuntu"}}, {ID: aws, RoleARNs: []string{"arn:1"}}},
		}))(t)
		if err := c.Decide(id, types.RequestState_APPROVED, ""); err != nil {
			t.Fatal(err)
		}
		req := must(connectTo(t, c, cluster.PluginUser).GetRequest(t.Context(), id))(t)
		want := []Resource{{ID: web, Logins: []string{"root", "ubuntu"}}, {ID: aws, RoleARNs: []string{"arn:1"}}, {ID: db}}
		if got := Resources(req); !reflect.DeepEqual(got, want) || !IsLongTerm(req) {
			t.Errorf("got %+v, long term %t", got, IsLongTerm(req))
		}
		v := View(req)
		if want := []string{"/" + c.Name() + "/app/aws (role ARNs: arn:1)", "/" + c.Name() + "/db/db", "/" + c.Name() + "/node/web (logins: root, ubuntu)"}; !slices.Equal(v.Resources, want) || !v.LongTerm {
			t.Errorf("the view shows %q, long term %t", v.Resources, v.LongTerm)
		}
		if ids := req.GetRequestedResourceIDs(); ids[0].Name != "__SENTINEL__" {
			t.Errorf("older clients are told %v", ids)
		}
	})
}

func FuzzNewerFields(f *testing.F) {
	f.Add(slices.Concat(varintField(24, 2), bytesField(26, bytesField(1, textField(2, "node"), textField(3, "n")), bytesField(2, textField(1, "v1"), bytesField(11, textField(1, "root"))))))
	f.Fuzz(func(t *testing.T, spec []byte) {
		r := newerRequest(spec)
		IsLongTerm(r)
		if texts := ResourceTexts(Resources(r), nil); len(texts) == 0 {
			t.Error("a request for resources became one for none")
		}
	})
}
