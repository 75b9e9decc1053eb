package farend

import "maps"

// Join makes one config of several. What they say of one section stands together; of a
// key that several have, the last one counts.
func Join(parts ...map[string]any) map[string]any {
	whole := make(map[string]any)
	for _, part := range parts {
		for key, value := range part {
			have, both := whole[key].(map[string]any)
			table, is := value.(map[string]any)
			switch {
			case is && both:
				whole[key] = Join(have, table)
			case is:
				whole[key] = maps.Clone(table)
			default:
				whole[key] = value
			}
		}
	}
	return whole
}
