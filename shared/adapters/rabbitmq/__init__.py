"""The event side: queues, sealed messages, confirmed publishing."""
