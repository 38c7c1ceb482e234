"""Connections to Redis, PostgreSQL, RabbitMQ and AWS, and what all subjects need of them: keys, sealing, leases, answers."""
