// Package config reads a plugin's TOML file.
//
// A plugin composes one struct from the sections that it needs and fills it
// with its defaults; [Load] overwrites what the file sets. Every fault in the
// file is reported at once, with file, line, key and the way out, so that an
// operator corrects a file in one go. Keys that no field takes are warnings, not
// faults, because files written for earlier releases must keep working.
//
// No message of this package holds the value of a key that may be a secret.
//
// Struct tags of a field:
//
//	toml:"name"        the key; without it the key is the field's name
//	alias:"a,b"        further names of the same key
//	deprecated:"..."   using the key is a warning that ends in this text
//	doc:"..."          one line for the reference, see [Keys]
//	default:"..."      the default to show when the zero value would mislead
//
// Keys match without regard to case. That covers the four spellings that files
// in use rely on: as declared, all lower, all upper, first letter lowered.
package config
