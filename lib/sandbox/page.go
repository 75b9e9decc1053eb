package sandbox

import (
	"embed"
	"net/http"
	"path"
)

//go:embed page
var pageFiles embed.FS

// page serves the page.
func page() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Join("page", path.Clean("/"+r.URL.Path))
		if name == "page" {
			name = "page/index.html"
		}
		// Another sandbox may run at the same address tomorrow.
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, pageFiles, name)
	})
}
