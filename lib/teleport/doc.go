// Package teleport is everything the plugins need from a Teleport cluster:
// credentials from disk, a connection to the Auth Service, and the few calls
// the engine makes over it.
//
// [Load] reads credentials and says in one sentence what is wrong with them.
// [Dial] connects with them, directly to an Auth Service or through a Proxy,
// and turns the client library's aggregate of failed attempts into one
// sentence of a known kind. [Probe] asks the cluster who it is. [Watch]
// follows the files on disk and reports each new valid identity, so that the
// owner of the connection can dial again before the old one expires.
//
// [Conn] wraps the client with the narrow calls and hides the age of the
// cluster: a method that an older cluster does not know selects the older one
// for the rest of the connection. A Conn never retries; that is the work of
// its user, who asks [IsDenied], [IsConflict] and their siblings what a
// failure means.
package teleport
