"""`python -m infra.checks.template`: what is wrong with the template, before anything is deployed and without an account."""
