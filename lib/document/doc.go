// Package document provides an access request as a versioned document for programs: what
// has happened to it, and all that is known of it. It reads the decisions with which a
// program may answer, and has the JSON Schemas of both, and examples.
package document
