"""The resource: its models, its schema, and what they mean as desired state; pure."""

from typing import Final

GROUP: Final = "redis-sentinel-operator.io"
VERSION: Final = "v1alpha1"
KIND: Final = "RedisSentinelCluster"
PLURAL: Final = "redissentinelclusters"
SINGULAR: Final = "redissentinelcluster"
SHORT_NAME: Final = "rsc"
API_VERSION: Final = f"{GROUP}/{VERSION}"
