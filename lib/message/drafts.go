package message

import (
	"reflect"
	"sync"

	"teleport-plugins/lib/request"
)

// Drafts remembers what was written last, since the same goes to many places. A request
// is written in several forms. The zero value is empty; it may be used from several
// goroutines.
type Drafts[Form comparable, Text any] struct {
	mu   sync.Mutex
	kept map[draftKey[Form]]draft[Text]
}

type draftKey[Form comparable] struct {
	request string
	form    Form
}

type draft[Text any] struct {
	of   request.View
	text func() Text
}

// maxDrafts bounds what is remembered. A message goes to all places at about the same
// time, and no more than about this many calls are under way at once.
const maxDrafts = 256

// Of is a view in a form. It is written anew only if the view differs in any way from
// the last one of the request. What is returned is shared, and must not be changed.
func (d *Drafts[Form, Text]) Of(v request.View, form Form, write func() Text) Text {
	key := draftKey[Form]{v.ID, form}
	d.mu.Lock()
	kept, ok := d.kept[key]
	if !ok || !reflect.DeepEqual(kept.of, v) {
		if d.kept == nil || len(d.kept) >= maxDrafts {
			d.kept = make(map[draftKey[Form]]draft[Text])
		}
		kept = draft[Text]{v, sync.OnceValue(write)}
		d.kept[key] = kept
	}
	d.mu.Unlock()
	return kept.text()
}
