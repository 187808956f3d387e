"""Hosts for this suite."""

from lab.plugin import bare_lab, hand_made, lab_hosts

__all__ = ["bare_lab", "hand_made", "lab_hosts"]
