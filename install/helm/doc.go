// Package helm holds the charts. They share their templates, by a link; what
// differs are the values and the sections of the config. There is no code here
// but the test that renders them; it wants the program helm, which make helm-test
// brings.
package helm
