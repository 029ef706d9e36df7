package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestBoardWithoutPage(t *testing.T) {
	for status, want := range map[int]bool{http.StatusOK: false, http.StatusNotFound: true,
		http.StatusServiceUnavailable: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
			_ *http.Request) {
			w.WriteHeader(status)
		}))
		if got := lacksPage(t.Context(), server.URL); got != want {
			t.Errorf("status %d: %v", status, got)
		}
		server.Close()
		if lacksPage(t.Context(), server.URL) {
			t.Error("a server that does not answer lacks no page")
		}
	}
}
