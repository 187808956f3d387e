"""The Kubernetes API: the only room that imports kubernetes. It knows nothing of hosts."""
