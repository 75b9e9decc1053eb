// Package diag is how a plugin lets itself be watched: its log, its metrics, its
// health over HTTP and its state towards systemd.
//
// Alive, connected and delivering are three different things. /healthz tells only
// the first, so that nothing restarts a plugin because the cluster or the service
// is down; /readyz tells all of them in words.
//
// Nothing here is global: the registry, the health and the logger are made by the
// caller and handed to those who report.
package diag
