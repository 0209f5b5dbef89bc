package synapse

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

type object = map[string]any

// unlimited is for each kind of request that Synapse limits.
var unlimited = object{"per_second": 1e5, "burst_count": 100_000}

// configure writes what Synapse reads. JSON is YAML.
func (s *Server) configure() error {
	in := func(name string) string { return filepath.Join(s.dir, name) }
	seed := make([]byte, 32)
	rand.Read(seed)
	if err := os.WriteFile(in("signing.key"), []byte("ed25519 a_1 "+base64.RawStdEncoding.EncodeToString(seed)+"\n"), 0o600); err != nil {
		return err
	}
	if err := write(in("log.yaml"), object{
		"version": 1, "disable_existing_loggers": false,
		"handlers": object{"console": object{"class": "logging.StreamHandler"}},
		"root":     object{"level": "WARNING", "handlers": []string{"console"}},
	}); err != nil {
		return err
	}
	services := []string{}
	for i, registration := range s.services {
		services = append(services, in(fmt.Sprintf("service%d.yaml", i)))
		if err := write(services[i], registration); err != nil {
			return err
		}
	}
	return write(in("homeserver.yaml"), object{
		"server_name":  s.name,
		"report_stats": false,
		"listeners":    []object{{"path": in("socket"), "type": "http", "resources": []object{{"names": []string{"client"}}}}},
		"database":     object{"name": "sqlite3", "args": object{"database": in("homeserver.db")}},
		"log_config":   in("log.yaml"), "media_store_path": in("media"), "signing_key_path": in("signing.key"),
		"registration_shared_secret":  s.secret,
		"bcrypt_rounds":               4, // passwords are no secrets here
		"trusted_key_servers":         []string{},
		"federation_domain_whitelist": []string{},
		"presence":                    object{"enabled": false},
		"user_directory":              object{"enabled": false},
		"app_service_config_files":    services,
		"experimental_features": object{ // for application services that ask for it
			"msc2409_to_device_messages_enabled": true, "msc3202_transaction_extensions": true,
		},

		"rc_message": unlimited, "rc_registration": unlimited, "rc_room_creation": unlimited, "rc_key_requests": unlimited,
		"rc_joins_per_room":  unlimited,
		"rc_joins":           object{"local": unlimited, "remote": unlimited},
		"rc_login":           object{"address": unlimited, "account": unlimited, "failed_attempts": unlimited},
		"rc_invites":         object{"per_room": unlimited, "per_user": unlimited, "per_issuer": unlimited},
		"rc_admin_redaction": unlimited,
	})
}

func write(path string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}
