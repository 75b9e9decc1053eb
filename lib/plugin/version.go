package plugin

import (
	"fmt"
	"runtime"
)

// The version and the reference of the source are stamped into a release by
// the linker; these are what a build without a stamp says.
var (
	version = "0.0.0-dev"
	gitref  = ""
)

// Version is the version of the build, without a leading v.
func Version() string { return version }

// versionLine is what the command version prints.
func versionLine(binary string) string {
	if gitref == "" {
		return fmt.Sprintf("%s v%s %s", binary, version, runtime.Version())
	}
	return fmt.Sprintf("%s v%s git:%s %s", binary, version, gitref, runtime.Version())
}

func (i Integration) userAgent() string {
	if i.UserAgent != nil {
		return i.UserAgent(version)
	}
	return "teleport-" + i.Name + "/" + version
}
