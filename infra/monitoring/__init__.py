"""Prometheus rules, Grafana dashboards and the runbook."""
