"""A real nginx in front of one service at a time, exchanged without a lost connection."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path

from tests.support.processes import children, wait_for
from tests.support.programs import installed
from tests.support.servers import free_port


class Nginx:
    """A real nginx in front of the service at `port`; it answers on its own `port`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port, self._upstream, self._folder = free_port(), port, folder
        self._write()
        program = installed("nginx", package="nginx-light")
        # -e: before it has read its settings it would write to a log that only root may write to
        command = [program, "-p", str(folder), "-e", str(folder / "error.log")]
        command += ["-c", str(folder / "conf")]
        self._process = subprocess.Popen([*command, "-g", "daemon off;"])
        wait_for(lambda: self._workers() and _connects(self.port), "nginx")

    def turn_to(self, port: int) -> None:
        """Send what comes from now on to `port`; returns once nothing goes elsewhere."""
        before = self._workers()
        self._upstream = port
        self._write()
        self._process.send_signal(signal.SIGHUP)
        wait_for(lambda: not before & self._workers(), "nginx's old workers to end", 60)

    def stop(self) -> None:
        """End it, at once."""
        self._process.terminate()
        self._process.wait(20)

    def _workers(self) -> set[int]:
        return children(self._process.pid)

    def _write(self) -> None:
        folder = self._folder
        # workers of another user could not write to a folder of root's
        user = "user root;" if os.geteuid() == 0 else ""
        (folder / "conf").write_text(f"""
            {user}
            pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
            events {{ worker_connections 256; }}
            http {{
              access_log off; client_max_body_size 8m; client_body_buffer_size 4m;
              client_body_temp_path {folder}/body;
              proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
              uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
              upstream service {{ server 127.0.0.1:{self._upstream}; keepalive 8; }}
              server {{
                listen 127.0.0.1:{self.port};
                location / {{
                  proxy_pass http://service; proxy_http_version 1.1;
                  proxy_set_header Connection ""; proxy_next_upstream off;
                }}
              }}
            }}
        """)


def _connects(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
