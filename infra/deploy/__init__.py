"""`python -m infra.deploy`: new code for one function, tried out before anybody is served by it."""
