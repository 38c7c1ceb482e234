"""The scoreboard in containers, as `infra/containers` has it: built, started, broken and counted by `make test-cluster`."""
