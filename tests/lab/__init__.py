"""The lab: real hosts (systemd, sshd, dnf, firewalld, Redis, Sentinel) and a real API server, on one Debian machine.

`python -m lab --help` lists the commands; the pytest fixtures are in :mod:`lab.plugin`.
"""
