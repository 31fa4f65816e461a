"""An nginx with its mail module in front of one SMTP server.

nginx asks an HTTP service where each session shall go; a few lines here answer it.
"""

from __future__ import annotations

import contextlib
import http.server
from collections.abc import Iterator
from pathlib import Path

from tests.interop.peers import (
    Server,
    folder,
    free_ports,
    http_service,
    nginx_module,
    program,
    running,
    shown_if_failed,
)
from tests.programs import HOST

CONFIGURATION = """\
load_module {module};
daemon off;
worker_processes 1;
pid {home}/pid;
error_log {home}/log info;
events {{ worker_connections 100; }}
mail {{
  server_name nginx.test;
  auth_http {host}:{auth_port}/;
  server {{
    listen {host}:{port};
    protocol smtp;
    smtp_capabilities {capabilities};
    {options}
  }}
  {tls}
}}
"""

# Who logs in has to be one of the service's, which says yes to all.
TLS = """\
  ssl_certificate {certificate};
  ssl_certificate_key {certificate};
  starttls on;
  smtp_auth plain login none;
  server {{
    listen {host}:{tls_port} ssl;
    protocol smtp;
    smtp_capabilities {capabilities};
    {options}
  }}
"""


class Nginx(Server):
    """A running nginx."""


@contextlib.contextmanager
def nginx(
    behind: int,
    options: str = "xclient on;",
    capabilities: str = '"SIZE 14680064" 8BITMIME ENHANCEDSTATUSCODES',
    certificate: Path | None = None,
) -> Iterator[Nginx]:
    """An nginx for the length of a `with` block.

    Arguments:
        behind: the port of the SMTP server, on loopback.
        options: directives of the mail server block: "xclient on;", "xclient off;",
            "proxy_protocol on;" (nginx then expects a PROXY header from its client), …
        capabilities: what nginx offers in its own name.
        certificate: its own, with the key, PEM; with one, it has STARTTLS, AUTH with any password,
            and TLS comes first at `tls_port`.
    """
    binary = program("nginx")
    module = nginx_module()
    with folder() as home, directory_service(behind) as auth_port:
        port, tls_port = free_ports(2)
        more = {"capabilities": capabilities, "options": options, "host": HOST}
        tls = "  smtp_auth none;"
        if certificate is not None:
            tls = TLS.format(certificate=certificate, tls_port=tls_port, **more)
        text = CONFIGURATION.format(
            module=module,
            home=home,
            port=port,
            auth_port=auth_port,
            tls=tls,
            **more,
        )
        (home / "nginx.conf").write_text(text, encoding="utf-8")
        server = Nginx(home, port, tls_port)
        command = [binary, "-c", str(home / "nginx.conf"), "-e", str(home / "log")]
        with (
            running(command, home / "log"),
            shown_if_failed(server),
        ):
            yield server


@contextlib.contextmanager
def directory_service(behind: int) -> Iterator[int]:
    """Tell nginx for each session that it may pass, and to which port."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Auth-Status", "OK")
            self.send_header("Auth-Server", HOST)
            self.send_header("Auth-Port", str(behind))
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with http_service(Answer) as port:
        yield port
