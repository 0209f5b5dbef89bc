design: offered-is-not-written
expect: uploads check
seed: 6
cache: validated
talking: true
nse = upload 1
run: 
