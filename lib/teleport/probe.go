package teleport

import (
	"context"
	"fmt"
	"strings"

	"github.com/coreos/go-semver/semver"
	"github.com/gravitational/teleport/api"
	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/trace"
)

// NoRequest is the id of an access request that does not exist, for calls that only try
// what the cluster lets us do.
const NoRequest = "00000000-0000-0000-0000-000000000000"

const (
	// MinServerVersion is the oldest cluster that [Probe] accepts.
	MinServerVersion = "6.1.0"
	// oldestTested is the major version of the oldest cluster the plugins are
	// tested against. Older ones may work.
	oldestTested = 14
)

// Info is what a cluster says about itself.
type Info struct {
	// ClusterName is the name of the cluster.
	ClusterName string
	// ServerVersion is the version of the Auth Service, as in "17.2.0".
	ServerVersion string
	// AdvancedAccessWorkflows is the Enterprise feature behind request reviews
	// in the Web UI.
	AdvancedAccessWorkflows bool
	// WebProxyAddr is the base URL of the Web UI, without a final slash, or
	// empty where requests cannot be reviewed in it.
	WebProxyAddr string
	// Warning is a sentence about a version that is older or newer than what
	// is supported, or empty.
	Warning string
}

// Pinger is the call that [Probe] makes. The api client has it.
type Pinger interface {
	Ping(ctx context.Context) (proto.PingResponse, error)
}

// Probe asks the cluster who it is. It fails with [ErrServerTooOld] below
// [MinServerVersion], with [ErrDenied] when the user is not let in, [ErrLocked] when locked out; other
// errors satisfy the predicates of this package.
func Probe(ctx context.Context, p Pinger) (Info, error) {
	resp, err := p.Ping(ctx)
	locked := lockedFault(err)
	switch {
	case locked != nil:
		return Info{}, locked
	case IsUnimplemented(err):
		return Info{}, newFault(ErrServerTooOld, err, "the Teleport cluster is older than %s, the oldest that is supported", MinServerVersion)
	case IsDenied(err):
		return Info{}, newFault(ErrDenied, err, "the Teleport cluster denies access to this identity (%v); see whether its user or bot still exists, and issue a new identity if it does not", trace.Unwrap(err))
	case err != nil:
		return Info{}, failed(err, "asking the Teleport cluster for its version")
	}
	features := resp.GetServerFeatures()
	info := Info{
		ClusterName:             resp.ClusterName,
		ServerVersion:           resp.ServerVersion,
		AdvancedAccessWorkflows: features.GetAdvancedAccessWorkflows(),
	}
	if info.AdvancedAccessWorkflows {
		info.WebProxyAddr = webURL(resp.ProxyPublicAddr)
	}
	info.Warning, err = judgeVersion(resp.ServerVersion)
	return info, err
}

// webURL makes a base URL of a proxy's public address.
func webURL(addr string) string {
	if addr == "" {
		return ""
	}
	if !strings.Contains(addr, "://") {
		addr = "https://" + addr
	}
	addr = strings.TrimRight(addr, "/")
	if strings.HasPrefix(addr, "https://") {
		addr = strings.TrimSuffix(addr, ":443")
	}
	return addr
}

// judgeVersion compares a server's version with what is supported. Pre-releases
// count as the release they precede. A cluster may be one major version ahead
// of the client library by Teleport's compatibility rule.
func judgeVersion(version string) (warning string, err error) {
	v, perr := semver.NewVersion(strings.TrimPrefix(version, "v"))
	if perr != nil {
		return fmt.Sprintf("the Teleport cluster reports a version that is not understood: %q", version), nil
	}
	v.PreRelease = ""
	newest := api.SemVersion.Major + 1
	switch {
	case v.LessThan(*semver.New(MinServerVersion)):
		return "", newFault(ErrServerTooOld, nil, "the Teleport cluster runs version %s and %s is the oldest that is supported", version, MinServerVersion)
	case v.Major < oldestTested:
		return fmt.Sprintf("the Teleport cluster runs version %s, older than version %d, the oldest that this plugin is tested with", version, oldestTested), nil
	case v.Major > newest:
		return fmt.Sprintf("the Teleport cluster runs version %s, newer than version %d, the newest that this plugin supports; upgrade the plugin", version, newest), nil
	}
	return "", nil
}
