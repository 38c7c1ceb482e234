"""RabbitMQ: connections, frames, confirmed publishing."""
