// Package sandbox is a whole world for the plugins on loopback ports: a Teleport
// Auth Service and the services that the plugins post to, each speaking its true
// protocol. It writes configs that the plugins start with, keeps their
// identities renewed, can run the plugins themselves, and offers an HTTP API and
// a page on which people request and review access, watch the messages that
// follow, and make each part misbehave.
//
// The page tells the story of it: scenes break something by one click and show it heal, a
// timeline says what each part does, and counters compare what stands at the services
// with what the cluster says.
//
// Everything is in memory and gone when the sandbox is closed. There are no
// accounts: whoever reaches the API may do everything.
package sandbox
