package pawlbridge

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"maunium.net/go/mautrix/appservice"
)

// A transaction that comes again while mautrix-go still hands on what it brought, be it
// without its to-device events, as Synapse sends it, waits for that: mautrix-go knows it
// only then. When that takes too long it is to come once more.
func TestTransactionAgainMeanwhile(t *testing.T) {
	for name, busy := range map[string]struct {
		time   time.Duration
		second int
	}{
		"for a moment": {patience - time.Second, http.StatusOK},
		"for long":     {patience + time.Second, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				as := appservice.Create()
				as.Registration = &appservice.Registration{ServerToken: "the server's"}
				taken, handed, at := 0, 0, 0
				middleware := commit(as, func(context.Context, string, []byte) error { taken++; return nil })
				handler := middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if at++; at > 1 {
						t.Error("mautrix-go gets a transaction that it is handing on")
					}
					if handed++; handed == 1 {
						time.Sleep(busy.time)
					}
					at--
					w.WriteHeader(http.StatusOK)
				}))
				put := func(body string) <-chan int {
					r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, transactionsPath+"1", strings.NewReader(body))
					r.Header.Set("Authorization", "Bearer the server's")
					status := make(chan int, 1)
					go func() {
						w := httptest.NewRecorder()
						handler.ServeHTTP(w, r)
						status <- w.Code
					}()
					synctest.Wait()
					return status
				}
				first, second := put(`{"events":[],"to_device":[]}`), put(`{"events":[]}`)
				if a, b := <-first, <-second; a != http.StatusOK || b != busy.second || taken != 2 {
					t.Errorf("answered with %d and %d, want 200 and %d; taken %d times, want 2", a, b, busy.second, taken)
				}
			})
		})
	}
}
