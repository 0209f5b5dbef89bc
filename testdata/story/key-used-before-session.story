design: key-used-before-session
expect: false-failure answers check one-time-keys
seed: 19
cache: validated
talking: true
app = 
nse = sync-all; arrived; sync-all
bob = open
run: nse*3 bob nse*10 nse/unavailable
