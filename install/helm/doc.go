// Package helm makes what the charts of all plugins have in common: the values that do
// not depend on the service, and the schema of the values, in which the keys of the
// config come from the plugin itself. The templates are one folder, to which the charts
// link.
package helm
