package timeline

import "slices"

// pressed are presses as rows.
func pressed() []Row {
	rows := presses()
	for i := range rows {
		rows[i].Presses = true
	}
	return rows
}

// Rows are all timelines, in the order of the table.
func Rows() []Row {
	return slices.Concat(crashes(), connections(), outages(), places3(), records(), identities(), signals(), requests(), waiting(), pressed())
}
