package service

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
)

// Refusal is an answer that is no fault of the service.
type Refusal struct {
	Status int
	Reason string
}

func (r *Refusal) Error() string { return r.Reason }

// maxBody bounds what a client may send.
const maxBody = 1 << 20

// Action answers one request: the result becomes JSON, nil an empty body.
type Action func(r *http.Request) (status int, result any, err error)

func (a Action) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	status, result, err := a(r)
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		status, result = refusal.Status, map[string]string{"error": refusal.Reason}
	case err != nil:
		slog.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		status, result = http.StatusInternalServerError, map[string]string{"error": "try again later"}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if result != nil {
		_ = json.NewEncoder(w).Encode(result) // a client that has left can't be told
	}
}

// Body reads what the client sent into a struct.
func Body(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return &Refusal{Status: http.StatusBadRequest, Reason: "want a JSON object: " + err.Error()}
	}
	return nil
}

// ID reads the number in the path.
func ID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, &Refusal{Status: http.StatusNotFound, Reason: "want a number in the path"}
	}
	return id, nil
}
