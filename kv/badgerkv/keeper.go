package badgerkv

// keeper does a job in a goroutine of its own each time it is woken, at least
// once after the last time.
type keeper struct {
	bell chan struct{} // has room for one ring
	stop chan struct{}
	done chan error
}

func newKeeper(job func() error) *keeper {
	k := &keeper{bell: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan error, 1)}
	go func() { k.done <- k.run(job) }()
	return k
}

// run returns the first error, and does nothing more then.
func (k *keeper) run(job func() error) error {
	for {
		select {
		case <-k.bell:
			if err := job(); err != nil {
				return err
			}
		case <-k.stop:
			return nil
		}
	}
}

func (k *keeper) wake() {
	select {
	case k.bell <- struct{}{}:
	default:
	}
}

func (k *keeper) close() error {
	close(k.stop)
	return <-k.done
}
