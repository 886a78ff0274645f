package status

import (
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const profiles = "/debug/pprof/"

// routes answers exact paths. http.ServeMux would panic at a metrics path that it can't read or that
// is taken, and the path comes from a file.
type routes map[string]http.HandlerFunc

func newRoutes(reg *Registry, metricsPath string, pprofEnabled bool, log hclog.Logger) routes {
	r := routes{}
	r[metricsPath] = metricsHandler(reg, log)
	r["/healthz"] = reg.serveHealth
	r["/readyz"] = reg.serveReadiness
	if pprofEnabled {
		r[profiles] = serveProfile
	}
	return r
}

func (r routes) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	path := req.URL.Path
	if strings.HasPrefix(path, profiles) {
		path = profiles
	}
	if handle, ok := r[path]; ok {
		handle(w, req)
		return
	}
	http.NotFound(w, req)
}

func metricsHandler(reg *Registry, log hclog.Logger) http.HandlerFunc {
	return promhttp.HandlerFor(reg.prom, promhttp.HandlerOpts{
		ErrorLog:            log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Warn}),
		ErrorHandling:       promhttp.ContinueOnError, // some numbers are better than none in an incident
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
	}).ServeHTTP
}

// serveProfile leaves out pprof's command line: it may name files and overrides.
func serveProfile(w http.ResponseWriter, req *http.Request) {
	switch strings.TrimPrefix(req.URL.Path, profiles) {
	case "profile":
		pprof.Profile(w, req)
	case "trace":
		pprof.Trace(w, req)
	case "symbol":
		pprof.Symbol(w, req)
	case "cmdline":
		http.NotFound(w, req)
	default:
		pprof.Index(w, req)
	}
}
