"""A Kubernetes operator for Redis Sentinel on machines outside Kubernetes."""
