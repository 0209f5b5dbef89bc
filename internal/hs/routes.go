package hs

import (
	"encoding/json"
	"net/http"
)

// endpoint is something that clients ask for. Its name is in faults and in
// exchanges.
type endpoint struct {
	name string
	// method and path, below /_matrix/client/{version}/ unless it begins with a
	// slash.
	method, path string
	open         bool // needs no access token
	do           func(*Server, *call) (any, error)
}

func endpoints() []endpoint {
	return []endpoint{
		{"versions", "GET", "/_matrix/client/versions", true, (*Server).versions},
		{"well-known", "GET", "/.well-known/matrix/client", true, (*Server).wellKnown},
		{"login", "GET", "login", true, (*Server).flows},
		{"login", "POST", "login", true, (*Server).login},
		{"register", "POST", "register", true, (*Server).register},
		{"ping", "POST", "appservice/{service}/ping", true, (*Server).ping},
		{"logout", "POST", "logout", false, (*Server).logout},
		{"logout", "POST", "logout/all", false, (*Server).logoutAll},
		{"whoami", "GET", "account/whoami", false, (*Server).whoami},
		{"capabilities", "GET", "capabilities", false, constant(map[string]any{"capabilities": struct{}{}})},
		{"pushrules", "GET", "pushrules/{rest...}", false, constant(map[string]any{"global": struct{}{}})},
		{"devices", "GET", "devices", false, (*Server).listDevices},
		{"devices", "GET", "devices/{device}", false, (*Server).getDevice},
		{"devices", "PUT", "devices/{device}", false, (*Server).renameDevice},
		{"devices", "DELETE", "devices/{device}", false, (*Server).deleteDevice},

		{"keys/upload", "POST", "keys/upload", false, (*Server).uploadKeys},
		{"keys/upload", "POST", "keys/upload/{device}", false, (*Server).uploadKeys},
		{"keys/query", "POST", "keys/query", false, (*Server).queryKeys},
		{"keys/claim", "POST", "keys/claim", false, (*Server).claimKeys},
		{"keys/changes", "GET", "keys/changes", false, (*Server).keyChanges},
		{"keys/device_signing/upload", "POST", "keys/device_signing/upload", false, (*Server).uploadIdentity},
		{"keys/signatures/upload", "POST", "keys/signatures/upload", false, (*Server).uploadSignatures},
		{"room_keys/version", "GET", "room_keys/version", false, missing("No backup found")},
		{"sendToDevice", "PUT", "sendToDevice/{type}/{txn}", false, (*Server).sendToDevice},

		{"filter", "POST", "user/{user}/filter", false, (*Server).addFilter},
		{"filter", "GET", "user/{user}/filter/{filter}", false, (*Server).getFilter},
		{"account_data", "GET", "user/{user}/account_data/{type}", false, (*Server).getData},
		{"account_data", "PUT", "user/{user}/account_data/{type}", false, (*Server).setData},
		{"sync", "GET", "sync", false, (*Server).sync},
		{"sliding", "POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", false, (*Server).slidingSync},

		{"createRoom", "POST", "createRoom", false, (*Server).createRoom},
		{"join", "POST", "join/{room}", false, (*Server).join},
		{"join", "POST", "rooms/{room}/join", false, (*Server).join},
		{"leave", "POST", "rooms/{room}/leave", false, (*Server).leaveRoom},
		{"forget", "POST", "rooms/{room}/forget", false, (*Server).forget},
		{"invite", "POST", "rooms/{room}/invite", false, moves("invite")},
		{"kick", "POST", "rooms/{room}/kick", false, moves("leave")},
		{"ban", "POST", "rooms/{room}/ban", false, moves("ban")},
		{"unban", "POST", "rooms/{room}/unban", false, moves("leave")},
		{"joined_rooms", "GET", "joined_rooms", false, (*Server).joinedRooms},
		{"joined_members", "GET", "rooms/{room}/joined_members", false, (*Server).joinedMembers},
		{"members", "GET", "rooms/{room}/members", false, (*Server).memberEvents},
		{"state", "GET", "rooms/{room}/state", false, (*Server).allState},
		{"state", "GET", "rooms/{room}/state/{type}", false, (*Server).getState},
		{"state", "GET", "rooms/{room}/state/{type}/{key}", false, (*Server).getState},
		{"state", "PUT", "rooms/{room}/state/{type}", false, (*Server).setState},
		{"state", "PUT", "rooms/{room}/state/{type}/{key}", false, (*Server).setState},
		{"send", "PUT", "rooms/{room}/send/{type}/{txn}", false, (*Server).send},
		{"event", "GET", "rooms/{room}/event/{event}", false, (*Server).getEvent},
		{"messages", "GET", "rooms/{room}/messages", false, (*Server).messages},
	}
}

// Endpoints returns the names that faults and exchanges use.
func Endpoints() []string {
	var names []string
	for _, e := range endpoints() {
		if len(names) == 0 || names[len(names)-1] != e.name {
			names = append(names, e.name)
		}
	}
	return names
}

// routes serves all endpoints, in every version of their paths.
func routes(handle func(endpoint) http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	for _, e := range endpoints() {
		path := e.path
		if path[0] != '/' {
			path = "/_matrix/client/{version}/" + path
		}
		// A path that ends with a slash has an empty last part: a state key.
		mux.HandleFunc(e.method+" "+path, handle(e))
		if e.name == "state" && e.path == "rooms/{room}/state/{type}" {
			mux.HandleFunc(e.method+" "+path+"/{$}", handle(e))
		}
	}
	unknown := endpoint{name: "unknown", open: true, do: func(_ *Server, c *call) (any, error) {
		return nil, problemf(http.StatusNotFound, "M_UNRECOGNIZED", "Unrecognized request %s %s", c.Method, c.URL.Path)
	}}
	mux.HandleFunc("/", handle(unknown))
	return mux
}

func constant(answer any) func(*Server, *call) (any, error) {
	return func(*Server, *call) (any, error) { return answer, nil }
}

func missing(what string) func(*Server, *call) (any, error) {
	return func(*Server, *call) (any, error) { return nil, notFound(what) }
}

func (s *Server) versions(*call) (any, error) {
	return map[string]any{
		"versions":          []string{"v1.1", "v1.5", "v1.11"},
		"unstable_features": map[string]bool{"org.matrix.simplified_msc3575": true, "org.matrix.e2e_cross_signing": true, "org.matrix.msc3202": true},
	}, nil
}

func (s *Server) wellKnown(*call) (any, error) {
	return map[string]any{"m.homeserver": map[string]string{"base_url": s.URL()}}, nil
}

func (s *Server) getData(c *call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if data, known := c.device.user.data[c.PathValue("type")]; known {
		return data, nil
	}
	return nil, notFound("Account data")
}

func (s *Server) setData(c *call) (any, error) {
	if !json.Valid(c.body) {
		return nil, problemf(http.StatusBadRequest, "M_NOT_JSON", "Content not JSON.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.device.user.data[c.PathValue("type")] = c.body
	return struct{}{}, nil
}
