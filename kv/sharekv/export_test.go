package sharekv

import "github.com/pawlkv/pawl/kv/sharekv/internal/wire"

// WithVersions makes a store speak other versions of the protocol.
func WithVersions(oldest, newest uint64) Option {
	return func(s *settings) { s.versions = wire.Versions{Oldest: oldest, Newest: newest} }
}
