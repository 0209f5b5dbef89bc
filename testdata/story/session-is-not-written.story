design: session-is-not-written
expect: false-failure agreement check
seed: 1
cache: validated
talking: false
run: 
