"""Private servers as children of the instance: Redis, RabbitMQ and PostgreSQL under its data directory."""
