package timeline

import "slices"

// Rows are all timelines, in the order of the table.
func Rows() []Row {
	return slices.Concat(crashes(), connections(), outages(), places3(), records(), identities(), signals(), requests())
}
