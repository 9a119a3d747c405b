"""The proxies that are compared and the upstream behind them, some 320 lines because each has its configuration here.

Each contender does the same work: two members in turn, connections to them kept alive, X-Forwarded-For added, no
access log. Each gets one core. The upstream is nginx when it is there, else a small one of our own. A second port
speaks TLS; what is below /secure/ goes to the same members over TLS, whose certificate is verified.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import OTHER_CORE, PROXY_CORE, ROOT, free_ports, running, wait_for

SMALL, LARGE = 1024, 100 * 1024


class Ends(NamedTuple):
    """Where a contender listens, where it sends to, plain and over TLS, and the one certificate of all, with its
    key."""

    port: int
    secure: int
    upstreams: list[int]
    secured: list[int]
    certificate: Path


class Contender(NamedTuple):
    """``write`` puts a configuration into a folder and returns the command that runs it in the foreground."""

    name: str
    version: str
    write: Callable[[Path, Ends], list[str]]


class Running(NamedTuple):
    name: str
    pid: int
    port: int
    secure: int


class Upstream(NamedTuple):
    ports: list[int]
    secured: list[int]
    certificate: Path


def contenders() -> list[Contender]:
    """This proxy, and those others that are installed."""
    found = [Contender("rproxy", _said("git", "describe", "--always", "--dirty"), _rproxy)]
    for name, programs, write in (
        ("apache", ("apache2", "httpd"), _apache),
        ("nginx", ("nginx",), _nginx),
        ("haproxy", ("haproxy",), _haproxy),
    ):
        if program := _program(*programs):
            version = re.search(r"\d+\.\d+\.\d+", _said(program, "-v"))
            found.append(Contender(name, version[0] if version else "", write))
    return found


@contextlib.contextmanager
def started(contender: Contender, folder: Path, to: Upstream) -> Iterator[Running]:
    """Run a contender in a folder of its own and wait until it accepts."""
    _make(folder)
    port, secure = free_ports(2)
    with running(contender.write(folder, Ends(port, secure, *to)), PROXY_CORE, folder) as pid:
        wait_for(port, folder)
        yield Running(contender.name, pid, port, secure)


@contextlib.contextmanager
def upstream(folder: Path) -> Iterator[Upstream]:
    """Two members: /1k answers GET and POST with 1 KiB, /100k answers GET with 100 KiB; and the same over TLS."""
    _make(folder)
    ports, pem = free_ports(4), certificate(folder)
    if program := _program("nginx"):
        (folder / "100k").write_bytes(b"x" * LARGE)
        listens = "\n".join(f"    listen 127.0.0.1:{port}{' ssl' * (port in ports[2:])};" for port in ports)
        config = folder / "nginx.conf"
        config.write_text(f"""{_nginx_head(folder)}
  keepalive_requests 100000000;
  sendfile on;
  open_file_cache max=10;
  server {{
{listens}
    ssl_certificate {pem};
    ssl_certificate_key {pem};
    location = /1k {{ return 200 "{"x" * SMALL}"; }}
    location = /100k {{ root {folder}; }}
  }}
}}
""")
        command = [program, "-c", str(config), "-p", str(folder)]
    else:
        secured = [f"{port}:{pem}" for port in ports[2:]]
        command = [sys.executable, "-m", "benchmarks.upstream", *map(str, ports[:2]), *secured]
    with running(command, OTHER_CORE, folder):
        for port in ports:
            wait_for(port, folder)
        yield Upstream(ports[:2], ports[2:], pem)


def site_file(folder: Path, ends: Ends) -> Path:
    """The site of this proxy for one benchmark."""
    members = "".join(
        f'\n[balancers.{pool}.members.m{number}]\nurl = "{scheme}://127.0.0.1:{port}"\n'
        for pool, scheme, ports in (("pool", "http", ends.upstreams), ("secure", "https", ends.secured))
        for number, port in enumerate(ports)
    )
    path = folder / "site.toml"
    path.write_text(f"""version = 1

[listeners.http]
address = "127.0.0.1:{ends.port}"

[listeners.https]
address = "127.0.0.1:{ends.secure}"

[[listeners.https.tls.certificates]]
id = "all"
cert = "{ends.certificate}"

[upstream_tls]
ca = "{ends.certificate}"

[[routes]]
path = "/secure/"
proxy = "balancer://secure/"

[[routes]]
path = "/"
proxy = "balancer://pool/"
{members}""")
    return path


def _rproxy(folder: Path, ends: Ends) -> list[str]:
    return [sys.executable, "-m", "proxy_core.control.cli", str(site_file(folder, ends))]


_APACHE_FOLDERS = ("/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules")
_APACHE_MODULES = (
    "mpm_event", "authz_core", "unixd", "proxy", "proxy_http", "slotmem_shm", "proxy_balancer", "lbmethod_byrequests",
    "socache_shmcb", "ssl",
)  # fmt: skip


def _apache(folder: Path, ends: Ends) -> list[str]:
    paths = {
        name: path
        for name in _APACHE_MODULES
        for place in _APACHE_FOLDERS
        if os.path.exists(path := f"{place}/mod_{name}.so")
    }
    load = "\n".join(f"LoadModule {name}_module {path}" for name, path in paths.items())
    members = "\n".join(f"  BalancerMember http://127.0.0.1:{port}" for port in ends.upstreams)
    secured = "\n".join(f"  BalancerMember https://127.0.0.1:{port}" for port in ends.secured)
    config = folder / "httpd.conf"
    config.write_text(f"""ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{ends.port}
Listen 127.0.0.1:{ends.secure}
PidFile {folder}/httpd.pid
ErrorLog {folder}/error.log
DefaultRuntimeDir {folder}
{load}
{_user_lines("User {0}", "Group {1}")}
ServerLimit 1
StartServers 1
ThreadsPerChild 64
MaxRequestWorkers 64
AsyncRequestWorkerFactor 40
MaxKeepAliveRequests 0
KeepAliveTimeout 60
ProxyTimeout 60
<Proxy balancer://pool>
{members}
</Proxy>
<Proxy balancer://secure>
{secured}
</Proxy>
SSLProxyEngine on
SSLProxyVerify require
SSLProxyCACertificateFile {ends.certificate}
ProxyPass /secure/ balancer://secure/
ProxyPass / balancer://pool/
ProxyPassReverse / balancer://pool/
<VirtualHost 127.0.0.1:{ends.secure}>
  SSLEngine on
  SSLCertificateFile {ends.certificate}
</VirtualHost>
""")
    return [_program("apache2", "httpd"), "-D", "FOREGROUND", "-f", str(config)]


def _nginx(folder: Path, ends: Ends) -> list[str]:
    pools = "\n".join(
        f"""  upstream {name} {{
{chr(10).join(f"    server 127.0.0.1:{port};" for port in ports)}
    keepalive 64;
    keepalive_requests 100000000;
  }}"""
        for name, ports in (("pool", ends.upstreams), ("secure", ends.secured))
    )
    config = folder / "nginx.conf"
    config.write_text(f"""{_nginx_head(folder)}
  keepalive_requests 100000000;
{pools}
  server {{
    listen 127.0.0.1:{ends.port};
    listen 127.0.0.1:{ends.secure} ssl;
    ssl_certificate {ends.certificate};
    ssl_certificate_key {ends.certificate};
    proxy_ssl_trusted_certificate {ends.certificate};
    proxy_ssl_verify on;
    proxy_ssl_name 127.0.0.1;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Host $http_host;
    location / {{ proxy_pass http://pool; }}
    location /secure/ {{ proxy_pass https://secure/; }}
  }}
}}
""")
    return [_program("nginx"), "-c", str(config), "-p", str(folder)]


def _haproxy(folder: Path, ends: Ends) -> list[str]:
    members = "\n".join(f"  server m{number} 127.0.0.1:{port}" for number, port in enumerate(ends.upstreams))
    secured = "\n".join(
        f"  server m{number} 127.0.0.1:{port} ssl verify required ca-file {ends.certificate}"
        for number, port in enumerate(ends.secured)
    )
    config = folder / "haproxy.cfg"
    config.write_text(f"""global
  maxconn 4000
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
frontend front
  bind 127.0.0.1:{ends.port}
  bind 127.0.0.1:{ends.secure} ssl crt {ends.certificate}
  use_backend secure if {{ path_beg /secure/ }}
  default_backend pool
backend pool
  balance roundrobin
  http-reuse always
{members}
backend secure
  http-request replace-path /secure(.*) \\1
  balance roundrobin
  http-reuse always
{secured}
""")
    return [_program("haproxy"), "-db", "-f", str(config)]


def certificate(folder: Path) -> Path:
    """A certificate of its own authority for 127.0.0.1, with its key in the same file."""
    path = folder / "certificate.pem"
    command = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:127.0.0.1",
               "-keyout", str(path), "-out", "-")  # fmt: skip
    made = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    with path.open("a") as file:
        file.write(made)
    path.chmod(0o644)  # for servers that have given up being root; it is worth nothing after this
    return path


def _nginx_head(folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "\n".join(f"  {kind}_temp_path {folder}/{kind};" for kind in kinds)
    return f"""daemon off;
worker_processes 1;
{_user_lines("user {0} {1};")}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
{temporary}"""


def _user_lines(*forms: str) -> str:
    """Who a server that was started by root should serve as, "" when we are not root."""
    if os.geteuid():
        return ""
    known = {entry.pw_name for entry in pwd.getpwall()}
    user = "www-data" if "www-data" in known else "nobody"
    group = _said("id", "-gn", user)
    return "\n".join(form.format(user, group) for form in forms)


def _make(folder: Path) -> None:
    """A folder that servers can read after they have given up being root."""
    folder.mkdir()
    folder.chmod(0o755)


def _program(*names: str) -> str:
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    return next((found for name in names if (found := shutil.which(name, path=path))), "")


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False, cwd=ROOT)
    return (done.stdout + done.stderr).strip()
