design: stale
expect: false-failure agreement check
seed: 4
cache: validated
talking: false
app = sync
nse = send
run: nse*2 app
