design: no-receipt
expect: false-failure durable
seed: 1
cache: validated
talking: false
app = sync; again 1
run: 
