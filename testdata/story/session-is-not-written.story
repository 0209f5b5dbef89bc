design: session-is-not-written
expect: false-failure agreement check one-time-keys durable
seed: 1
cache: validated
talking: false
run: 
