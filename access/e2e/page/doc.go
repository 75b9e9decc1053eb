// Package page tries the page of the sandbox in a browser, with the plugins as they ship
// behind it, and takes the pictures of it that documents show.
package page
