"""The configuration files of a lab's node: containerd, its network plugin, kubelet, and the packet rules of Pods."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lab.clusternet import ClusterNetwork
from lab.model import LabConfig

PAUSE = "localhost/pause:1"


@dataclass(frozen=True, slots=True)
class NodeFiles:
    """Where the parts of one node find each other."""

    directory: Path  # on a disk: images and containers lie in it
    certs: Path  # of the control plane
    tools: Path  # containerd, runc and the network plugins, as unpacked packages

    @property
    def socket(self) -> Path:
        """Where containerd listens."""
        return self.directory / "containerd.sock"

    def containerd(self) -> str:
        """containerd.toml.

        restrict_oom_score_adj: without it every sandbox fails inside an unprivileged machine; netns under the state
        directory: unmounted with the rest, where /run/netns would be littered.
        """
        return f"""
version = 2
root = "{self.directory}/containerd"
state = "{self.directory}/state"
[grpc]
  address = "{self.socket}"
[ttrpc]
  address = "{self.socket}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{self.tools}/usr/lib/cni"
    conf_dir = "{self.directory}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "{self.tools}/usr/sbin/runc"
        SystemdCgroup = false
"""

    def cni(self, network: ClusterNetwork) -> str:
        """The network of Pods: one bridge, addresses out of one range, no rules of the plugin's own."""
        bridge = {
            "type": "bridge",
            "bridge": network.pod_bridge,
            "isGateway": True,
            "ipMasq": False,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "dataDir": str(self.directory / "ipam"),
                "ranges": [[{"subnet": network.pods}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
        return json.dumps({"cniVersion": "0.4.0", "name": network.pod_bridge, "plugins": [bridge]}, indent=1)

    def kubelet(self, config: LabConfig, network: ClusterNetwork, cgroup: str) -> str:
        """What kubelet reads (YAML takes JSON). failCgroupV1: without it kubelet ends on a machine of cgroup v1."""
        settings = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{cgroup}",
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            "address": network.node_address,
            "port": config.kubelet_port,
            "healthzPort": 0,
            "readOnlyPort": 0,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(self.certs / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(self.certs / "kubelet.crt"),
            "tlsPrivateKeyFile": str(self.certs / "kubelet.key"),
            "podLogsDir": str(self.directory / "podlogs"),
            "volumePluginDir": str(self.directory / "volume-plugins"),
            "resolvConf": "",
            "clusterDomain": "cluster.local",
            "failSwapOn": False,
            "maxOpenFiles": 20000,
            "oomScoreAdj": 0,
            "makeIPTablesUtilChains": False,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 100,
            "featureGates": {"KubeletInUserNamespace": True},
        }
        return json.dumps(settings, indent=1)


def packet_rules(config: LabConfig, network: ClusterNetwork) -> str:
    """An nft script. Pods reach the API server by its Service address, and the lab's hosts as this machine; no more.

    One table that goes as a whole. There is no kube-proxy: connecting *through* other Services is not what this
    node is for.
    """
    table, pods = rules_table(config), network.pods
    api = f"{network.node_address}:{config.api_port}"
    return f"""
table ip {table} {{
  chain prerouting {{
    type nat hook prerouting priority dstnat;
    ip saddr {pods} ip daddr {network.api_service} tcp dport 443 dnat to {api}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    ip saddr {pods} oifname "{config.bridge}" masquerade
  }}
  chain forward {{
    type filter hook forward priority filter;
    ip saddr {pods} oifname != {{ "{config.bridge}", "{network.pod_bridge}", "{network.bridge}" }} counter drop
  }}
}}
"""


def rules_table(config: LabConfig) -> str:
    """The name of the nft table (family ip) of the Pods' rules."""
    return f"rlnode_{config.name}"
