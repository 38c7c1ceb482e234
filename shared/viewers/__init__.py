"""Those who watch: broadcasts, connections, gateways."""
