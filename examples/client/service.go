package client

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/pawlkv/pawl/matrix"
)

// As returns the homeserver for one of an application service's users, who is logged
// in with a device.
func (h Homeserver) As(ctx context.Context, user matrix.UserID, device matrix.DeviceID) (Homeserver, error) {
	body, err := json.Marshal(map[string]any{
		"type": "m.login.application_service", "device_id": device,
		"identifier": map[string]any{"type": "m.id.user", "user": user},
	})
	if err == nil {
		_, err = h.Do(ctx, "POST", "/_matrix/client/v3/login", body)
	}
	h.User, h.Device = user, device
	return h, err
}

// Rooms are those that the device's user is in.
func (h Homeserver) Rooms(ctx context.Context) ([]matrix.RoomID, error) {
	var in struct {
		Rooms []matrix.RoomID `json:"joined_rooms"`
	}
	answer, err := h.Do(ctx, "GET", "/_matrix/client/v3/joined_rooms", nil)
	if err == nil {
		err = json.Unmarshal(answer, &in)
	}
	return in.Rooms, err
}

// Join joins a room.
func (h Homeserver) Join(ctx context.Context, room matrix.RoomID) error {
	_, err := h.Do(ctx, "POST", "/_matrix/client/v3/join/"+url.PathEscape(string(room)), []byte("{}"))
	return err
}

// Transactions handles what a homeserver pushes to an application service. Each is
// given to take, and comes again until that has no error.
func Transactions(serverToken string, take func(ctx context.Context, id string, body []byte) error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /_matrix/app/v1/transactions/{txn}", func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+serverToken)) != 1 {
			http.Error(w, `{"errcode":"M_FORBIDDEN"}`, http.StatusForbidden)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largest))
		if err == nil {
			err = take(r.Context(), r.PathValue("txn"), body)
		}
		if err != nil {
			slog.WarnContext(r.Context(), "a transaction is to come again", "error", err)
			http.Error(w, `{"errcode":"M_UNKNOWN"}`, http.StatusInternalServerError)
			return
		}
		_, _ = w.Write([]byte("{}")) // else it comes again
	})
	return mux
}
