# SPDX-License-Identifier: Apache-2.0
"""What tests of real servers share: where they listen, and how they are asked to go."""

import os
import shutil
import socket
import time
import unittest


def installed(name):
    path = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    if path is None:
        raise unittest.SkipTest(f"{name} is not installed")
    return path


def wait_for_port(port):
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def nginx_command(root, port, workers):
    """Lays out `root` with one page of 6 000 bytes, /page; returns how to start nginx there."""
    nginx = installed("nginx")
    os.mkdir(root)
    with open(os.path.join(root, "page"), "w", encoding="ascii") as file:
        file.write("hello\n" * 1000)
    conf = os.path.join(root, "nginx.conf")
    with open(conf, "w", encoding="ascii") as file:
        file.write(f"daemon off; worker_processes {workers}; pid {root}/pid; error_log {root}/error;\n"
                   "user root;\n"
                   f"events {{}}\nhttp {{ access_log off; server {{ listen 127.0.0.1:{port}; "
                   f"root {root}; }} }}\n")
    return [nginx, "-c", conf, "-p", root]
