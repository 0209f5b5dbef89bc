package badgerkv

// Hooks and bounds for tests.

const (
	MemTable    = memTable
	LogSize     = logSize
	Slots       = slots
	FormatName  = formatName
	Creating    = creatingName
	DefaultRoom = defaultReserve
)

// WithSyncHook calls hook around each sync of a log.
func WithSyncHook(hook func(file string, sync func() error) error) Option {
	return func(s *settings) { s.hooks.sync = hook }
}

// WithLockHook calls hook when this process has locked the store, before it
// opens Badger.
func WithLockHook(hook func()) Option {
	return func(s *settings) { s.hooks.lock = hook }
}

// WithDisk says how large the disk is and how much of it is free.
func WithDisk(ask func() (free, total uint64)) Option {
	return func(s *settings) {
		s.hooks.free = func(string) (space, error) {
			free, total := ask()
			return space{free: free, total: total}, nil
		}
	}
}
