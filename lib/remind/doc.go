// Package remind tells the owners of access lists that a list is to be reviewed:
// once in every week of the time before the review is due, and once a day after
// that. Who was told when is recorded in the plugin data of the list, under the key
// of Teleport's own plugin, so that either goes on where the other stopped. A
// replica claims a list before it tells an owner of it, as with access requests,
// and records it afterwards.
package remind
