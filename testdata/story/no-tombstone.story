design: no-tombstone
expect: check one-time-keys
seed: 1
cache: validated
talking: false
run: 
